using System.Net;
using Weir.Net;

namespace Weir.Tests;

/// <summary>Cancellation, disposal, a second caller, callers from elsewhere, arguments, shortages.</summary>
public class DatagramSocketWaitTests : DatagramTestBase
{
    [Theory]
    [MemberData(nameof(Families))]
    public void A_cancelled_receive_loses_no_datagram(string family) => Run(async () =>
    {
        using DatagramSocket receiver = Bound(family), sender = Bound(family);
        byte[] buffer = new byte[4];
        SocketAddress from = receiver.CreateAddress();
        for (int i = 0; i < 3; i++)
        {
            using var source = new CancellationTokenSource();
            ValueTask<int> receive = receiver.ReceiveFromAsync(buffer, from, source.Token);
            source.Cancel();
            var canceled = await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await receive);
            Assert.Equal(source.Token, canceled.CancellationToken);
            await sender.SendToAsync(Bytes("x"), AddressOf(receiver));
            Assert.Equal(1, await receiver.ReceiveFromAsync(buffer, from));
        }

        using var early = new CancellationTokenSource();
        early.Cancel();
        await sender.SendToAsync(Bytes("x"), AddressOf(receiver));
        Assert.True(receiver.ReceiveFromAsync(buffer, from, early.Token).IsCanceled);
        Assert.True(sender.SendToAsync(Bytes("y"), AddressOf(receiver), early.Token).IsCanceled);
        Assert.Equal(1, await receiver.ReceiveFromAsync(buffer, from));
        Assert.False(receiver.TryReceive(buffer, out _));
    });

    [Theory]
    [InlineData("v4")]
    [InlineData("unix")]
    public void A_batch_is_free_again_after_its_receive_was_cancelled(string family) => Run(async () =>
    {
        using DatagramSocket receiver = Bound(family), sender = Bound(family);
        using var batch = new DatagramBatch(4, 16);
        using var source = new CancellationTokenSource();
        ValueTask<int> receive = receiver.ReceiveBatchAsync(batch, source.Token);
        Assert.Throws<BusyResourceException>(() => { batch.Add(1); });
        Assert.Throws<BusyResourceException>(batch.Dispose);
        Assert.Throws<BusyResourceException>(() => { sender.SendBatchAsync(batch); });
        source.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await receive);
        batch.Add("x"u8, AddressOf(receiver));
        await sender.SendBatchAsync(batch);
        Assert.Equal(1, await receiver.ReceiveBatchAsync(batch));
    });

    [Theory]
    [InlineData(nameof(Weir.Kernel.SendMessage))]
    [InlineData(nameof(Weir.Kernel.Send))]
    [InlineData(nameof(Weir.Kernel.SendMessages))]
    public void A_send_that_finds_no_free_port_fails_and_does_not_wait_for_room(string call) => Run(async () =>
    {
        using DatagramSocket receiver = Bound("v4"), sender = DatagramSocket.Open(SocketDomain.Inet);
        using var batch = new DatagramBatch(4, 16);
        if (call == nameof(Kernel.Send))
            sender.Connect(receiver.LocalEndPoint!);
        Door.FailNext(call, Errno.EAGAIN, 2); // inet_autobind: the socket is writable all the while
        KernelException refused = await Assert.ThrowsAsync<KernelException>(() => Send("lost").AsTask());
        Assert.Equal(Errno.EAGAIN, refused.Errno);
        Assert.Contains("local ports", refused.Message);
        Door.FailNext(call, Errno.EAGAIN); // a port, or room, that was missing has been found
        await Send("x");
        Assert.Equal(1, await receiver.ReceiveAsync(new byte[8]));

        ValueTask Send(string text)
        {
            if (call == nameof(Kernel.Send))
                return sender.SendAsync(Bytes(text));
            if (call == nameof(Kernel.SendMessage))
                return sender.SendToAsync(Bytes(text), AddressOf(receiver));
            batch.Clear();
            batch.Add(Bytes(text), AddressOf(receiver));
            return sender.SendBatchAsync(batch);
        }
    });

    [Theory]
    [MemberData(nameof(Families))]
    public void Disposing_ends_what_waits(string family) => Run(async () =>
    {
        DatagramSocket socket = Bound(family);
        using var batch = new DatagramBatch(2, 8);
        ValueTask<int> receive = socket.ReceiveBatchAsync(batch);
        socket.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await receive);
        Assert.Equal(-1, socket.FileDescriptor);
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await socket.ReceiveAsync(new byte[1]));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await socket.SendAsync(new byte[1]));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await socket.SendToAsync(new byte[1], socket.CreateAddress()));
        Assert.Throws<ObjectDisposedException>(() => socket.TryReceive(new byte[1], out _));
        Assert.Throws<ObjectDisposedException>(() => socket.LocalEndPoint);
        batch.Add("x"u8);
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await socket.SendBatchAsync(batch));
        socket.Dispose();
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Disposing_ends_a_send_that_waits_for_room(bool connected) => Run(async () =>
    {
        using DatagramSocket receiver = Bound("unix");
        DatagramSocket sender = Bound("unix");
        if (connected)
            sender.Connect(receiver.LocalEndPoint!);
        while (sender.TrySendTo("x"u8, AddressOf(receiver)))
        {
        }

        Task send = (connected ? sender.SendAsync(Bytes("y")) : sender.SendToAsync(Bytes("y"), AddressOf(receiver))).AsTask();
        Assert.False(send.IsCompleted);
        sender.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => send);
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_send_that_waits_for_room_can_be_cancelled(bool connected) => Run(async () =>
    {
        using DatagramSocket receiver = Bound("unix"), sender = Bound("unix");
        if (connected)
            sender.Connect(receiver.LocalEndPoint!);
        int queued = 0;
        while (sender.TrySendTo("x"u8, AddressOf(receiver)))
            queued++;
        using var source = new CancellationTokenSource();
        Task send = (connected ? sender.SendAsync(Bytes("y"), source.Token) : sender.SendToAsync(Bytes("y"), AddressOf(receiver), source.Token)).AsTask();
        source.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => send);
        byte[] buffer = new byte[4];
        int received = 0;
        while (receiver.TryReceive(buffer, out _))
            received++;
        Assert.Equal(queued, received);
        await sender.SendToAsync(Bytes("z"), AddressOf(receiver));
        Assert.Equal(1, await receiver.ReceiveAsync(buffer));
    });

    [Fact]
    public void A_second_receiver_is_refused_and_the_first_untouched() => Run(async () =>
    {
        (DatagramSocket first, DatagramSocket second) = DatagramSocket.CreatePair();
        using DatagramSocket a = first, b = second;
        byte[] buffer = new byte[4];
        ValueTask<int> receive = a.ReceiveAsync(buffer);
        Assert.Throws<BusyResourceException>(() => { a.ReceiveAsync(buffer); });
        Assert.Throws<BusyResourceException>(() => a.TryReceive(buffer, out _));
        Assert.Throws<BusyResourceException>(() => { a.ReceiveBatchAsync(new DatagramBatch(1, 1)); });
        await b.SendAsync(Bytes("x"));
        Assert.Equal(1, await receive);
    });

    [ThreadedFact]
    public void Only_Dispose_is_for_other_threads() => Run(async () =>
    {
        DatagramSocket socket = Bound("v4");
        ValueTask<int> receive = socket.ReceiveAsync(new byte[4]);
        await Task.Run(() =>
        {
            Assert.Throws<InvalidOperationException>(() => { socket.SendToAsync(new byte[1], socket.CreateAddress()); });
            Assert.Throws<InvalidOperationException>(() => socket.TrySend(new byte[1]));
            Assert.Throws<InvalidOperationException>(() => socket.Connect(AnyPort));
            Assert.Throws<InvalidOperationException>(() => socket.Broadcast = true);
            socket.Dispose();
        });
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await receive);
    });

    [Fact]
    public void The_loops_end_closes_what_was_left() => RunAbandoning(() =>
    {
        Bound("v4");
        return Task.CompletedTask;
    });

    [Fact]
    public virtual void A_loop_that_cannot_take_it_leaves_nothing_behind() => Run(() =>
    {
        EndPoint address = AddressOf("unix");
        foreach (int earlier in (int[])[0, 1])
        {
            Door.FailLater("EpollCtl", Errno.ENOSPC, earlier);
            Assert.Equal(Errno.ENOSPC, Assert.Throws<KernelException>(() =>
            {
                if (earlier == 0)
                    DatagramSocket.Bind(address);
                else
                    DatagramSocket.CreatePair();
            }).Errno);
        }

        using DatagramSocket bound = DatagramSocket.Bind(address);
        return Task.CompletedTask;
    });

    [Fact]
    public void Wrong_arguments_are_named() => Run(async () =>
    {
        using DatagramSocket socket = Bound("v6"), unix = Bound("unix");
        byte[] buffer = new byte[4];
        Assert.Throws<ArgumentNullException>(() => { socket.ReceiveFromAsync(buffer, (SocketAddress)null!); });
        Assert.Throws<ArgumentNullException>(() => { socket.SendToAsync(buffer, (EndPoint)null!); });
        Assert.Throws<ArgumentNullException>(() => { socket.ReceiveBatchAsync(null!); });
        Assert.Throws<ArgumentNullException>(() => { socket.SendMessageAsync(buffer, null, null!); });
        Assert.Throws<ArgumentException>(() => { socket.ReceiveFromAsync(buffer, AnyPort.Serialize()); });
        Assert.Throws<ArgumentOutOfRangeException>(() => DatagramSocket.Open(SocketDomain.Unspecified));
        Assert.Throws<ArgumentException>(() => DatagramSocket.Bind(new DnsEndPoint("localhost", 1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => DatagramSocket.Open(SocketDomain.Inet, new DatagramOptions { SendBufferSize = -1 }));
        Assert.Throws<InvalidOperationException>(() => unix.TimeToLive = 1);
        Assert.Throws<InvalidOperationException>(() => unix.JoinGroup(IPAddress.Parse("239.1.1.1")));
        Assert.Throws<ArgumentOutOfRangeException>(() => socket.JoinGroup(IPAddress.Parse("ff02::1:1"), -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new DatagramBatch(0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new DatagramBatch(1025, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new DatagramBatch(1, 0));
        Assert.Throws<ArgumentException>(() => new DatagramBatch(buffer, 5));

        KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await socket.SendAsync(buffer));
        Assert.Equal((Errno.EDESTADDRREQ, "send", socket.FileDescriptor), (failure.Errno, failure.Call, failure.FileDescriptor));
        failure = await Assert.ThrowsAsync<KernelException>(async () => await socket.SendToAsync(new byte[70_000], AddressOf(socket)));
        Assert.Equal((Errno.EMSGSIZE, "sendmsg"), (failure.Errno, failure.Call));
        Assert.Equal(Errno.ECONNREFUSED, (await Assert.ThrowsAsync<KernelException>(async () => await unix.SendToAsync(buffer, NewAbstractName()))).Errno);
        Assert.Equal(Errno.ENOENT, (await Assert.ThrowsAsync<KernelException>(async () => await unix.SendToAsync(buffer, AddressOf("unix")))).Errno);
    });

    [Fact]
    public void A_call_that_fails_says_so_and_the_next_goes_well() => Run(async () =>
    {
        (DatagramSocket first, DatagramSocket second) = ConnectedPair("v4");
        using DatagramSocket a = first, b = second;
        byte[] buffer = new byte[4];
        Door.FailNext("Send", Errno.ENOBUFS);
        Assert.Equal(Errno.ENOBUFS, (await Assert.ThrowsAsync<KernelException>(async () => await a.SendAsync(buffer))).Errno);
        Door.FailNext("Send", Errno.EINTR);
        await a.SendAsync(buffer);
        Door.FailNext("Receive", Errno.EINTR);
        Assert.Equal(4, await b.ReceiveAsync(buffer));
        // Not ready after all: it waits again, and the edge that comes is enough.
        ValueTask<int> receive = b.ReceiveAsync(buffer);
        Door.FailNext("Receive", Errno.EAGAIN);
        await a.SendAsync(buffer);
        for (int i = 0; i < 4; i++)
            await EventLoop.Yield();
        Assert.False(receive.IsCompleted);
        await a.SendAsync(buffer.AsMemory(0, 2));
        Assert.Equal(4, await receive);
        Assert.Equal(2, await b.ReceiveAsync(buffer));
    });

    [Fact]
    public void A_receiver_that_never_waits_gives_way_to_its_neighbours() => Run(async () =>
    {
        (DatagramSocket first, DatagramSocket second) = DatagramSocket.CreatePair();
        using DatagramSocket a = first, b = second;
        // More than a task may do in one go.
        int turns = 0, most = EventLoop.Current!.Options.TaskOperationBudget * 3;
        bool ends = false;
        Task neighbour = EventLoop.Current!.Spawn(async () =>
        {
            while (!ends)
            {
                turns++;
                await EventLoop.Yield();
            }
        });
        byte[] buffer = new byte[8];
        for (int i = 0; i < most; i++)
        {
            await a.SendAsync(buffer);
            Assert.Equal(8, await b.ReceiveAsync(buffer));
        }

        ends = true;
        await neighbour;
        Assert.True(turns >= 3, $"The neighbour had {turns} turns.");
    });
}
