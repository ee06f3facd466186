namespace Weir.Tests;

public class EventLoopPostTests : LoopTests
{
    private long Wakes => Kernel.Count(nameof(Weir.Kernel.Write));

    [ThreadedFact]
    public void A_post_to_a_sleeping_loop_costs_exactly_one_write()
        => Run(async loop =>
        {
            for (int i = 1; i <= 20; i++)
            {
                await OnThread(() =>
                {
                    var ran = new TaskCompletionSource();
                    UntilAsleep(loop);
                    long before = Wakes;
                    Assert.True(loop.Post(ran.SetResult));
                    TestLoop.Within(ran.Task);
                    Assert.Equal(before + 1, Wakes);
                });
            }
        });

    [ThreadedFact]
    public void Posts_to_a_busy_loop_cost_no_system_call()
        => Run(async loop =>
        {
            int ran = 0;
            long before = Kernel.Total;
            Task posting = OnThread(() =>
            {
                for (int i = 0; i < 1000; i++)
                    Assert.True(loop.Post(() => ran++));
            });
            Assert.True(posting.Wait(TestLoop.Limit)); // the loop is in here all the while
            Assert.Equal(before, Kernel.Total);
            while (ran < 1000)
                await EventLoop.Yield();
            Assert.Equal(0, loop.Statistics.WakeUpsSent);
            Assert.True(loop.Statistics.WakeUpsSaved > 0);
            Assert.Equal(1000, loop.Statistics.Posts);
        });

    [ThreadedFact]
    public void Many_threads_that_post_to_a_sleeping_loop_pay_for_one_write_together()
        => Run(async loop =>
        {
            const int Threads = 4;
            using var barrier = new Barrier(Threads + 1);
            using var posted = new CountdownEvent(Threads);
            int ran = 0;
            Task[] posters = [.. Enumerable.Range(0, Threads).Select(_ => OnThread(() =>
            {
                Assert.True(barrier.SignalAndWait(TestLoop.Limit));
                Assert.True(loop.Post(() =>
                {
                    // The first to run keeps the loop awake until all have posted, else a late one would rightly wake a second sleep.
                    Assert.True(posted.Wait(TestLoop.Limit));
                    ran++;
                }));
                posted.Signal();
            }))];
            await OnThread(() =>
            {
                UntilAsleep(loop);
                long before = Wakes;
                Assert.True(barrier.SignalAndWait(TestLoop.Limit));
                Assert.True(posted.Wait(TestLoop.Limit));
                Assert.Equal(before + 1, Wakes);
            });
            await Task.WhenAll(posters);
            Assert.Equal(Threads, ran);
        });

    [ThreadedFact]
    public void Posts_of_one_thread_run_in_order()
        => Run(async loop =>
        {
            List<int> order = [];
            await OnThread(() =>
            {
                for (int i = 0; i < 1000; i++)
                    loop.Post(static state => ((List<int>)state!).Add(((List<int>)state).Count), order);
            });
            while (order.Count < 1000)
                await EventLoop.Yield();
            Assert.Equal(Enumerable.Range(0, 1000), order);
        });

    [Fact]
    public void A_post_from_the_loop_itself_runs_later_and_costs_nothing()
        => Run(async loop =>
        {
            bool ran = false;
            Assert.True(loop.Post(() => ran = true));
            Assert.False(ran);
            await EventLoop.Yield();
            Assert.True(ran);
            Assert.Equal(0, loop.Statistics.Posts);
            Assert.Equal(0, Wakes);
        });

    [ThreadedFact]
    public void A_task_is_woken_from_another_thread_by_one_completion()
        => Run(async loop =>
        {
            var signal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Task other = OnThread(() =>
            {
                UntilAsleep(loop);
                signal.SetResult();
            });
            await signal.Task;
            Assert.True(loop.IsCurrent);
            await other;
        });

    [ThreadedFact]
    public void Posts_without_pause_do_not_starve_descriptors()
        => Run(async loop =>
        {
            (int read, int write) = Pipe();
            bool done = false;
            Task flood = OnThread(() =>
            {
                // The inbox has something whenever the loop would sleep, yet never more than it can take in a turn.
                for (long posted = 0; !Volatile.Read(ref done); posted++)
                {
                    loop.Post(static _ => { }, null);
                    while (loop.Statistics.Posts < posted - 100 && !Volatile.Read(ref done))
                        Thread.Yield();
                }
            });
            using (var watcher = new FdWatcher(read))
            {
                for (int i = 0; i < 10; i++)
                {
                    ValueTask wait = watcher.WaitReadableAsync();
                    Write(write, [1]);
                    await wait;
                    Assert.Equal(1, Empty(read));
                }
            }

            Volatile.Write(ref done, true);
            await flood;
        });

    [Fact]
    public void After_the_end_a_post_is_refused()
    {
        EventLoop loop = Run(loop => Task.FromResult(loop));
        Assert.False(loop.Post(() => Assert.Fail("ran")));
        Assert.False(loop.Post(_ => Assert.Fail("ran"), null));
        Assert.Throws<ObjectDisposedException>(() => { _ = loop.Spawn(() => Task.CompletedTask); });
    }

    [ThreadedTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_post_that_meets_the_end_runs_if_and_only_if_it_was_accepted(bool sameDelegate)
    {
        const int Runs = 200, Threads = 4;
        for (int run = 0; run < Runs; run++)
        {
            int ran = 0, accepted = 0;
            EventLoop? loop = null;
            Action<object?> count = _ => ran++; // on the loop's thread only
            Task[] posters = [];
            TestLoop.Run(
                async () =>
                {
                    loop = EventLoop.Current!;
                    using var started = new CountdownEvent(Threads);
                    posters = [.. Enumerable.Range(0, Threads).Select(_ => OnThread(() =>
                    {
                        started.Signal();
                        while (loop.Post(sameDelegate ? count : new Action<object?>(count.Invoke), null))
                        {
                            // Not far ahead of the loop: it is the end that is to be met, not the longest queue.
                            int mine = Interlocked.Increment(ref accepted);
                            Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref ran) > mine - 50, TestLoop.Limit));
                        }
                    }))];
                    started.Wait(TestLoop.Limit);
                    await EventLoop.Yield();
                },
                Options());
            TestLoop.Within(Task.WhenAll(posters));
            Assert.Equal(accepted, ran);
        }
    }

    [ThreadedFact]
    public void A_post_that_meets_the_end_does_not_wait_for_what_runs_last()
    {
        for (int run = 0; run < 200; run++)
        {
            Lock posting = new();
            bool ended = false;
            Task? poster = null;
            TestLoop.Run(
                async () =>
                {
                    EventLoop loop = EventLoop.Current!;
                    using var started = new ManualResetEventSlim();
                    poster = OnThread(() =>
                    {
                        started.Set();
                        bool accepted;
                        do
                        {
                            lock (posting)
                                accepted = loop.Post(static _ => { }, null);
                        }
                        while (accepted);
                    });
                    _ = loop.Spawn(async () =>
                    {
                        await UntilTheEnd(loop);
                        await UntilTheEnd(loop); // begun while the loop unwinds its waits: nothing runs later than this one's end
                        lock (posting)
                            ended = true;
                    });
                    Assert.True(started.Wait(TestLoop.Limit));
                    await EventLoop.Yield();
                },
                Options(o => o.StopTimeout = TimeSpan.Zero));
            TestLoop.Within(poster!);
            Assert.True(ended);
        }

        static async Task UntilTheEnd(EventLoop loop)
        {
            try
            {
                await loop.Delay(TimeSpan.FromHours(1));
            }
            catch (ObjectDisposedException)
            {
                // The end.
            }
        }
    }

    [ThreadedFact]
    public void A_wake_up_in_flight_when_the_loop_ends_reaches_the_loops_own_descriptor()
    {
        // Writes to closed or foreign descriptors show as calls that fail or do not return eight bytes.
        var kernel = new WriteWatchingKernel(InnerKernel);
        for (int run = 0; run < 50; run++)
        {
            Task? poster = null;
            TestLoop.Run(
                async () =>
                {
                    EventLoop loop = EventLoop.Current!;
                    using var started = new ManualResetEventSlim();
                    poster = OnThread(() =>
                    {
                        started.Set();
                        while (loop.Post(static _ => { }, null))
                            Thread.Yield();
                    });
                    started.Wait(TestLoop.Limit);
                    await loop.Delay(TimeSpan.FromMicroseconds(100));
                },
                new LoopOptions { Kernel = kernel });
            TestLoop.Within(poster!);
        }

        Assert.Equal(0, kernel.BadWrites);
    }

    private sealed unsafe class WriteWatchingKernel(Kernel inner) : CountingKernel(inner)
    {
        internal int BadWrites;

        public override nint Write(int fd, void* buffer, nuint length)
        {
            nint result = base.Write(fd, buffer, length);
            if (result != (nint)length)
                Interlocked.Increment(ref BadWrites);
            return result;
        }
    }
}
