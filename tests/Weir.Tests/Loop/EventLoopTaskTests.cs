namespace Weir.Tests;

public class EventLoopTaskTests : LoopTests
{
    [Fact]
    public void A_loop_without_tasks_ends() => Run(_ => Task.CompletedTask);

    [Fact]
    public void A_spawned_task_starts_in_a_turn_of_its_own()
        => Run(async loop =>
        {
            bool started = false;
            Task task = loop.Spawn(() =>
            {
                started = true;
                return Task.CompletedTask;
            });
            Assert.False(started);
            await task;
            Assert.True(started);
        });

    [Fact]
    public void Tasks_are_listed_by_name_until_they_end()
        => Run(async loop =>
        {
            Assert.Empty(loop.Tasks);
            var go = new TaskCompletionSource();
            Task first = loop.Spawn(() => go.Task, "first"), second = loop.Spawn(() => go.Task, "second"), third = loop.Spawn(async () => await go.Task);
            Assert.Equal(3, loop.Statistics.Tasks);
            await EventLoop.Yield();
            Assert.Equal([null, "second", "first"], loop.Tasks.Select(task => task.Name));
            Assert.All(loop.Tasks, task => Assert.InRange(task.StartedAt, 1, loop.Now));
            Assert.All(loop.Tasks, task => Assert.False(task.Status == TaskStatus.RanToCompletion));
            go.SetResult();
            await Task.WhenAll(first, second, third);
            Assert.Empty(loop.Tasks);
            Assert.Equal(0, loop.Statistics.Tasks);
        });

    [Fact]
    public void The_spawned_task_ends_as_its_body_does()
        => Run(async loop =>
        {
            await Assert.ThrowsAsync<FormatException>(() => loop.Spawn(() => throw new FormatException()));
            await Assert.ThrowsAsync<FormatException>(() => loop.Spawn(async () =>
            {
                await EventLoop.Yield();
                throw new FormatException();
            }));
            Task cancelled = loop.Spawn(() => Task.FromCanceled(new CancellationToken(true)));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
            Assert.True(cancelled.IsCanceled);
            await Assert.ThrowsAsync<InvalidOperationException>(() => loop.Spawn(() => null!));
            Assert.Empty(loop.Tasks);
        });

    [Fact]
    public void A_failure_that_nobody_awaits_does_not_end_the_loop()
        => Run(async loop =>
        {
            _ = loop.Spawn(() => throw new FormatException());
            await loop.Delay(TimeSpan.FromMicroseconds(10));
        });

    [ThreadedFact]
    public void A_task_spawned_from_another_thread_runs_on_the_loop_and_its_caller_resumes_where_it_was()
        => Run(async loop =>
        {
            await Task.Run(async () =>
            {
                EventLoop? seen = null;
                await loop.Spawn(async () =>
                {
                    await EventLoop.Yield();
                    seen = EventLoop.Current;
                });
                Assert.Same(loop, seen);
                Assert.Null(EventLoop.Current);
                Assert.Equal(9, await loop.InvokeAsync(async () =>
                {
                    await loop.Delay(TimeSpan.FromTicks(1));
                    return loop.IsCurrent ? 9 : 0;
                }));
                Assert.Null(EventLoop.Current);
            });
            Assert.True(loop.IsCurrent);
        });

    [Fact]
    public void A_function_invoked_from_the_loop_itself_brings_its_result_back_without_leaving_the_loop()
        => Run(async loop =>
        {
            Assert.Equal(9, await loop.InvokeAsync(async () =>
            {
                await EventLoop.Yield();
                return 9;
            }));
            Assert.True(loop.IsCurrent);
            Assert.Equal(0, loop.Statistics.Posts); // nothing came back from elsewhere
        });

    [Fact]
    public void Code_on_the_loop_that_runs_without_a_context_stays_there_when_it_awaits_what_it_spawned()
        => Run(async loop =>
        {
            await WithoutContext();
            Assert.Same(loop.SynchronizationContext, SynchronizationContext.Current);

            async Task WithoutContext()
            {
                await loop.Delay(TimeSpan.FromTicks(1)).ConfigureAwait(false);
                AssertHere();
                await loop.Spawn(() => Task.CompletedTask);
                AssertHere();
                await loop.Spawn(async () =>
                {
                    await EventLoop.Yield();
                    Assert.Same(loop.SynchronizationContext, SynchronizationContext.Current);
                }).ConfigureAwait(false);
                AssertHere();
                Assert.Equal(9, await loop.InvokeAsync(() => new ValueTask<int>(9)));
                AssertHere();
                await TaskGroup.RunAsync(group =>
                {
                    group.Spawn(async _ => await EventLoop.Yield());
                    return Task.CompletedTask;
                });
                AssertHere();
            }

            void AssertHere()
            {
                Assert.True(loop.IsCurrent);
                Assert.Null(SynchronizationContext.Current);
            }
        });

    [ThreadedFact]
    public void Who_awaits_a_task_of_the_loop_without_its_context_is_resumed_on_the_thread_pool()
        => Run(async loop =>
        {
            var go = new TaskCompletionSource();
            Task task = loop.Spawn(() => go.Task);
            var awaiting = new TaskCompletionSource();
            Task other = Task.Run(async () =>
            {
                Task wait = Wait();
                awaiting.SetResult();
                await wait;
            });
            await awaiting.Task;
            loop.Post(go.SetResult);
            await task.ConfigureAwait(false); // nobody could tell it from the other one
            Assert.False(loop.IsCurrent);
            await other;

            async Task Wait()
            {
                await task;
                Assert.Null(EventLoop.Current);
            }
        });

    [ThreadedFact]
    public void Tasks_spawned_from_many_threads_all_run()
        => Run(async loop =>
        {
            int ran = 0;
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => OnThread(() =>
            {
                Task[] tasks = [.. Enumerable.Range(0, 500).Select(_ => loop.Spawn(async () =>
                {
                    await EventLoop.Yield();
                    ran++;
                }))];
                TestLoop.Within(Task.WhenAll(tasks));
            })));
            Assert.Equal(2000, ran);
        });

    [Fact]
    public void A_task_that_waits_for_what_never_comes_is_dropped_with_the_loop()
    {
        Task? pending = null;
        EventLoop? after = EventLoop.Current;
        Run(
            async loop =>
            {
                pending = loop.Spawn(() => new TaskCompletionSource().Task);
                await EventLoop.Yield();
            },
            o => o.StopTimeout = TimeSpan.Zero);
        Assert.False(pending!.IsCompleted);
        Assert.Null(after);
    }

    [Fact]
    public void Hooks_are_called_in_order()
    {
        List<string> calls = [];
        Run(
            async loop =>
            {
                await loop.Spawn(() => Task.CompletedTask, "short");
                await loop.Delay(TimeSpan.FromMicroseconds(200));
            },
            o =>
            {
                o.Instruments.Add(new Recorder("a", calls));
                o.Instruments.Add(new Recorder("b", calls));
            });
        // Every hook reaches the instruments in the order of registration.
        Assert.Equal(calls.Where((_, i) => i % 2 == 0).Select(c => c[2..]), calls.Where((_, i) => i % 2 == 1).Select(c => c[2..]));
        Assert.All(calls.Where((_, i) => i % 2 == 0), call => Assert.StartsWith("a ", call));
        string[] order = [.. calls.Where(c => c[0] == 'a').Select(c => c[2..])];
        string[] cycle = ["turn", "turned", "wait", "waited"];
        Assert.Equal(
            Enumerable.Range(0, order.Count(c => c == "turn")).SelectMany(_ => cycle),
            order.Where(c => !c.Contains("task") && !c.Contains("short")));
        int spawned = Array.IndexOf(order, "spawned short"), ended = Array.IndexOf(order, "ended short");
        Assert.Equal("turn", order[spawned - 1]);
        Assert.Equal(spawned + 1, ended);
    }

    [ThreadedFact]
    public void The_waits_that_hooks_see_tell_looks_from_sleeps()
    {
        var clock = new ManualClockKernel(InnerKernel);
        var recorder = new Recorder("a", []);
        Run(
            async loop =>
            {
                await EventLoop.Yield();
                Assert.Equal(0, recorder.LastTimeout);
                Task other = OnThread(() =>
                {
                    UntilLast(1_000_000);
                    clock.Advance(TimeSpan.FromMilliseconds(1));
                });
                await loop.Delay(TimeSpan.FromMilliseconds(1));
                await other;
                await OnThread(() => UntilLast(-1));

                void UntilLast(long timeout)
                    => Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref recorder.LastTimeout) == timeout, TestLoop.Limit));
            },
            o =>
            {
                o.Kernel = clock;
                o.Instruments.Add(recorder);
            });
    }

    [ThreadedTheory]
    [InlineData("turn")]
    [InlineData("turned")]
    [InlineData("wait")]
    [InlineData("waited")]
    [InlineData("spawned task")]
    [InlineData("ended task")]
    public void An_exception_from_a_hook_is_reported_and_the_loop_is_none_the_worse(string hook)
    {
        int reported = 0;
        Run(
            async loop =>
            {
                await loop.Spawn(() => Task.CompletedTask, "task");
                await loop.Delay(TimeSpan.FromMicroseconds(100));
                await OnThread(() => UntilAsleep(loop));
            },
            o =>
            {
                o.Instruments.Add(new Recorder("a", [], hook));
                o.UnhandledException = exception => exception is FormatException && ++reported > 0;
            });
        Assert.True(reported > 0);
        Assert.Throws<FormatException>(() => Run(
            async loop =>
            {
                await loop.Spawn(() => Task.CompletedTask, "task");
                await loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping);
            },
            o => o.Instruments.Add(new Recorder("a", [], hook))));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_hook_that_posts_or_sets_a_timer_before_a_sleep_is_served_before_it(bool timer)
    {
        var instrument = new PostingInstrument(timer);
        Run(
            async loop =>
            {
                instrument.Armed = true;
                await instrument.Ran.Task;
            },
            o => o.Instruments.Add(instrument));
    }

    private sealed class PostingInstrument(bool timer) : LoopInstrument
    {
        internal bool Armed;
        internal readonly TaskCompletionSource Ran = new();

        public override void WaitStarting(EventLoop loop, long timeout)
        {
            if (!Armed)
                return;
            Armed = false;
            if (timer)
                _ = Delay(loop);
            else
                loop.Post(Ran.SetResult);
        }

        private async Task Delay(EventLoop loop)
        {
            await loop.Delay(TimeSpan.FromMilliseconds(1));
            Ran.SetResult();
        }
    }

    private sealed class Recorder(string name, List<string> calls, string? failsIn = null) : LoopInstrument
    {
        internal long LastTimeout = -2;

        public override void TurnStarting(EventLoop loop) => Note(loop, "turn");

        public override void TurnEnded(EventLoop loop, int entries) => Note(loop, "turned");

        public override void WaitStarting(EventLoop loop, long timeout)
        {
            LastTimeout = timeout;
            Note(loop, "wait");
        }

        public override void WaitEnded(EventLoop loop, int events) => Note(loop, "waited");

        public override void TaskSpawned(EventLoop loop, LoopTask task) => Note(loop, "spawned " + task.Name);

        public override void TaskEnded(EventLoop loop, LoopTask task)
        {
            Assert.Equal(TaskStatus.RanToCompletion, task.Status);
            Assert.Null(task.Failure);
            Note(loop, "ended " + task.Name);
        }

        private void Note(EventLoop loop, string call)
        {
            Assert.True(loop.IsCurrent);
            calls.Add($"{name} {call}");
            if (call == failsIn)
                throw new FormatException(call);
        }
    }
}
