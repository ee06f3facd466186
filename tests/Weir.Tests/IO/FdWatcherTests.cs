using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Weir.Tests;

/// <summary>Lent descriptors, by number and by handle: the same behaviour.</summary>
public abstract class FdWatcherTests : LoopTests
{
    protected abstract FdWatcher Watch(int fd);

    [Fact]
    public void Waiting_follows_the_buffers_and_both_directions_can_be_cancelled()
        => Run(async loop =>
        {
            (int left, int right) = SocketPair();
            using FdWatcher watcher = Watch(left);
            await watcher.WaitWritableAsync();

            ValueTask readable = watcher.WaitReadableAsync();
            await Settle();
            Assert.False(readable.IsCompleted);
            Write(right, [1]);
            await readable;
            await watcher.WaitReadableAsync(); // still there
            Empty(left);

            Fill(left);
            ValueTask writable = watcher.WaitWritableAsync();
            await Settle();
            Assert.False(writable.IsCompleted);
            Empty(right);
            await writable;

            Fill(left);
            using var cancellation = new CancellationTokenSource();
            readable = watcher.WaitReadableAsync(cancellation.Token);
            writable = watcher.WaitWritableAsync(cancellation.Token);
            await Settle();
            cancellation.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await readable);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await writable);
            Assert.True(watcher.WaitReadableAsync(cancellation.Token).IsCanceled);
            Assert.Equal(0, loop.Statistics.Descriptors);
        });

    [Fact]
    public void The_room_that_a_peer_makes_is_seen_although_it_has_ended_its_own_side()
        => Run(async loop =>
        {
            (int left, int right) = SocketPair();
            using FdWatcher watcher = Watch(left);
            Fill(left);
            Assert.Equal(0, InnerKernel.Shutdown(right, ShutdownHow.Write));
            ValueTask writable = watcher.WaitWritableAsync();
            await Settle();
            Assert.False(writable.IsCompleted);
            Empty(right);
            await writable;
        });

    [Fact]
    public void A_second_reader_is_refused_and_the_first_is_untouched()
        => Run(async loop =>
        {
            (int left, int right) = SocketPair();
            using FdWatcher first = Watch(left), second = Watch(left);
            ValueTask wait = first.WaitReadableAsync();
            Assert.Throws<BusyResourceException>(() => { _ = first.WaitReadableAsync(); });
            BusyResourceException failure = Assert.Throws<BusyResourceException>(() => { _ = second.WaitReadableAsync(); });
            Assert.Contains("reading", failure.Message);
            await Settle();
            Assert.False(wait.IsCompleted);
            Write(right, [1]);
            await wait;
            await second.WaitReadableAsync();
        });

    [Fact]
    public void A_second_writer_is_refused_and_the_first_is_untouched()
        => Run(async loop =>
        {
            (int left, int right) = SocketPair();
            Fill(left);
            using FdWatcher first = Watch(left), second = Watch(left);
            ValueTask wait = first.WaitWritableAsync();
            Assert.Throws<BusyResourceException>(() => { _ = first.WaitWritableAsync(); });
            BusyResourceException failure = Assert.Throws<BusyResourceException>(() => { _ = second.WaitWritableAsync(); });
            Assert.Contains("writing", failure.Message);
            await Settle();
            Assert.False(wait.IsCompleted);
            Empty(right);
            await wait;
        });

    [Fact]
    public void A_reader_and_a_writer_of_one_descriptor_wake_in_this_order()
        => Run(async loop =>
        {
            (int left, int right) = SocketPair();
            Fill(left);
            using FdWatcher watcher = Watch(left);
            List<string> order = [];
            Task reader = Reader(), writer = Writer();
            await Settle();
            Assert.Empty(order);
            Write(right, [1]);
            Empty(right);
            await Task.WhenAll(reader, writer);
            Assert.Equal(["read", "write"], order);

            async Task Reader()
            {
                await watcher.WaitReadableAsync();
                order.Add("read");
            }

            async Task Writer()
            {
                await watcher.WaitWritableAsync();
                order.Add("write");
            }
        });

    [Fact]
    public void A_reader_that_wakes_leaves_the_writer_waiting_and_the_other_way_round()
        => Run(async loop =>
        {
            (int left, int right) = SocketPair();
            Fill(left);
            using FdWatcher watcher = Watch(left);
            ValueTask writable = watcher.WaitWritableAsync();
            for (int i = 0; i < 3; i++)
            {
                ValueTask readable = watcher.WaitReadableAsync();
                Write(right, [1]);
                await readable;
                Empty(left);
                Assert.False(writable.IsCompleted);
            }

            ValueTask last = watcher.WaitReadableAsync();
            Empty(right);
            await writable;
            Assert.False(last.IsCompleted);
            Write(right, [1]);
            await last;
        });

    [Fact]
    public void A_megabyte_streams_in_both_directions_at_once()
        => Run(async loop =>
        {
            const int Size = 1 << 20;
            (int left, int right) = SocketPair();
            using FdWatcher leftWatcher = Watch(left), rightWatcher = Watch(right);
            Task<long> leftTotal = Receive(leftWatcher, left), rightTotal = Receive(rightWatcher, right);
            await Task.WhenAll(Send(leftWatcher, left, 3), Send(rightWatcher, right, 5));
            Assert.Equal(5L * Size, await leftTotal);
            Assert.Equal(3L * Size, await rightTotal);

            async Task Send(FdWatcher watcher, int fd, byte value)
            {
                byte[] data = new byte[Size];
                Array.Fill(data, value);
                for (int sent = 0; sent < Size;)
                {
                    int count = Write(fd, data.AsSpan(sent));
                    if (count > 0)
                        sent += count;
                    else
                        await watcher.WaitWritableAsync();
                }
            }

            async Task<long> Receive(FdWatcher watcher, int fd)
            {
                long sum = 0;
                byte[] buffer = new byte[5000];
                for (int received = 0; received < Size;)
                {
                    int count = Read(fd, buffer);
                    for (int i = 0; i < count; i++)
                        sum += buffer[i];
                    if (count > 0)
                        received += count;
                    else
                        await watcher.WaitReadableAsync();
                }

                return sum;
            }
        });

    [Fact]
    public virtual void What_cannot_be_polled_and_what_is_not_open_give_errors()
        => Run(async loop =>
        {
            int file = Keep(Open("/proc/self/exe"));
            using FdWatcher regular = Watch(file);
            KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await regular.WaitReadableAsync());
            Assert.Equal(Errno.EPERM, failure.Errno);
            Assert.Equal(file, failure.FileDescriptor);
            Assert.Contains("cannot be polled", failure.Message);
            int closed = PrivateDuplicate(EventFd());
            using FdWatcher gone = Watch(closed);
            Close(closed);
            Assert.Equal(Errno.EBADF, (await Assert.ThrowsAsync<KernelException>(async () => await gone.WaitWritableAsync())).Errno);
            Assert.Equal(0, loop.Statistics.Descriptors);
            Assert.Throws<ArgumentOutOfRangeException>(() => { _ = gone.WaitAsync(EpollEvents.None); });
            Assert.Throws<ArgumentOutOfRangeException>(() => { _ = gone.WaitAsync(EpollEvents.In | EpollEvents.EdgeTriggered); });
        });

    [Fact]
    public void Statistics_count_who_waits()
        => Run(async loop =>
        {
            (int a, int b) = SocketPair();
            (int c, _) = SocketPair();
            int[] fds = [a, b, c];
            foreach (int fd in fds)
                Fill(fd);
            using var cancellation = new CancellationTokenSource();
            List<Task> waits = [];
            foreach (int fd in fds)
                waits.Add(Watch(fd).WaitAsync(EpollEvents.Pri, cancellation.Token).AsTask());
            waits.Add(Watch(a).WaitWritableAsync(cancellation.Token).AsTask());
            waits.Add(Watch(b).WaitWritableAsync(cancellation.Token).AsTask());
            await Settle();
            LoopStatistics during = loop.Statistics;
            Assert.Equal((3, 2, 3), (during.WaitingReaders, during.WaitingWriters, during.Descriptors));
            cancellation.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.WhenAll(waits));
            LoopStatistics after = loop.Statistics;
            Assert.Equal((0, 0, 0), (after.WaitingReaders, after.WaitingWriters, after.Descriptors));
        });

    [Fact]
    public void The_end_of_the_other_side_wakes_both_directions()
        => Run(async loop =>
        {
            (int left, int right) = SocketPair();
            Fill(left);
            using FdWatcher watcher = Watch(left);
            ValueTask readable = watcher.WaitReadableAsync(), writable = watcher.WaitWritableAsync();
            await Settle();
            Close(right);
            await readable;
            await writable;
            Assert.Equal(EpollEvents.Hup, await watcher.WaitAsync(EpollEvents.In) & EpollEvents.Hup);
        });

    [ThreadedFact]
    public void Members_are_for_the_loops_thread()
        => Run(async loop =>
        {
            using FdWatcher watcher = Watch(EventFd());
            await Task.Run(() =>
            {
                Assert.Throws<InvalidOperationException>(() => { _ = watcher.WaitReadableAsync(); });
                Assert.Throws<InvalidOperationException>(watcher.NotifyClosing);
                Assert.Throws<InvalidOperationException>(watcher.Dispose);
                Assert.Throws<InvalidOperationException>(() => watcher.Clear(EpollEvents.In));
            });
        });

    [Fact]
    public void An_eventfd_is_waited_for_again_and_again_and_a_wait_is_cancelled_once()
        => Run(async loop =>
        {
            int fd = EventFd();
            using FdWatcher watcher = Watch(fd);
            byte[] value = new byte[8];
            for (ulong i = 1; i <= 3; i++)
            {
                ValueTask<int> wait = watcher.WaitAndReadAsync(value);
                await Settle();
                Assert.False(wait.IsCompleted);
                Signal(fd, i);
                Assert.Equal(8, await wait);
                Assert.Equal(i, BitConverter.ToUInt64(value));
            }

            using var cancellation = new CancellationTokenSource();
            ValueTask<int> last = watcher.WaitAndReadAsync(value, cancellation.Token);
            cancellation.Cancel();
            cancellation.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await last);
            Signal(fd, 9);
            Assert.Equal(8, await watcher.WaitAndReadAsync(value)); // no signal was lost to the cancelled wait
        });

    [ThreadedFact]
    public void Cancelling_while_the_signal_comes_neither_loses_a_signal_nor_a_wait()
        => Run(async loop =>
        {
            const int Rounds = 300;
            int fd = EventFd();
            using FdWatcher watcher = Watch(fd);
            byte[] value = new byte[8];
            ulong total = 0;
            for (int i = 0; i < Rounds; i++)
            {
                using var cancellation = new CancellationTokenSource();
                Task signaller = Task.Run(() => Signal(fd)), canceller = Task.Run(cancellation.Cancel);
                try
                {
                    await watcher.WaitAndReadAsync(value, cancellation.Token);
                    total += BitConverter.ToUInt64(value);
                }
                catch (OperationCanceledException)
                {
                }

                await Task.WhenAll(signaller, canceller);
            }

            if (total < Rounds)
                total += Drain(fd);
            Assert.Equal((ulong)Rounds, total);
            Assert.Equal(0, loop.Statistics.Descriptors);
        });

    private unsafe int Open(string path)
    {
        fixed (byte* bytes = System.Text.Encoding.UTF8.GetBytes(path + "\0"))
            return InnerKernel.Open(bytes, FileFlags.ReadOnly | FileFlags.CloseOnExec, 0);
    }
}

public class FdWatcherByNumberTests : FdWatcherTests
{
    protected override FdWatcher Watch(int fd) => new(fd);
}

public class FdWatcherByHandleTests : FdWatcherTests
{
    protected override FdWatcher Watch(int fd) => new(new SafeFileHandle(fd, ownsHandle: false));

    [Fact]
    public void A_handle_that_is_closed_or_no_handle_is_refused()
        => Run(async loop =>
        {
            (int left, int _) = SocketPair();
            var handle = new SafeFileHandle(left, ownsHandle: false);
            using var watcher = new FdWatcher(handle);
            await watcher.WaitWritableAsync();
            handle.Dispose();
            Assert.Throws<ObjectDisposedException>(() => { _ = watcher.WaitWritableAsync(); });
            Assert.Throws<ObjectDisposedException>(() => new FdWatcher(handle));
            Assert.Throws<ArgumentNullException>(() => new FdWatcher((SafeHandle)null!));
            Assert.Throws<ObjectDisposedException>(() => new FdWatcher(new SafeFileHandle(-1, ownsHandle: false)));
            Assert.Throws<ArgumentOutOfRangeException>(() => new FdWatcher(-1));
        });
}
