using System.Net;
using Weir.Net;

namespace Weir.Tests;

/// <summary>Sockets to which several datagrams may come as one message: whoever receives sees datagrams.</summary>
public class DatagramTrainTests : DatagramTestBase
{
    private static readonly DatagramOptions Trains = new() { ReceivesTrains = true };

    private static DatagramBatch Row(int count, int length, SocketAddress to)
    {
        var batch = new DatagramBatch(count, Math.Max(1, length));
        for (int i = 0; i < count; i++)
            batch.Add(Pattern(length, i), to);
        return batch;
    }

    [Theory]
    [InlineData("v4")]
    [InlineData("v6")]
    public void A_batch_gets_them_one_by_one_and_the_rest_comes_with_the_next(string family) => Run(async () =>
    {
        using DatagramSocket receiver = Bound(family, Trains), sender = Bound(family);
        Assert.True(receiver.ReceivesTrains && !sender.ReceivesTrains);
        using DatagramBatch row = Row(101, 40, AddressOf(receiver)), received = new(48, 64);
        row[100].SetLength(9); // shorter, and the last of its train
        await sender.SendBatchAsync(row);
        SocketAddress from = receiver.CreateAddress();
        long calls = Door.Count(nameof(Kernel.ReceiveMessages));
        for (int got = 0; got < 101;)
        {
            await receiver.ReceiveBatchAsync(received);
            for (int i = 0; i < received.Count; i++, got++)
            {
                Assert.Equal(Pattern(40, got)[..(got < 100 ? 40 : 9)], received[i].Memory.ToArray());
                Assert.False(received[i].IsTruncated);
                received[i].CopyAddressTo(from);
                AssertIs(sender, from);
            }
        }

        if (ReferenceEquals(InnerKernel, Kernel.Linux))
            Assert.Equal(1, Door.Count(nameof(Kernel.ReceiveMessages)) - calls); // three batches, one call
        Assert.False(receiver.TryReceiveBatch(received));
        Assert.Equal(0, received.Count);
    });

    [Fact]
    public void Every_way_to_receive_takes_one() => Run(async () =>
    {
        using DatagramSocket receiver = Bound("v4", Trains), sender = Bound("v4");
        receiver.ReceivesPacketInfo = true;
        using DatagramBatch row = Row(7, 20, AddressOf(receiver));
        ValueTask<int> waiting = receiver.ReceiveAsync(new byte[20]);
        await sender.SendBatchAsync(row);
        Assert.Equal(20, await waiting);
        byte[] buffer = new byte[32];
        Assert.Equal(20, await receiver.ReceiveAsync(buffer));
        Assert.Equal(Pattern(20, 1), buffer[..20]);

        SocketAddress from = receiver.CreateAddress();
        Assert.Equal(8, await receiver.ReceiveFromAsync(buffer.AsMemory(0, 8), from));
        Assert.Equal(MessageFlags.Truncated, receiver.ReceivedFlags); // its own end is lost, and no other datagram
        AssertIs(sender, from);

        var ancillary = new AncillaryData();
        Assert.Equal(20, await receiver.ReceiveMessageAsync(buffer, from, ancillary));
        Assert.Equal(Pattern(20, 3), buffer[..20]);
        Assert.True(PacketInfo.TryFind(ancillary.Messages, out PacketInfo info));
        Assert.Equal(((IPEndPoint)receiver.LocalEndPoint!).Address, info.Address);
        Assert.False(ancillary.Messages.MoveTo(SocketLevel.Udp, ControlMessageType.UdpReceiveSegment));
        var tooSmall = new AncillaryData(4);
        await receiver.ReceiveMessageAsync(buffer, null, tooSmall);
        Assert.Equal((0, MessageFlags.ControlTruncated), (tooSmall.Length, tooSmall.Flags));

        await Until(() => receiver.TryReceive(buffer, out _));
        Assert.Equal(Pattern(20, 5), buffer[..20]);
        await Until(() => receiver.TryReceiveFrom(buffer, from, out _));
        Assert.Equal(Pattern(20, 6), buffer[..20]);
        Assert.False(receiver.TryReceive(buffer, out _));
    });

    [Fact]
    public void Many_that_are_there_are_received_without_an_event() => Run(async () =>
    {
        using DatagramSocket receiver = Bound("v4", Trains), sender = Bound("v4");
        using DatagramBatch row = Row(64, 1, AddressOf(receiver));
        byte[] buffer = new byte[8];
        for (int round = 0; round < 30; round++)
        {
            await sender.SendBatchAsync(row);
            for (int i = 0; i < 64; i++)
            {
                Assert.Equal(1, await receiver.ReceiveAsync(buffer));
                Assert.Equal(Pattern(1, i)[0], buffer[0]);
            }
        }
    });

    [Fact]
    public void What_stands_alone_or_is_empty_comes_as_ever() => Run(async () =>
    {
        using DatagramSocket receiver = Bound("v4", Trains), one = Bound("v4"), two = Bound("v4");
        int[] lengths = [3, 0, 1, 0, 2000];
        foreach (int length in lengths)
        {
            await one.SendToAsync(Pattern(length, 1), AddressOf(receiver));
            await two.SendToAsync(Pattern(length, 2), AddressOf(receiver));
        }

        using var received = new DatagramBatch(16, 1000);
        for (int got = 0; got < 2 * lengths.Length;)
        {
            await receiver.ReceiveBatchAsync(received);
            for (int i = 0; i < received.Count; i++, got++)
            {
                int length = lengths[got / 2];
                Assert.Equal(Pattern(length, 1 + got % 2)[..Math.Min(length, 1000)], received[i].Memory.ToArray());
                Assert.Equal(length > 1000, received[i].IsTruncated);
                Assert.Equal((got % 2 == 0 ? one : two).LocalEndPoint, received[i].EndPoint);
            }
        }
    });

    [Fact]
    public void What_is_kept_here_is_not_given_away() => Run(async () =>
    {
        DatagramSocket receiver = Bound("v4", Trains);
        using DatagramSocket sender = Bound("v4");
        using DatagramBatch row = Row(3, 20, AddressOf(receiver));
        byte[] buffer = new byte[20];
        ValueTask<int> first = receiver.ReceiveAsync(buffer);
        await sender.SendBatchAsync(row);
        await first;
        int left = 2;
        if (ReferenceEquals(InnerKernel, Kernel.Linux))
            Assert.Contains("would be lost", Assert.Throws<InvalidOperationException>(() => receiver.ReleaseDescriptor()).Message);
        while (left > 0)
        {
            await receiver.ReceiveAsync(buffer);
            left--;
        }

        int fd = receiver.ReleaseDescriptor();
        using DatagramSocket again = DatagramSocket.FromDescriptor(fd);
        Assert.True(again.ReceivesTrains);
        await sender.SendBatchAsync(row);
        for (int i = 0; i < 3; i++)
            Assert.Equal(20, await again.ReceiveAsync(buffer));
    });

    [Fact]
    public void Errors_and_ends_come_as_ever() => Run(async () =>
    {
        DatagramSocket gone = Bound("v4");
        using DatagramSocket socket = Bound("v4", Trains);
        socket.Connect(gone.LocalEndPoint!);
        gone.Dispose();
        await socket.SendAsync(Bytes("?"));
        Assert.Equal(Errno.ECONNREFUSED, (await Assert.ThrowsAsync<KernelException>(async () => await socket.ReceiveAsync(new byte[1]))).Errno);
        using var batch = new DatagramBatch(4, 4);
        Task<int> waiting = socket.ReceiveBatchAsync(batch).AsTask();
        await EventLoop.Yield();
        socket.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => waiting);
        using DatagramSocket unix = Bound("unix", Trains);
        Assert.False(unix.ReceivesTrains);
    });
}
