namespace Weir.Tests;

/// <summary>The examples of docs/loop.md and of the README. Each runs as a test.</summary>
public class LoopExamples
{
    [Fact]
    public void Run_hands_back_the_result_of_its_main_task()
    {
        int answer = EventLoop.Run(async () =>
        {
            EventLoop loop = EventLoop.Current!; // set on the loop's thread, null elsewhere
            await loop.Delay(TimeSpan.FromMilliseconds(5));
            return 42;
        });

        Assert.Equal(42, answer);
    }

    [Fact]
    public void Spawned_tasks_have_names_and_end_before_Run_does()
    {
        var log = new List<string>();
        EventLoop.Run(async () =>
        {
            EventLoop loop = EventLoop.Current!;
            Task beat = loop.Spawn(async () =>
            {
                for (int i = 0; i < 3; i++)
                {
                    await loop.Delay(TimeSpan.FromMilliseconds(5));
                    log.Add($"beat {i}");
                }
            }, "heartbeat");

            await EventLoop.Yield(); // a spawned task starts as an entry of its own: not before the spawner waits
            foreach (LoopTask task in loop.Tasks)
                log.Add(task.Name!);

            await beat; // a failure of the task is thrown here, and only here
        });

        Assert.Equal(["heartbeat", "beat 0", "beat 1", "beat 2"], log);
    }

    [Fact]
    public void A_task_group_ends_as_a_whole()
    {
        bool cancelled = false;
        Task failing = EventLoop.Run(async () =>
        {
            EventLoop loop = EventLoop.Current!;
            Task work = TaskGroup.RunAsync(group =>
            {
                group.Spawn(async token =>
                {
                    try
                    {
                        await loop.Delay(Timeout.InfiniteTimeSpan, token);
                    }
                    finally
                    {
                        cancelled = token.IsCancellationRequested;
                    }
                }, "patient");
                group.Spawn(async token =>
                {
                    await loop.Delay(TimeSpan.FromMilliseconds(5), token);
                    throw new InvalidDataException("the first failure cancels the others, and is what the group throws");
                }, "failing");
                return Task.CompletedTask;
            });

            await Task.WhenAny(work);
            return work;
        });

        Assert.IsType<InvalidDataException>(failing.Exception!.InnerException);
        Assert.True(cancelled);
    }

    [Fact]
    public void A_loop_timer_is_put_off_by_each_message()
    {
        int messages = EventLoop.Run(async () =>
        {
            EventLoop loop = EventLoop.Current!;
            int count = 0;
            using var idle = new LoopTimer();
            idle.Set(TimeSpan.FromSeconds(10));

            Task traffic = loop.Spawn(async () =>
            {
                for (; count < 3; count++)
                {
                    await loop.Delay(TimeSpan.FromMilliseconds(5));
                    idle.Set(TimeSpan.FromMilliseconds(200)); // any thread may; no allocation on this one
                }
            });

            await idle.WaitAsync(); // 200 ms after the last message
            await traffic;
            return count;
        });

        Assert.Equal(3, messages);
    }

    [Fact]
    public void The_framework_can_use_the_loops_clock()
    {
        EventLoop.Run(async () =>
        {
            EventLoop loop = EventLoop.Current!;
            await Task.Delay(TimeSpan.FromMilliseconds(5), loop.TimeProvider);

            using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(5), loop.TimeProvider);
            using var ticks = new PeriodicTimer(TimeSpan.FromMilliseconds(1), loop.TimeProvider);
            while (!limit.IsCancellationRequested)
                await ticks.WaitForNextTickAsync();

            Assert.True(loop.IsCurrent);
        });
    }

    [Fact]
    public async Task Other_threads_post_and_invoke()
    {
        var ready = new TaskCompletionSource<EventLoop>(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() => EventLoop.Run(async () =>
        {
            EventLoop loop = EventLoop.Current!;
            ready.SetResult(loop);
            try
            {
                await loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping);
            }
            catch (OperationCanceledException)
            {
                // Asked to stop.
            }
        }));
        thread.Start();

        EventLoop other = await ready.Task;
        int counter = 0; // touched on the loop's thread only, so it needs no lock

        bool accepted = other.Post(() => counter++); // no result, no wait; false once the loop has stopped
        int seen = await other.InvokeAsync(async () =>
        {
            await other.Delay(TimeSpan.FromMilliseconds(1));
            return counter;
        });

        other.Stop();
        thread.Join();

        Assert.True(accepted);
        Assert.Equal(1, seen);
        Assert.False(other.Post(() => { }));
    }

    [Fact]
    public void Stopping_is_asked_for_and_then_waited_for()
    {
        string end = EventLoop.Run(async () =>
        {
            EventLoop loop = EventLoop.Current!;
            _ = loop.Spawn(async () =>
            {
                await loop.Delay(TimeSpan.FromMilliseconds(5));
                loop.Stop(); // any thread, a signal handler for instance
            });

            try
            {
                await loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping);
                return "never";
            }
            catch (OperationCanceledException)
            {
                await loop.Delay(TimeSpan.FromMilliseconds(5)); // timers and descriptors still work: say goodbye
                return "in order";
            }
        });

        Assert.Equal("in order", end);
    }

    [Fact]
    public void An_await_brings_the_caller_back_to_its_loop()
    {
        EventLoop.Run(async () =>
        {
            EventLoop loop = EventLoop.Current!;

            int sum = await Task.Run(() => Enumerable.Range(1, 1000).Sum()); // heavy work belongs on the thread pool
            Assert.True(loop.IsCurrent); // and the await comes back here

            await loop.Delay(TimeSpan.FromMilliseconds(1)).ConfigureAwait(false);
            Assert.True(loop.IsCurrent); // Weir's own waits stay on the loop even so

            await Task.Run(() => sum).ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // as ConfigureAwait(false), and if it has ended already, too
            Assert.False(loop.IsCurrent); // a foreign task does not: this is the thread pool

            await loop.Delay(TimeSpan.FromMilliseconds(1));
            Assert.False(loop.IsCurrent); // called from elsewhere, resumed elsewhere

            await loop.Spawn(() =>
            {
                Assert.True(loop.IsCurrent); // the way back
                return Task.CompletedTask;
            });
        });
    }

    [Fact]
    public void Long_work_on_the_loop_gives_way_by_itself()
    {
        EventLoop.Run(async () =>
        {
            for (int part = 0; part < 100; part++)
            {
                Work(part);
                await EventLoop.Yield(); // the other entries, the timers and the kernel's events go first
            }
        });

        static void Work(int part) => Assert.True(part >= 0);
    }

    [Fact]
    public void Exceptions_that_nobody_can_observe_have_a_place_to_go()
    {
        var unobserved = new List<Exception>();
        var options = new LoopOptions
        {
            UnhandledException = exception =>
            {
                unobserved.Add(exception);
                return true; // handled, go on; without a callback, or with false, Run stops and throws it
            },
        };
        EventLoop.Run(async () =>
        {
            EventLoop.Current!.Post(() => throw new InvalidOperationException("from a posted delegate"));
            await EventLoop.Yield();
        }, options);

        Assert.IsType<InvalidOperationException>(Assert.Single(unobserved));
    }

    [Fact]
    public void Statistics_are_a_property()
    {
        EventLoop.Run(async () =>
        {
            EventLoop loop = EventLoop.Current!;
            await loop.Delay(TimeSpan.FromMilliseconds(5));

            LoopStatistics now = loop.Statistics;
            Console.WriteLine($"{now.Turns} turns, {now.Sleeps} sleeps, longest {now.LongestTurn.TotalMilliseconds:0.0} ms, {now.HopsOffLoop} hops off the loop");

            Assert.True(now.Sleeps > 0);
        });
    }

    // One of these on a loop writes a line for each turn that took long: what to look for when a server stutters.
    private sealed class SlowTurns(TimeSpan limit, Action<string> write) : LoopInstrument
    {
        private long _start;

        public override void TurnStarting(EventLoop loop) => _start = TimeProvider.System.GetTimestamp();

        public override void TurnEnded(EventLoop loop, int entries)
        {
            TimeSpan length = TimeProvider.System.GetElapsedTime(_start);
            if (length > limit)
                write($"{loop.Options.Name}: {entries} entries took {length.TotalMilliseconds:0} ms");
        }
    }

    [Fact]
    public void Instruments_see_every_turn()
    {
        var lines = new List<string>();
        var options = new LoopOptions { Instruments = { new SlowTurns(TimeSpan.FromMilliseconds(10), lines.Add) } };
        EventLoop.Run(() =>
        {
            Thread.Sleep(30); // what one must not do on a loop
            return Task.CompletedTask;
        }, options);

        Assert.Contains(lines, line => line.StartsWith("loop: ", StringComparison.Ordinal));
    }
}
