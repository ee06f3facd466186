using System.Net;
using Weir.Net;

namespace Weir.Simulation.Tests.Injection;

/// <summary>The runtime's own datagram sockets under faults and on a bad network.</summary>
public class FaultyDatagramTests
{
    private const int Count = 60;

    private static readonly SimFault[] Bearable =
        [SimFault.ShortRead, SimFault.ShortWrite, SimFault.Interrupted, SimFault.FalseReadiness, SimFault.LateArrival];

    [Theory]
    [InlineData("unix", SimMode.Stepping)]
    [InlineData("unix", SimMode.Threads)]
    [InlineData("udp", SimMode.Stepping)]
    [InlineData("udp", SimMode.Threads)]
    [InlineData("udp in trains", SimMode.Stepping)]
    [InlineData("udp in trains", SimMode.Threads)]
    public void Nothing_between_two_sockets_of_a_machine_is_lost_by_what_is_short_or_late(string kind, SimMode mode)
    {
        int[] struck = new int[Enum.GetValues<SimFault>().Length];
        for (ulong seed = 0; seed < 40; seed++)
        {
            var options = new SimOptions { Mode = mode };
            foreach (SimFault fault in Bearable)
                options.Faults.Add(fault, 0.2);
            Sim.Run(
                seed,
                async sim =>
                {
                    await Transfer(kind);
                    foreach (SimFault fault in Bearable)
                        struck[(int)fault] += sim.Faults.Count(fault);
                },
                options);
        }

        Assert.All(Bearable, fault => Assert.True(struck[(int)fault] > 0, $"{fault} never struck"));
    }

    // Longer and longer, so that there are several messages in a batch; two of one length, so that a message stands for several.
    private static int LengthOf(int number) => 4 + number % 7 / 2 * 2;

    // Batches one way, single datagrams back.
    private static async Task Transfer(string kind)
    {
        (DatagramSocket a, DatagramSocket b) = kind == "unix" ? DatagramSocket.CreatePair() : Pair(new DatagramOptions { ReceivesTrains = kind == "udp in trains" });
        using DatagramSocket client = a, server = b;
        EventLoop loop = EventLoop.Current!;
        Task echo = loop.Spawn(async () =>
        {
            using var batch = new DatagramBatch(8, 16);
            for (int received = 0; received < Count;)
            {
                int count = await server.ReceiveBatchAsync(batch);
                Assert.InRange(count, 1, 8);
                for (int i = 0; i < count; i++)
                {
                    Assert.Equal(received, BitConverter.ToInt32(batch[i].Memory.Span));
                    await server.SendAsync(batch[i].Memory);
                    received++;
                }
            }
        });
        Task send = loop.Spawn(async () =>
        {
            using var batch = new DatagramBatch(7, 16);
            for (int next = 0; next < Count;)
            {
                batch.Clear();
                while (next < Count && batch.Count < batch.Capacity)
                    BitConverter.TryWriteBytes(batch.Add(LengthOf(next)).Memory.Span, next++);
                await client.SendBatchAsync(batch);
                Assert.Equal(batch.Count, batch.Sent);
            }
        });
        byte[] buffer = new byte[16];
        for (int i = 0; i < Count; i++)
        {
            Assert.Equal(LengthOf(i), await client.ReceiveAsync(buffer));
            Assert.Equal(i, BitConverter.ToInt32(buffer));
        }

        await send;
        await echo;
    }

    private static (DatagramSocket First, DatagramSocket Second) Pair(DatagramOptions options)
    {
        var address = new IPEndPoint(IPAddress.Loopback, 0);
        DatagramSocket first = DatagramSocket.Bind(address, options), second = DatagramSocket.Bind(address, options);
        first.Connect(second.LocalEndPoint!);
        second.Connect(first.LocalEndPoint!);
        return (first, second);
    }

    // What is lost on the way leaves the others whole and in order, and some come together.
    [Fact]
    public void Trains_that_lose_datagrams_on_the_way_are_received_without_them()
    {
        int received = 0;
        for (ulong seed = 0; seed < 20; seed++)
        {
            Sim.Run(seed, async sim =>
            {
                SimHost peer = sim.AddHost("peer", "10.0.0.2");
                sim.Network.Link(sim.Host, peer, new SimLink { Latency = TimeSpan.FromMilliseconds(5), Loss = 0.2 });
                SimLoop server = sim.Loop("server", async () =>
                {
                    using DatagramSocket socket = DatagramSocket.Bind(new IPEndPoint(IPAddress.Any, 5000), new DatagramOptions { ReceivesTrains = true });
                    using var batch = new DatagramBatch(5, 16);
                    int last = -1;
                    try
                    {
                        while (true)
                        {
                            await socket.ReceiveBatchAsync(batch, EventLoop.Current!.Stopping);
                            for (int i = 0; i < batch.Count; i++, received++)
                            {
                                int number = BitConverter.ToInt32(batch[i].Memory.Span);
                                Assert.True(number > last, $"{number} after {last}");
                                Assert.Equal(LengthOf(number), batch[i].Length);
                                last = number;
                            }
                        }
                    }
                    catch (OperationCanceledException)
                    {
                    }
                }, peer.Kernel);
                using DatagramSocket client = DatagramSocket.Open(SocketDomain.Inet);
                SocketAddress to = new IPEndPoint(peer.Addresses[0], 5000).Serialize();
                using var row = new DatagramBatch(Count, 16);
                for (int i = 0; i < Count; i++)
                    BitConverter.TryWriteBytes(row.Add(LengthOf(i), to).Memory.Span, i);
                await EventLoop.Current!.Delay(TimeSpan.FromSeconds(1)); // the server is up
                await client.SendBatchAsync(row);
                await EventLoop.Current!.Delay(TimeSpan.FromSeconds(1));
                server.Stop();
            });
        }

        Assert.InRange(received, 20 * Count / 2, 20 * Count - 1);
    }

    [Fact]
    public void A_request_is_repeated_until_it_is_answered_over_a_network_that_loses_half()
    {
        int repeated = 0;
        for (ulong seed = 0; seed < 30; seed++)
        {
            Sim.Run(seed, async sim =>
            {
                SimHost peer = sim.AddHost("peer", "10.0.0.2");
                sim.Network.Link(sim.Host, peer, new SimLink { Latency = TimeSpan.FromMilliseconds(5), Jitter = TimeSpan.FromMilliseconds(5), Loss = 0.5 });
                SimLoop server = sim.Loop("server", async () =>
                {
                    using DatagramSocket socket = DatagramSocket.Bind(new IPEndPoint(IPAddress.Any, 5000));
                    byte[] request = new byte[16];
                    SocketAddress from = socket.CreateAddress();
                    try
                    {
                        while (true)
                            await socket.SendToAsync(request.AsMemory(0, await socket.ReceiveFromAsync(request, from, EventLoop.Current!.Stopping)), from);
                    }
                    catch (OperationCanceledException)
                    {
                    }
                }, peer.Kernel);
                using DatagramSocket client = DatagramSocket.Open(SocketDomain.Inet);
                client.Connect(new IPEndPoint(peer.Addresses[0], 5000));
                byte[] answer = new byte[16];
                for (int i = 0; i < 10; i++)
                {
                    while (true)
                    {
                        await client.SendAsync(BitConverter.GetBytes(i));
                        using var timeout = new CancellationTokenSource(TimeSpan.FromMilliseconds(50), EventLoop.Current!.TimeProvider);
                        try
                        {
                            // Late answers to what was asked before are not meant.
                            do
                                Assert.Equal(4, await client.ReceiveAsync(answer, timeout.Token));
                            while (BitConverter.ToInt32(answer) != i);
                            break;
                        }
                        catch (OperationCanceledException)
                        {
                            repeated++;
                        }
                        catch (KernelException failure) when (failure.Errno == Errno.ECONNREFUSED)
                        {
                            repeated++; // it is not up yet
                        }
                    }
                }

                server.Stop();
            });
        }

        Assert.True(repeated > 0);
    }
}
