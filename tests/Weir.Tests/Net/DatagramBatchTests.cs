using System.Net;
using Weir.Net;

namespace Weir.Tests;

public class DatagramBatchTests : DatagramTestBase
{
    [Theory]
    [MemberData(nameof(Families))]
    public void What_was_received_goes_back_to_where_it_came_from(string family) => Run(async () =>
    {
        using DatagramSocket server = Bound(family), one = Bound(family), two = Bound(family);
        for (int i = 0; i < 4; i++)
        {
            await one.SendToAsync(Bytes($"one {i}"), AddressOf(server));
            await two.SendToAsync(Bytes($"two number {i}"), AddressOf(server));
        }

        using var batch = new DatagramBatch(32, 64);
        long calls = Door.Count("ReceiveMessages"), sends = Door.Count("SendMessages");
        Assert.Equal(8, await server.ReceiveBatchAsync(batch));
        Assert.Equal(8, batch.Count);
        Assert.Equal(one.LocalEndPoint, batch[0].EndPoint);
        Assert.Equal(two.LocalEndPoint, batch[1].EndPoint);
        await server.SendBatchAsync(batch);
        Assert.Equal(8, batch.Sent);
        Assert.Equal((1, 1), (Door.Count("ReceiveMessages") - calls, Door.Count("SendMessages") - sends));
        byte[] buffer = new byte[64];
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(Bytes($"one {i}"), buffer[..await one.ReceiveAsync(buffer)]);
            Assert.Equal(Bytes($"two number {i}"), buffer[..await two.ReceiveAsync(buffer)]);
        }
    });

    [Theory]
    [MemberData(nameof(Families))]
    public void A_batch_is_used_again_with_datagrams_of_other_lengths(string family) => Run(async () =>
    {
        using DatagramSocket receiver = Bound(family), sender = Bound(family);
        using var sent = new DatagramBatch(8, 32);
        using var received = new DatagramBatch(8, 16);
        SocketAddress address = receiver.CreateAddress();
        foreach (int count in (int[])[8, 1, 5, 8])
        {
            sent.Clear();
            for (int i = 0; i < count; i++)
                sent.Add(Pattern(i * 4, count), AddressOf(receiver));
            ValueTask<int> receive = receiver.ReceiveBatchAsync(received);
            await sender.SendBatchAsync(sent);
            int got = await receive;
            while (got < count)
            {
                // What has come first was there alone.
                Check(got - received.Count);
                got += await receiver.ReceiveBatchAsync(received);
            }

            Check(got - received.Count);
            Assert.False(receiver.TryReceiveBatch(received));
            Assert.Equal(0, received.Count);

            void Check(int before)
            {
                for (int i = 0; i < received.Count; i++)
                {
                    int whole = (before + i) * 4;
                    Assert.Equal(Pattern(Math.Min(16, whole), count), received[i].Memory.ToArray());
                    Assert.Equal(whole > 16, received[i].IsTruncated);
                    received[i].CopyAddressTo(address);
                    AssertIs(sender, address);
                }
            }
        }
    });

    [Theory]
    [InlineData(Errno.None)]
    [InlineData(Errno.EIO)]
    [InlineData(Errno.EINVAL)]
    [InlineData(Errno.EMSGSIZE)]
    public void Datagrams_of_one_length_to_one_place_are_one_message_where_the_kernel_cuts_it_up(Errno refusal)
    {
        TrainKernel door = null!;
        Run(
            async () =>
            {
                using DatagramSocket sender = Bound("v4"), one = Bound("v4"), two = Bound("v4");
                using var batch = new DatagramBatch(128, 64);
                int[] lengths = [.. Enumerable.Repeat(40, 70), 30, 40, 0, 0, 40, 50, 50];
                for (int i = 0; i < lengths.Length; i++)
                    batch.Add(Pattern(lengths[i], i), AddressOf(one));
                batch.Add(Pattern(50, 90), AddressOf(two));
                batch.Add(Pattern(50, 91), AddressOf(two));
                await sender.SendBatchAsync(batch);
                Assert.Equal(lengths.Length + 2, batch.Sent);
                if (refusal == Errno.None)
                    Assert.Equal([64, 7, 1, 1, 1, 1, 2, 2], door.Trains); // the shorter one ends a train, an empty one is alone
                else
                    Assert.Equal(Enumerable.Repeat(1, lengths.Length + 2), door.Trains);
                byte[] buffer = new byte[64];
                for (int i = 0; i < lengths.Length; i++)
                    Assert.Equal(Pattern(lengths[i], i), buffer[..await one.ReceiveAsync(buffer)]);
                for (int i = 90; i < 92; i++)
                    Assert.Equal(Pattern(50, i), buffer[..await two.ReceiveAsync(buffer)]);
            },
            options => options.Kernel = door = new TrainKernel(options.Kernel, refusal));
    }

    /// <summary>Notes how many datagrams each message of a batch stood for that was sent; may refuse those that stand for several.</summary>
    private sealed unsafe class TrainKernel(Kernel inner, Errno refusal) : CountingKernel(inner)
    {
        public List<int> Trains { get; } = [];

        public override int SendMessages(int fd, MessageEntry* messages, uint count, MessageFlags flags)
        {
            uint allowed = 0;
            while (allowed < count && (refusal == Errno.None || messages[allowed].Header.VectorCount == 1))
                allowed++;
            if (allowed == 0)
                return -(int)refusal;
            int sent = base.SendMessages(fd, messages, allowed, flags);
            for (int i = 0; i < sent; i++)
                Trains.Add((int)messages[i].Header.VectorCount);
            return sent;
        }
    }

    [Fact]
    public void A_pair_needs_no_addresses() => Run(async () =>
    {
        (DatagramSocket first, DatagramSocket second) = DatagramSocket.CreatePair();
        using DatagramSocket a = first, b = second;
        using var batch = new DatagramBatch(4, 16);
        batch.Add("1"u8);
        batch.Add(default(ReadOnlySpan<byte>));
        batch.Add(2).Memory.Span.Fill(7);
        await a.SendBatchAsync(batch);
        Assert.Equal(3, await b.ReceiveBatchAsync(batch));
        Assert.Equal([1, 0, 2], [batch[0].Length, batch[1].Length, batch[2].Length]);
        Assert.True(batch[0].Address.IsEmpty);
        Assert.Null(batch[0].EndPoint);
        // Back again, the first two alone.
        batch.Count = 2;
        await b.SendBatchAsync(batch);
        Assert.Equal(2, await a.ReceiveBatchAsync(batch));
    });

    [Fact]
    public void It_lies_in_the_callers_memory_if_asked() => Run(async () =>
    {
        (DatagramSocket first, DatagramSocket second) = DatagramSocket.CreatePair();
        using DatagramSocket a = first, b = second;
        byte[] memory = new byte[40];
        var batch = new DatagramBatch(memory, 16);
        Assert.Equal(2, batch.Capacity);
        foreach (byte value in (byte[])[1, 2, 3])
            await a.SendAsync(new[] { value });
        Assert.Equal(2, await b.ReceiveBatchAsync(batch));
        Assert.Equal((1, 2), (memory[0], memory[16]));
        Assert.Equal(1, await b.ReceiveBatchAsync(batch));
        Assert.Equal((3, 2), (memory[0], memory[16]));
        batch.Dispose();
        batch.Dispose();
        Assert.Throws<ObjectDisposedException>(() => { b.ReceiveBatchAsync(batch); });
        Assert.Throws<ObjectDisposedException>(() => { batch.Add(1); });
    });

    [Fact]
    public void What_comes_before_a_failure_is_sent() => Run(async () =>
    {
        using DatagramSocket receiver = Bound("v4"), sender = Bound("v4");
        using var batch = new DatagramBatch(4, 66_000);
        batch.Add("first"u8, AddressOf(receiver));
        batch.Add(66_000, AddressOf(receiver));
        batch.Add("third"u8, AddressOf(receiver));
        KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await sender.SendBatchAsync(batch));
        Assert.Equal((Errno.EMSGSIZE, "sendmmsg"), (failure.Errno, failure.Call));
        Assert.Equal(1, batch.Sent);
        Assert.Equal(5, await receiver.ReceiveAsync(new byte[16]));
        Assert.False(receiver.TryReceive(new byte[16], out _));
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_batch_that_finds_no_room_is_sent_as_it_comes_free(bool connected) => Run(async () =>
    {
        using DatagramSocket receiver = Bound("unix"), sender = Bound("unix");
        if (connected)
            sender.Connect(receiver.LocalEndPoint!);
        using var batch = new DatagramBatch(1000, 4);
        for (int i = 0; i < 1000; i++)
            BitConverter.TryWriteBytes(batch.Add(4, connected ? null : AddressOf(receiver)).Memory.Span, i);
        Task send = sender.SendBatchAsync(batch).AsTask();
        Assert.False(send.IsCompleted);
        using var received = new DatagramBatch(7, 4);
        for (int i = 0; i < 1000;)
        {
            await receiver.ReceiveBatchAsync(received);
            for (int k = 0; k < received.Count; k++)
                Assert.Equal(i++, BitConverter.ToInt32(received[k].Memory.Span));
        }

        await send;
        Assert.Equal(1000, batch.Sent);
    });

    [Fact]
    public void An_error_of_the_network_comes_from_a_batch_too() => Run(async () =>
    {
        using DatagramSocket sender = Bound("v4");
        DatagramSocket gone = Bound("v4");
        sender.Connect(gone.LocalEndPoint!);
        gone.Dispose();
        using var batch = new DatagramBatch(4, 4);
        ValueTask<int> receive = sender.ReceiveBatchAsync(batch);
        await sender.SendAsync(Bytes("?"));
        KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await receive);
        Assert.Equal((Errno.ECONNREFUSED, "recvmmsg"), (failure.Errno, failure.Call));
        Assert.Equal(0, batch.Count);
    });

    [Fact]
    public void Wrong_arguments_change_nothing() => Run(() =>
    {
        using var batch = new DatagramBatch(2, 4);
        Assert.Throws<ArgumentOutOfRangeException>(() => { batch.Add(5); });
        Assert.Throws<ArgumentOutOfRangeException>(() => { batch.Add(-1); });
        Assert.Throws<ArgumentOutOfRangeException>(() => { batch.Add("12345"u8); });
        Assert.Throws<ArgumentOutOfRangeException>(() => batch[0]);
        Assert.Equal(0, batch.Count);
        DatagramInBatch added = batch.Add("1"u8, AnyPort.Serialize());
        Assert.Throws<ArgumentOutOfRangeException>(() => batch.Count = 2);
        Assert.Throws<ArgumentOutOfRangeException>(() => added.SetLength(5));
        Assert.Throws<ArgumentException>(() => added.CopyAddressTo(new SocketAddress(System.Net.Sockets.AddressFamily.InterNetwork, 8)));
        batch.Add("2"u8);
        Assert.Throws<InvalidOperationException>(() => { batch.Add("3"u8); });
        Assert.Equal(2, batch.Count);
        return Task.CompletedTask;
    });
}
