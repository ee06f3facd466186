namespace Weir.Tests;

/// <summary>How a loop ends, and what becomes of those who still wait on it.</summary>
public class EventLoopStopTests : LoopTests
{
    [Fact]
    public void Run_waits_for_spawned_tasks_and_tells_them_to_stop()
    {
        bool ended = false;
        Run(async loop =>
        {
            _ = loop.Spawn(async () =>
            {
                try
                {
                    await loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping);
                }
                finally
                {
                    await EventLoop.Yield();
                    ended = true;
                }
            });
            await EventLoop.Yield();
        });
        Assert.True(ended);
    }

    [ThreadedFact]
    public void Stop_ends_a_loop_from_another_thread_in_good_order()
    {
        EventLoop? stopped = null;
        Assert.ThrowsAny<OperationCanceledException>(() => Run(async loop =>
        {
            stopped = loop;
            _ = OnThread(() =>
            {
                UntilAsleep(loop);
                loop.Stop();
                loop.Stop();
            });
            await loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping);
        }));
        Assert.True(stopped!.Stopping.IsCancellationRequested);
    }

    [Fact]
    public void A_stop_from_the_loop_itself_takes_effect_without_an_event()
        => Run(async loop =>
        {
            var asked = new TaskCompletionSource();
            loop.Stopping.Register(asked.SetResult);
            loop.Stop();
            await asked.Task;
        });

    [Fact]
    public void A_main_that_ignores_Stopping_is_given_up_after_the_timeout()
    {
        TimeoutException failure = Assert.Throws<TimeoutException>(() => Run(
            async loop =>
            {
                loop.Stop();
                await new TaskCompletionSource().Task;
            },
            o => (o.Name, o.StopTimeout) = ("stubborn", TimeSpan.FromMilliseconds(5))));
        Assert.Contains("stubborn", failure.Message);
    }

    [Fact]
    public void What_tasks_that_ignore_Stopping_wait_for_ends_after_the_timeout()
    {
        List<string> ended = [];
        Run(
            async loop =>
            {
                var (reader, writer) = PipeEnd.CreatePair();
                (int read, _) = Pipe();
                var watcher = new FdWatcher(read);
                var timer = new LoopTimer();
                var signal = new EventSignal();
                Wait("read", () => reader.ReadAsync(new byte[1]).AsTask());
                Wait("watcher", async () => await watcher.WaitReadableAsync());
                Wait("delay", async () => await loop.Delay(TimeSpan.FromHours(1)));
                Wait("infinite delay", async () => await loop.Delay(Timeout.InfiniteTimeSpan));
                Wait("timer", async () => await timer.WaitAsync());
                Wait("signal", async () => await signal.WaitAsync());
                await EventLoop.Yield();
                await EventLoop.Yield();
                Assert.Empty(ended);

                void Wait(string name, Func<Task> wait) => loop.Spawn(async () =>
                {
                    await Assert.ThrowsAsync<ObjectDisposedException>(wait);
                    await EventLoop.Yield();
                    ended.Add(name);
                });
            },
            o => o.StopTimeout = TimeSpan.FromMilliseconds(1));
        Assert.Equal(["delay", "infinite delay", "read", "signal", "timer", "watcher"], ended.Order());
    }

    [Fact]
    public void A_task_that_answers_the_end_by_waiting_again_does_not_keep_the_loop()
    {
        int ends = 0;
        Run(
            async loop =>
            {
                _ = loop.Spawn(async () =>
                {
                    while (true)
                    {
                        try
                        {
                            await loop.Delay(TimeSpan.FromHours(1));
                        }
                        catch (ObjectDisposedException)
                        {
                            ends++;
                        }
                    }
                });
                await EventLoop.Yield();
            },
            o => o.StopTimeout = TimeSpan.Zero);
        Assert.InRange(ends, 1, 10);
    }

    [ThreadedFact]
    public void Other_threads_that_wait_on_a_loop_hear_of_its_end()
    {
        List<Task> waits = [];
        Run(async loop =>
        {
            var (reader, _) = PipeEnd.CreatePair();
            var timer = new LoopTimer();
            waits.Add(Task.Run(() => reader.ReadAsync(new byte[1]).AsTask()));
            waits.Add(Task.Run(async () => await loop.Delay(TimeSpan.FromHours(1))));
            waits.Add(Task.Run(async () => await loop.Delay(Timeout.InfiniteTimeSpan)));
            waits.Add(Task.Run(async () => await timer.WaitAsync()));
            // None needs a turn of its own to begin; the loop ends at some moment of their start.
            await EventLoop.Yield();
        });
        foreach (Task wait in waits)
            Assert.Throws<ObjectDisposedException>(() => TestLoop.Within(wait));
    }

    [ThreadedFact]
    public void Code_that_outlives_its_loop_goes_on_elsewhere()
    {
        var go = new TaskCompletionSource();
        Task? straggler = null;
        bool yielded = false;
        Run(
            async loop =>
            {
                straggler = loop.Spawn(async () =>
                {
                    await go.Task;
                    await Straggle(loop);
                    yielded = true;
                });
                await EventLoop.Yield();
            },
            o => o.StopTimeout = TimeSpan.Zero);
        Assert.False(straggler!.IsCompleted);
        go.SetResult();
        TestLoop.Within(straggler);
        Assert.True(yielded);

        static async Task Straggle(EventLoop loop)
        {
            Assert.Null(EventLoop.Current);
            Assert.True(loop.Stopping.IsCancellationRequested);
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await loop.Delay(TimeSpan.FromMilliseconds(1)));
        }
    }

    [ThreadedFact]
    public void A_yield_that_the_loops_end_overtakes_goes_on_elsewhere()
    {
        YieldAwaitable.Awaiter yield = default;
        Run(_ =>
        {
            yield = EventLoop.Yield().GetAwaiter();
            return Task.CompletedTask;
        });
        var done = new TaskCompletionSource();
        yield.UnsafeOnCompleted(done.SetResult);
        TestLoop.Within(done.Task);
        done = new TaskCompletionSource();
        yield.OnCompleted(done.SetResult);
        TestLoop.Within(done.Task);
    }
}
