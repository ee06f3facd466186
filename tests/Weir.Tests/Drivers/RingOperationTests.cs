namespace Weir.Tests;

/// <summary>Operations of io_uring on a loop, whosever ring it is.</summary>
public abstract class RingOperationTests : LoopTests
{
    protected virtual DriverKind Driver => DriverKind.Epoll;

    protected override LoopOptions Options(Action<LoopOptions>? configure = null) => base.Options(options =>
    {
        options.Driver = Driver;
        configure?.Invoke(options);
    });

    // Waits in the ring: io_uring tells EAGAIN only of descriptors that are O_NONBLOCK.
    protected unsafe (int Read, int Write) BlockingPipe()
    {
        int* fds = stackalloc int[2];
        Assert.Equal(0, InnerKernel.Pipe2(fds, FileFlags.CloseOnExec));
        return (Keep(fds[0]), Keep(fds[1]));
    }

    internal sealed class Request : RingOperation
    {
        private readonly RingOperations _ring;
        private readonly byte[] _memory = GC.AllocateArray<byte>(16, pinned: true);

        internal Request(EventLoop loop, IoUringOp op, int fd = -1)
            : base(loop.Queue)
        {
            _ring = loop.OperationsFor(op);
            Entry.Op = op;
            Entry.Descriptor = fd;
            if (op == IoUringOp.Read)
            {
                Entry.Address = (ulong)System.Runtime.InteropServices.Marshal.UnsafeAddrOfPinnedArrayElement(_memory, 0);
                Entry.Length = 16;
                Entry.Offset = ulong.MaxValue;
            }
        }

        internal ReadOnlySpan<byte> Memory => _memory;

        internal int Completions { get; private set; }

        internal ValueTask<int> Start(CancellationToken cancellation = default)
        {
            Begin();
            Park();
            _ring.Start(this);
            return AsValueTask(cancellation);
        }

        internal override void Completed(int result)
        {
            Completions++;
            End(result);
        }

        protected override bool TryFinish() => false;

        protected override void CancelOnLoop() => _ring.Cancel(this);

        protected override Exception ToException(int result, CancellationToken cancellation)
            => result == -(int)Errno.ECANCELED ? new OperationCanceledException(cancellation) : new KernelException("request", Entry.Descriptor, (Errno)(-result));
    }

    [IoUringFact]
    public void A_loop_that_asks_for_nothing_has_no_ring()
    {
        if (Driver != DriverKind.Epoll)
            return;
        Run(async loop => await loop.Delay(TimeSpan.FromMilliseconds(1)));
        Assert.Equal(0, Kernel.Count(nameof(Weir.Kernel.IoUringSetup)));
    }

    [IoUringFact]
    public void What_a_turn_starts_goes_to_the_kernel_in_one_call()
        => Run(async loop =>
        {
            Assert.Equal(0, await new Request(loop, IoUringOp.Nop).Start());
            Kernel.Reset();
            Request[] requests = [.. Enumerable.Range(0, 100).Select(_ => new Request(loop, IoUringOp.Nop))];
            await Task.WhenAll(requests.Select(request => request.Start().AsTask()));
            Assert.Equal(1, Kernel.Count(nameof(Weir.Kernel.IoUringEnter)));
            Assert.All(requests, request => Assert.Equal(1, request.Completions));
        });

    [IoUringFact]
    public void More_than_either_queue_holds_are_started_at_once()
        => Run(async loop =>
        {
            Request[] requests = [.. Enumerable.Range(0, 10_000).Select(_ => new Request(loop, IoUringOp.Nop))];
            await Task.WhenAll(requests.Select(request => request.Start().AsTask()));
            Assert.All(requests, request => Assert.Equal(1, request.Completions));
        });

    // They wait in the kernel, and then complete all at once: more than the queue of completions holds.
    [IoUringFact]
    public void More_completions_than_the_queue_holds_come_at_once()
        => Run(async loop =>
        {
            int fd = EventFd();
            Request[] polls = [.. Enumerable.Range(0, 9000).Select(_ => new Request(loop, IoUringOp.PollAdd, fd) { Entry = { OperationFlags = (uint)EpollEvents.In } })];
            Task<int>[] waits = [.. polls.Select(poll => poll.Start().AsTask())];
            await Settle();
            Assert.DoesNotContain(waits, wait => wait.IsCompleted);
            Signal(fd);
            await Task.WhenAll(waits);
            Assert.All(polls, poll => Assert.Equal(1, poll.Completions));
        });

    [IoUringFact]
    public void A_completion_wakes_a_loop_that_sleeps()
        => Run(async loop =>
        {
            (int read, int write) = BlockingPipe();
            var request = new Request(loop, IoUringOp.Read, read);
            ValueTask<int> wait = request.Start();
            Task writer = OnThread(() =>
            {
                UntilAsleep(loop);
                Write(write, [1, 2, 3]);
            });
            Assert.Equal(3, await wait);
            Assert.Equal([1, 2, 3], request.Memory[..3].ToArray());
            await writer;
        });

    [IoUringFact]
    public void A_cancelled_operation_completes_when_the_kernel_says_so()
        => Run(async loop =>
        {
            (int read, int write) = BlockingPipe();
            using var source = new CancellationTokenSource();
            var request = new Request(loop, IoUringOp.Read, read);
            ValueTask<int> wait = request.Start(source.Token);
            await Settle();
            source.Cancel();
            Assert.Equal(0, request.Completions);
            OperationCanceledException cancelled = await Assert.ThrowsAsync<OperationCanceledException>(async () => await wait);
            Assert.Equal(source.Token, cancelled.CancellationToken);
            Assert.Equal(1, request.Completions);
            Write(write, [7]); // what comes later is still there
            Assert.Equal(1, await request.Start());
            Assert.Equal(7, request.Memory[0]);
        });

    [IoUringFact]
    public void Cancelled_before_it_was_submitted_or_after_its_bytes_came_it_completes_once()
        => Run(async loop =>
        {
            (int read, int write) = BlockingPipe();
            using var early = new CancellationTokenSource();
            var request = new Request(loop, IoUringOp.Read, read);
            ValueTask<int> wait = request.Start(early.Token);
            early.Cancel(); // in the same turn
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await wait);

            using var late = new CancellationTokenSource();
            wait = request.Start(late.Token);
            await Settle();
            Write(write, [7]);
            late.Cancel();
            try
            {
                Assert.Equal(1, await wait);
            }
            catch (OperationCanceledException)
            {
                // Where completions wait until the ring is entered, the cancellation may come first: then nothing was taken.
                Assert.Equal(2, request.Completions);
                Assert.Equal(1, await request.Start());
            }

            Assert.Equal(7, request.Memory[0]);
        });

    [IoUringFact]
    public void At_the_loops_end_what_is_in_flight_is_cancelled_and_waited_for()
    {
        (int read, int _) = BlockingPipe();
        Request[] requests = [];
        var waits = new List<Task<int>>();
        Run(async loop =>
        {
            requests = [.. Enumerable.Range(0, 50).Select(_ => new Request(loop, IoUringOp.Read, read))];
            foreach (Request request in requests)
                waits.Add(request.Start().AsTask());
            await Settle();
        });
        Assert.All(requests, request => Assert.Equal(1, request.Completions));
        Assert.All(waits, wait => Assert.True(wait.IsCompleted));
    }

    [IoUringFact]
    public void What_is_never_submitted_before_the_end_is_told_too()
    {
        (int read, int _) = BlockingPipe();
        Request? request = null;
        Run(loop =>
        {
            request = new Request(loop, IoUringOp.Read, read);
            _ = request.Start().AsTask();
            return Task.CompletedTask;
        });
        Assert.Equal(1, request!.Completions);
    }
}

/// <summary>The same in the ring of a loop that waits on io_uring itself.</summary>
public sealed class RingOperationOnUringDriverTests : RingOperationTests
{
    protected override DriverKind Driver => DriverKind.Auto;
}

/// <summary>In a ring inside an epoll loop, and what only that can meet.</summary>
public sealed class LoopRingTests : RingOperationTests
{
    [IoUringTheory]
    [InlineData(Errno.EAGAIN, 5)]
    [InlineData(Errno.EBUSY, 5)]
    [InlineData(Errno.EINTR, 20)]
    public void A_passing_refusal_is_tried_again(Errno errno, int times)
        => Run(async loop =>
        {
            var request = new Request(loop, IoUringOp.Nop);
            Kernel.FailNext(nameof(Weir.Kernel.IoUringEnter), errno, times);
            Assert.Equal(0, await request.Start());
            Assert.Equal(1, request.Completions);
        });

    [IoUringTheory]
    [InlineData(Errno.ENOMEM, 1)]
    [InlineData(Errno.EAGAIN, 128)]
    public void A_lasting_refusal_fails_what_was_not_taken_and_nothing_else(Errno errno, int times)
        => Run(async loop =>
        {
            (int read, int write) = BlockingPipe();
            var taken = new Request(loop, IoUringOp.Read, read);
            ValueTask<int> wait = taken.Start();
            await Settle();
            Request[] refused = [new(loop, IoUringOp.Nop), new(loop, IoUringOp.Nop)];
            Kernel.Reset();
            Kernel.FailNext(nameof(Weir.Kernel.IoUringEnter), errno, times);
            Task<int>[] waits = [.. refused.Select(request => request.Start().AsTask())];
            foreach (Task<int> one in waits)
                Assert.Equal(errno, (await Assert.ThrowsAsync<KernelException>(() => one)).Errno);
            while (Kernel.Count(nameof(Weir.Kernel.IoUringEnter)) < times)
                await Assert.ThrowsAsync<KernelException>(async () => await refused[0].Start());
            Assert.Equal(0, await refused[1].Start());
            Write(write, [1]);
            Assert.Equal(1, await wait);
            Assert.Equal(1, taken.Completions);
        });

    [ThreadedFact]
    public void The_ring_moves_to_a_fresh_epoll_set()
    {
        if (IoUring.WhyNot != null)
            return;
        Run(async loop =>
        {
            (int read, int write) = BlockingPipe();
            var request = new Request(loop, IoUringOp.Read, read);
            ValueTask<int> wait = request.Start();
            await Settle();
            await Rebuild(loop);
            Task writer = OnThread(() =>
            {
                UntilAsleep(loop);
                Write(write, [1, 2]);
            });
            Assert.Equal(2, await wait);
            await writer;
        });
    }

    [ThreadedFact]
    public void A_ring_that_cannot_move_is_waited_for_and_replaced_by_threads()
    {
        if (IoUring.WhyNot != null)
            return;
        Run(async loop =>
        {
            (int read, int write) = BlockingPipe();
            var request = new Request(loop, IoUringOp.Read, read);
            ValueTask<int> wait = request.Start();
            Write(write, [1, 2]);
            string path = Path.GetTempFileName();
            AsyncFile registered = await AsyncFile.OpenAsync(path);
            for (int i = 0; i < 20; i++)
                Assert.Equal(0, await registered.ReadAsync(new byte[1], 0));
            // The first ADD into the fresh set is the wake-up's, the second the ring's: its slot is the first.
            await Rebuild(loop, failSecondAdd: true);
            Assert.Equal(2, await wait);
            Assert.Null(loop.Driver.RingOperations);
            await using (AsyncFile file = await AsyncFile.OpenAsync(path))
                Assert.Equal("threads", loop.Statistics.FileBackend);
            Assert.Equal(0, await registered.ReadAsync(new byte[1], 0)); // its place has gone with the ring
            await registered.CloseAsync();
            File.Delete(path);
        });
    }

    // A registration that cannot be removed and fires on and on: its number is closed, a duplicate lives.
    private async Task Rebuild(EventLoop loop, bool failSecondAdd = false)
    {
        int living = EventFd(), number = PrivateDuplicate(living);
        var watcher = new FdWatcher(number, FdOwnership.Owned, EpollEvents.In);
        Close(number);
        watcher.Dispose();
        for (int i = 0; loop.Statistics.Rebuilds == 0; i++)
        {
            Assert.True(i < 1000, "No fresh set after a thousand ghosts.");
            if (failSecondAdd)
                Armed = true;
            Signal(living);
            await EventLoop.Yield();
        }
    }

    private bool Armed { get; set; }

    protected override CountingKernel MakeKernel() => new SecondAddKernel(InnerKernel, () => Armed);

    private sealed unsafe class SecondAddKernel(Kernel inner, Func<bool> armed) : CountingKernel(inner)
    {
        private int _fresh = -1;
        private int _adds;

        public override int EpollCreate1(FileFlags flags)
        {
            int result = base.EpollCreate1(flags);
            _fresh = armed() ? result : -1;
            _adds = 0;
            return result;
        }

        public override int EpollCtl(int epfd, EpollOp op, int fd, void* epollEvent)
            => epfd == _fresh && op == EpollOp.Add && ++_adds == 2 ? -(int)Errno.EPERM : base.EpollCtl(epfd, op, fd, epollEvent);
    }
}
