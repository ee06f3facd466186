using System.Net;
using System.Text;
using Weir.Net;

namespace Weir.Tests;

/// <summary>The examples of docs/datagrams.md. Each runs as a test.</summary>
public class DatagramExamples
{
    [Fact]
    public void A_server_and_a_client()
    {
        string answer = EventLoop.Run(async () =>
        {
            EventLoop loop = EventLoop.Current!;
            using DatagramSocket server = DatagramSocket.Bind(new IPEndPoint(IPAddress.Loopback, 0)); // port 0: the kernel chooses
            _ = loop.Spawn(() => Echo(server, loop.Stopping), "echo");

            using DatagramSocket client = DatagramSocket.Open(SocketDomain.Inet);
            client.Connect(server.LocalEndPoint!); // whom it sends to, and whom alone it hears
            byte[] reply = new byte[1500];
            await client.SendAsync("hello"u8.ToArray());
            int length = await client.ReceiveAsync(reply); // one datagram, whole
            return Encoding.ASCII.GetString(reply, 0, length);
        });

        Assert.Equal("hello", answer);
    }

    private static async Task Echo(DatagramSocket socket, CancellationToken stopping)
    {
        byte[] buffer = new byte[2048];
        SocketAddress from = socket.CreateAddress(); // used again for each
        try
        {
            while (true)
            {
                int length = await socket.ReceiveFromAsync(buffer, from, stopping);
                if ((socket.ReceivedFlags & MessageFlags.Truncated) == 0)
                    await socket.SendToAsync(buffer.AsMemory(0, length), from, stopping);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    [Fact]
    public void Many_with_one_call() => EventLoop.Run(async () =>
    {
        EventLoop loop = EventLoop.Current!;
        using DatagramSocket socket = DatagramSocket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _ = loop.Spawn(() => EchoMany(socket, loop.Stopping), "echo");

        using DatagramSocket client = DatagramSocket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        SocketAddress target = socket.LocalEndPoint!.Serialize();
        using var batch = new DatagramBatch(capacity: 64, datagramSize: 1500);
        for (int i = 0; i < 10; i++)
            batch.Add(Encoding.ASCII.GetBytes($"number {i}"), target);
        await client.SendBatchAsync(batch); // sendmmsg

        for (int received = 0; received < 10; received += batch.Count)
            await client.ReceiveBatchAsync(batch);
        Assert.Equal("number 9", Encoding.ASCII.GetString(batch[batch.Count - 1].Memory.Span));
    });

    private static async Task EchoMany(DatagramSocket socket, CancellationToken stopping)
    {
        using var batch = new DatagramBatch(capacity: 64, datagramSize: 1500);
        try
        {
            while (true)
            {
                await socket.ReceiveBatchAsync(batch, stopping); // what is there, at least one
                await socket.SendBatchAsync(batch, stopping); // each to where it came from
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    [Fact]
    public void What_the_network_says_of_an_earlier_datagram() => EventLoop.Run(async () =>
    {
        DatagramSocket gone = DatagramSocket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        using DatagramSocket socket = DatagramSocket.Open(SocketDomain.Inet);
        socket.Connect(gone.LocalEndPoint!);
        gone.Dispose();
        byte[] buffer = new byte[16];
        bool refused = false;

        await socket.SendAsync("anybody?"u8.ToArray());
        try
        {
            await socket.ReceiveAsync(buffer);
        }
        catch (KernelException failure) when (failure.Errno == Errno.ECONNREFUSED)
        {
            refused = true; // nobody listens there; the socket lives on
        }

        Assert.True(refused);
    });

    [Fact]
    public void An_answer_from_the_address_that_was_asked() => EventLoop.Run(async () =>
    {
        using DatagramSocket server = DatagramSocket.Bind(new IPEndPoint(IPAddress.Any, 0));
        using DatagramSocket client = DatagramSocket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var asked = new IPEndPoint(IPAddress.Parse("127.0.0.9"), ((IPEndPoint)server.LocalEndPoint!).Port);
        byte[] buffer = new byte[16];

        server.ReceivesPacketInfo = true;
        await client.SendToAsync("?"u8.ToArray(), asked);

        SocketAddress from = server.CreateAddress();
        var ancillary = new AncillaryData();
        await server.ReceiveMessageAsync(buffer, from, ancillary);
        if (PacketInfo.TryFind(ancillary.Messages, out PacketInfo info)) // sent to which of our addresses?
        {
            ancillary.Clear();
            ancillary.Add(info); // the answer leaves from the same
            await server.SendMessageAsync("!"u8.ToArray(), from, ancillary);
        }

        Assert.Equal(asked, (await client.ReceiveFromAsync(buffer)).From);
    });

    [Fact]
    public void Rows_of_datagrams_come_together() => EventLoop.Run(async () =>
    {
        var address = new IPEndPoint(IPAddress.Loopback, 0);
        using DatagramSocket socket = DatagramSocket.Bind(address, new DatagramOptions { ReceivesTrains = true });
        using DatagramSocket sender = DatagramSocket.Bind(address);
        using DatagramBatch sent = new(64, 100), received = new(100, 100);
        SocketAddress target = socket.LocalEndPoint!.Serialize();
        for (int i = 0; i < 64; i++)
            sent.Add(100, target);
        await sender.SendBatchAsync(sent);
        Assert.Equal(64, await socket.ReceiveBatchAsync(received));
    });

    [Fact]
    public void A_descriptor_goes_out_and_comes_in() => EventLoop.Run(async () =>
    {
        DatagramSocket bound = DatagramSocket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        int fd = bound.ReleaseDescriptor(); // ours now, and so is closing it
        using DatagramSocket socket = DatagramSocket.FromDescriptor(fd); // non-blocking, close-on-exec, on this loop
        bool answersOnePeer = socket.IsConnected;
        Assert.False(answersOnePeer);
        await socket.SendToAsync("to itself"u8.ToArray(), socket.LocalEndPoint!);
        Assert.Equal(9, await socket.ReceiveAsync(new byte[16]));
    });

    [Fact]
    public void Groups() => EventLoop.Run(async () =>
    {
        const int loopback = 1;
        using DatagramSocket member = DatagramSocket.Bind(new IPEndPoint(IPAddress.Any, 0), new DatagramOptions { ReuseAddress = true });
        IPAddress group = IPAddress.Parse("239.77.77.77");
        member.JoinGroup(group, interfaceIndex: loopback);

        using DatagramSocket sender = DatagramSocket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        sender.SetMulticastInterface(loopback);
        await sender.SendToAsync("to all"u8.ToArray(), new IPEndPoint(group, ((IPEndPoint)member.LocalEndPoint!).Port));
        Assert.Equal(6, await member.ReceiveAsync(new byte[16]));
    });
}
