namespace Weir.Tests;

public class EventSignalTests : LoopTests
{
    [ThreadedFact]
    public void A_wait_takes_the_sum_of_the_signals()
        => Run(async loop =>
        {
            using var signal = new EventSignal(initialCount: 2);
            signal.Signal();
            signal.Signal(40);
            Assert.Equal(43, await signal.WaitAsync());
            ValueTask<long> wait = signal.WaitAsync();
            await Settle();
            Assert.False(wait.IsCompleted);
            await OnThread(() => signal.Signal(5));
            Assert.Equal(5, await wait);
        });

    [Fact]
    public void A_semaphore_gives_one_at_a_time()
        => Run(async loop =>
        {
            using var signal = new EventSignal(3, semaphore: true);
            for (int i = 0; i < 3; i++)
                Assert.Equal(1, await signal.WaitAsync());
            ValueTask<long> wait = signal.WaitAsync();
            await Settle();
            Assert.False(wait.IsCompleted);
            signal.Signal();
            Assert.Equal(1, await wait);
        });

    [ThreadedTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void No_signal_of_many_threads_is_lost(bool semaphore)
        => Run(async loop =>
        {
            const int Threads = 4, Each = 2000;
            using var signal = new EventSignal(0, semaphore);
            Task[] signallers = [.. Enumerable.Range(0, Threads).Select(_ => OnThread(() =>
            {
                for (int i = 0; i < Each; i++)
                    signal.Signal();
            }))];
            long total = 0;
            while (total < Threads * Each)
                total += await signal.WaitAsync();
            Assert.Equal(Threads * Each, total);
            await Task.WhenAll(signallers);
        });

    [ThreadedTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Disposing_ends_the_wait_and_signals_are_refused(bool fromElsewhere)
        => Run(async loop =>
        {
            var signal = new EventSignal();
            ValueTask<long> wait = signal.WaitAsync();
            if (fromElsewhere)
                await OnThread(signal.Dispose);
            else
                signal.Dispose();
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await wait);
            Assert.Throws<ObjectDisposedException>(() => signal.Signal());
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await signal.WaitAsync());
            Assert.Equal(-1, signal.FileDescriptor);
            signal.Dispose();
        });

    [Fact]
    public void A_second_waiter_and_bad_counts_are_refused()
        => Run(async loop =>
        {
            using var signal = new EventSignal();
            ValueTask<long> wait = signal.WaitAsync();
            await Assert.ThrowsAsync<BusyResourceException>(async () => await signal.WaitAsync());
            Assert.Throws<ArgumentOutOfRangeException>(() => signal.Signal(0));
            Assert.Throws<ArgumentOutOfRangeException>(() => signal.Signal(-1));
            signal.Signal();
            Assert.Equal(1, await wait);
        });

    [Fact]
    public void A_cancelled_wait_takes_no_signal()
        => Run(async loop =>
        {
            using var signal = new EventSignal();
            using var cancellation = new CancellationTokenSource();
            ValueTask<long> wait = signal.WaitAsync(cancellation.Token);
            cancellation.Cancel();
            signal.Signal(7);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await wait);
            Assert.Equal(7, await signal.WaitAsync());
        });

    [ThreadedFact]
    public void Signals_that_meet_the_loops_end_reach_the_signal_or_are_refused()
    {
        var kernel = new EventFdOnlyKernel(InnerKernel);
        for (int run = 0; run < 50; run++)
        {
            Task? signaller = null;
            TestLoop.Run(
                async () =>
                {
                    var signal = new EventSignal();
                    using var started = new ManualResetEventSlim();
                    signaller = OnThread(() =>
                    {
                        started.Set();
                        Assert.Throws<ObjectDisposedException>((Action)(() =>
                        {
                            while (true)
                            {
                                signal.Signal();
                                Thread.Yield();
                            }
                        }));
                    });
                    started.Wait(TestLoop.Limit);
                    await signal.WaitAsync();
                },
                new LoopOptions { Kernel = kernel });
            TestLoop.Within(signaller!);
        }

        Assert.Equal(0, kernel.FailedWrites);
    }

    private sealed unsafe class EventFdOnlyKernel(Kernel inner) : CountingKernel(inner)
    {
        internal int FailedWrites;

        public override nint Write(int fd, void* buffer, nuint length)
        {
            nint result = base.Write(fd, buffer, length);
            if (result != sizeof(ulong))
                Interlocked.Increment(ref FailedWrites);
            return result;
        }
    }
}
