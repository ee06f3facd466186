using System.Net;
using System.Runtime.InteropServices;
using Weir.Net;

namespace Weir.Tests;

public class OwnedFdWatcherTests : LoopTests
{
    [Fact]
    public void Readiness_is_remembered_until_it_is_cleared()
        => Run(async loop =>
        {
            (int left, int right) = SocketPair();
            using var watcher = new FdWatcher(HandOver(left), FdOwnership.Owned);
            await watcher.WaitWritableAsync();
            Assert.Equal(EpollEvents.Out, watcher.Readiness);
            Write(right, [1]);
            await watcher.WaitReadableAsync();
            Assert.Equal(EpollEvents.In | EpollEvents.Out, watcher.Readiness);
            Empty(left);
            Assert.True(watcher.WaitReadableAsync().IsCompletedSuccessfully); // nobody has told it
            watcher.Clear(EpollEvents.In);
            Assert.Equal(EpollEvents.Out, watcher.Readiness);
            ValueTask wait = watcher.WaitReadableAsync();
            await Settle();
            Assert.False(wait.IsCompleted);
            Write(right, [1]);
            await wait;
        });

    [Fact]
    public virtual void It_is_registered_once_and_waits_cost_no_further_call()
        => Run(async loop =>
        {
            (int left, int right) = SocketPair();
            long before = Kernel.Count(nameof(Weir.Kernel.EpollCtl));
            using var watcher = new FdWatcher(HandOver(left), FdOwnership.Owned);
            for (int i = 0; i < 10; i++)
            {
                watcher.Clear(EpollEvents.In);
                ValueTask wait = watcher.WaitReadableAsync();
                Write(right, [1]);
                await wait;
                Empty(left);
            }

            Assert.Equal(before + 1, Kernel.Count(nameof(Weir.Kernel.EpollCtl)));
        });

    [Fact]
    public void The_end_of_the_peers_sending_and_of_the_peer_are_told_apart()
        => Run(async loop =>
        {
            (int left, int right) = SocketPair();
            using var watcher = new FdWatcher(HandOver(left), FdOwnership.Owned, EpollEvents.RdHup);
            ValueTask<EpollEvents> wait = watcher.WaitAsync(EpollEvents.RdHup);
            await Settle();
            Assert.False(wait.IsCompleted);
            Assert.Equal(0, InnerKernel.Shutdown(right, ShutdownHow.Write));
            Assert.Equal(EpollEvents.RdHup, await wait);
            watcher.Clear(EpollEvents.RdHup);
            Close(right);
            Assert.Equal(EpollEvents.RdHup | EpollEvents.Hup, await watcher.WaitAsync(EpollEvents.RdHup));
        });

    [Fact]
    public virtual void Urgent_data_is_waited_for_by_itself()
        => Run(async loop =>
        {
            using Listener listener = Listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            ValueTask<Connection> accepting = listener.AcceptAsync();
            using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
            using Connection server = await accepting;
            int fd = PrivateDuplicate(server.FileDescriptor);
            using var watcher = new FdWatcher(HandOver(fd), FdOwnership.Owned, EpollEvents.Pri | EpollEvents.In);
            ValueTask<EpollEvents> urgent = watcher.WaitAsync(EpollEvents.Pri);
            await client.WriteAsync(new byte[1]);
            await server.WaitForDataAsync();
            await Settle();
            Assert.False(urgent.IsCompleted);
            SendUrgent(client.FileDescriptor);

            Assert.Equal(EpollEvents.Pri, await urgent);
        });

    [Fact]
    public void A_wait_for_what_is_not_watched_is_refused()
        => Run(loop =>
        {
            using var watcher = new FdWatcher(HandOver(EventFd()), FdOwnership.Owned, EpollEvents.In);
            Assert.Throws<ArgumentException>(() => { _ = watcher.WaitWritableAsync(); });
            Assert.Throws<ArgumentOutOfRangeException>(() => new FdWatcher(0, FdOwnership.Owned, EpollEvents.None));
            return Task.CompletedTask;
        });

    [Fact]
    public virtual void A_descriptor_that_cannot_be_polled_is_refused_at_once_and_stays_the_callers()
        => Run(loop =>
        {
            Kernel.FailNext(nameof(Weir.Kernel.EpollCtl), Errno.EPERM);
            int fd = EventFd();
            Assert.Equal(Errno.EPERM, Assert.Throws<KernelException>(() => new FdWatcher(fd, FdOwnership.Owned)).Errno);
            Assert.Equal(0, loop.Statistics.Descriptors);
            Signal(fd);
            return Task.CompletedTask;
        });

    [Fact]
    public void An_eventfd_pends_is_signalled_pends_again_and_is_cancelled()
        => Run(async loop =>
        {
            int fd = HandOver(EventFd());
            using var watcher = new FdWatcher(fd, FdOwnership.Owned, EpollEvents.In);
            byte[] value = new byte[8];
            for (int i = 0; i < 3; i++)
            {
                ValueTask<int> wait = watcher.WaitAndReadAsync(value);
                await Settle();
                Assert.False(wait.IsCompleted);
                Signal(fd);
                Assert.Equal(8, await wait);
            }

            using var cancellation = new CancellationTokenSource();
            ValueTask<int> cancelled = watcher.WaitAndReadAsync(value, cancellation.Token);
            cancellation.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await cancelled);
            ValueTask<int> next = watcher.WaitAndReadAsync(value);
            await Settle();
            Assert.False(next.IsCompleted);
            Signal(fd);
            Assert.Equal(8, await next);
        });

    [Fact]
    public void A_timerfd_is_waited_for_and_read()
        => Run(async loop =>
        {
            int fd = InnerKernel.TimerFdCreate(ClockId.Monotonic);
            using var watcher = new FdWatcher(fd, FdOwnership.Owned, EpollEvents.In);
            long start = loop.Now;
            StartTimer(fd, 1_000_000);

            byte[] value = new byte[8];
            ulong expiries = 0;
            while (expiries < 3)
            {
                Assert.Equal(8, await watcher.WaitAndReadAsync(value));
                expiries += BitConverter.ToUInt64(value);
            }

            Assert.True(loop.Now - start >= 3_000_000);
        });

    [Fact]
    public void Disposing_ends_waits_and_closes_the_descriptor()
        => Run(async loop =>
        {
            int fd = HandOver(PrivateDuplicate(EventFd()));
            var watcher = new FdWatcher(fd, FdOwnership.Owned, EpollEvents.In);
            ValueTask wait = watcher.WaitReadableAsync();
            watcher.Dispose();
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await wait);
            Assert.Equal(-(int)Errno.EBADF, InnerKernel.Fcntl(fd, FcntlCommand.GetDescriptorFlags, 0));
        });

    [Fact]
    public void A_handle_handed_over_is_disposed_with_the_watcher_and_survives_the_loops_end_without_it()
    {
        var kept = new KernelHandle(InnerKernel, HandOver(EventFd()));
        using (kept)
        {
            Run(loop =>
            {
                var handle = new KernelHandle(InnerKernel, HandOver(EventFd()));
                new FdWatcher(handle, FdOwnership.Owned, EpollEvents.In).Dispose();
                Assert.True(handle.IsClosed);
                _ = new FdWatcher(kept, FdOwnership.Owned, EpollEvents.In);
                return Task.CompletedTask;
            });
            Signal((int)kept.DangerousGetHandle()); // its own handle closes it
        }
    }

    [Fact]
    public void NotifyClosing_gives_the_descriptor_back()
        => Run(async loop =>
        {
            int fd = EventFd();
            var watcher = new FdWatcher(fd, FdOwnership.Owned, EpollEvents.In);
            ValueTask wait = watcher.WaitReadableAsync();
            watcher.NotifyClosing();
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await wait);
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await watcher.WaitReadableAsync());
            watcher.Dispose();
            Signal(fd); // still open: it is ours again
            Assert.Equal(0, loop.Statistics.Descriptors);
        });

    [ThreadedFact]
    public virtual void A_registration_that_cannot_be_removed_and_fires_on_and_on_makes_the_loop_build_a_fresh_set()
        => Run(async loop =>
        {
            int living = Haunt();
            (int read, int write) = Pipe();
            (int left, int right) = SocketPair();
            int neighbourFd = HandOver(EventFd());
            using var neighbour = new FdWatcher(neighbourFd, FdOwnership.Owned, EpollEvents.In);
            using FdWatcher lent = new(read), idle = new(left);
            await idle.WaitWritableAsync(); // a registration that is switched off
            ValueTask lentWait = lent.WaitReadableAsync();
            ValueTask<int> neighbourWait = neighbour.WaitAndReadAsync(new byte[8]);
            for (int i = 0; loop.Statistics.Rebuilds == 0; i++)
            {
                Assert.True(i < 1000, "No fresh set after a thousand ghosts.");
                Signal(living);
                await EventLoop.Yield();
            }

            // The ghost is gone, the others go on, and so do wake-ups.
            long ghosts = loop.Statistics.GhostEvents;
            Signal(living);
            await Settle();
            Assert.Equal(ghosts, loop.Statistics.GhostEvents);
            Assert.False(lentWait.IsCompleted || neighbourWait.IsCompleted);
            Write(write, [1]);
            Signal(neighbourFd);
            await lentWait;
            Assert.Equal(8, await neighbourWait);
            ValueTask idleWait = idle.WaitReadableAsync();
            Write(right, [1]);
            await idleWait;
            var posted = new TaskCompletionSource();
            Task other = OnThread(() =>
            {
                UntilAsleep(loop);
                loop.Post(posted.SetResult);
            });
            await posted.Task;
            await other;
            Assert.Equal(1, loop.Statistics.Rebuilds);
        });

    [Theory]
    [InlineData(nameof(Weir.Kernel.EpollCreate1))]
    [InlineData(nameof(Weir.Kernel.EpollCtl))]
    public virtual void Without_a_descriptor_for_a_fresh_set_the_old_one_serves_on(string call)
        => Run(async loop =>
        {
            int living = Haunt();
            await Settle();
            Kernel.FailNext(call, Errno.EMFILE);
            for (int i = 0; loop.Statistics.Rebuilds == 0; i++)
            {
                Assert.True(i < 1000, "No second try.");
                Signal(living);
                await EventLoop.Yield();
            }

            Assert.True(loop.Statistics.GhostEvents >= 128);
        });

    [Fact]
    public void After_the_end_of_its_loop_it_can_be_disposed_and_its_handle_is_with_it()
    {
        FdWatcher? owned = null, ownedNumber = null, lent = null;
        var handle = new KernelHandle(InnerKernel, HandOver(EventFd()));
        Run(loop =>
        {
            owned = new FdWatcher(handle, FdOwnership.Owned, EpollEvents.In);
            ownedNumber = new FdWatcher(HandOver(EventFd()), FdOwnership.Owned, EpollEvents.In);
            lent = new FdWatcher(EventFd());
            return Task.CompletedTask;
        });
        Assert.False(handle.IsClosed);
        owned!.Dispose();
        ownedNumber!.Dispose();
        lent!.Dispose();
        Assert.True(handle.IsClosed);
    }

    [Fact]
    public virtual void Without_room_for_all_registrations_in_a_fresh_set_the_old_one_serves_on()
        => Run(async loop =>
        {
            int neighbourFd = HandOver(EventFd());
            using var neighbour = new FdWatcher(neighbourFd, FdOwnership.Owned, EpollEvents.In); // nobody waits on it meanwhile
            int living = Haunt();
            await Settle();
            Kernel.FailAt(nameof(Weir.Kernel.EpollCtl), 2, Errno.ENOSPC); // the first of a fresh set is what wakes the loop
            for (int i = 0; loop.Statistics.Rebuilds == 0; i++)
            {
                Assert.True(i < 1000, "No second try.");
                Signal(living);
                await EventLoop.Yield();
            }

            Assert.True(loop.Statistics.GhostEvents >= 128);
            Signal(neighbourFd);
            Assert.Equal(8, await neighbour.WaitAndReadAsync(new byte[8]));
        });

    [Fact]
    public virtual void Registrations_left_behind_that_fire_once_each_are_no_reason_for_a_fresh_set()
        => Run(async loop =>
        {
            for (int i = 1; i <= 100; i++)
            {
                int living = EventFd(), gone = PrivateDuplicate(living);
                using var watcher = new FdWatcher(gone);
                using var cancellation = new CancellationTokenSource();
                ValueTask wait = watcher.WaitReadableAsync(cancellation.Token);
                Close(gone);
                cancellation.Cancel();
                await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await wait);
                Signal(living);
                await Settle();
                Assert.Equal(i, loop.Statistics.GhostEvents);
            }

            Assert.Equal(0, loop.Statistics.Rebuilds);
        });

    [Fact]
    public void A_descriptor_that_was_lent_before_can_be_handed_over()
        => Run(async loop =>
        {
            int fd = HandOver(EventFd(1));
            using (var lent = new FdWatcher(fd))
                await lent.WaitReadableAsync();
            using var owned = new FdWatcher(fd, FdOwnership.Owned, EpollEvents.In);
            Assert.Equal(8, await owned.WaitAndReadAsync(new byte[8]));
            for (int i = 0; i < 3; i++)
            {
                ValueTask<int> read = owned.WaitAndReadAsync(new byte[8]);
                await Settle();
                Assert.False(read.IsCompleted);
                Signal(fd);
                Assert.Equal(8, await read);
            }
        });

    [Fact]
    public virtual void A_descriptor_that_the_loop_watches_already_is_not_handed_over_again()
        => Run(loop =>
        {
            int fd = HandOver(EventFd());
            using var owned = new FdWatcher(fd, FdOwnership.Owned, EpollEvents.In);
            KernelException refused = Assert.Throws<KernelException>(() => new FdWatcher(fd, FdOwnership.Owned, EpollEvents.In));
            Assert.Equal(Errno.EEXIST, refused.Errno);
            return Task.CompletedTask;
        });

    private unsafe void SendUrgent(int fd)
    {
        byte mark = 7;
        Assert.Equal(1, InnerKernel.Send(fd, &mark, 1, MessageFlags.OutOfBand));
    }

    private unsafe void StartTimer(int fd, long period)
    {
        var spec = new TimerSpec { Value = TimeSpec.FromNanoseconds(period), Interval = TimeSpec.FromNanoseconds(period) };
        Assert.Equal(0, InnerKernel.TimerFdSetTime(fd, &spec, 0));
    }

    /// <summary>An edge-triggered registration whose number is gone; returns another number of its file.</summary>
    private int Haunt()
    {
        int living = EventFd(), gone = PrivateDuplicate(living);
        var watcher = new FdWatcher(gone, FdOwnership.Owned, EpollEvents.In);
        Close(gone);
        watcher.Dispose();
        return living;
    }

    /// <summary>A handle that closes where the descriptor is: the framework's own would close that number of the real kernel.</summary>
    private sealed class KernelHandle : SafeHandle
    {
        private readonly Kernel _kernel;

        internal KernelHandle(Kernel kernel, int fd)
            : base(-1, ownsHandle: true)
        {
            _kernel = kernel;
            SetHandle(fd);
        }

        public override bool IsInvalid => handle == -1;

        protected override bool ReleaseHandle() => _kernel.Close((int)handle) == 0;
    }
}
