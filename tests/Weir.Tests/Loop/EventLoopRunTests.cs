namespace Weir.Tests;

public class EventLoopRunTests : LoopTests
{
    [Fact]
    public void A_main_function_that_has_ended_already_ends_the_loop_without_a_sleep()
    {
        EventLoop loop = Run(loop => Task.FromResult(loop));
        Assert.Equal(0, loop.Statistics.Sleeps);
    }

    [Fact]
    public void The_loop_ends_without_a_sleep_once_its_last_task_has()
    {
        EventLoop loop = Run(async loop =>
        {
            for (int i = 0; i < 10; i++)
                await EventLoop.Yield();
            return loop;
        });
        Assert.Equal(0, loop.Statistics.Sleeps);
    }

    [Fact]
    public void Run_returns_the_result_of_main() => Assert.Equal(42, Run(_ => Task.FromResult(42)));

    [ThreadedFact]
    public void Run_throws_what_main_throws()
    {
        Assert.Equal("now", Assert.Throws<FormatException>(() => Run(_ => throw new FormatException("now"))).Message);
        Assert.Equal("later", Assert.Throws<FormatException>(() => Run(async _ =>
        {
            await EventLoop.Yield();
            throw new FormatException("later");
        })).Message);
        Assert.Throws<TaskCanceledException>(() => Run(_ => Task.FromCanceled(new CancellationToken(true))));
        Assert.Throws<InvalidOperationException>(() => Run(_ => null!));
        Assert.Throws<ArgumentNullException>(() => EventLoop.Run(null!));
    }

    [ThreadedFact]
    public void Run_inside_a_loop_is_refused_and_the_outer_loop_goes_on()
        => Run(async loop =>
        {
            Assert.Throws<InvalidOperationException>(() => EventLoop.Run(() => Task.CompletedTask));
            await EventLoop.Yield();
            Assert.Same(loop, EventLoop.Current);
            // Another thread is free to run one, also while this loop waits for it.
            Assert.Equal(5, await Task.Run(() => EventLoop.Run(() => Task.FromResult(5))));
        });

    [ThreadedFact]
    public void Run_leaves_the_thread_as_it_found_it()
        => TestLoop.Guard(() =>
        {
            var context = new SynchronizationContext();
            var local = new AsyncLocal<int> { Value = 1 };
            SynchronizationContext.SetSynchronizationContext(context);
            EventLoop.Run(
                () =>
                {
                    local.Value = 2;
                    Assert.NotSame(context, SynchronizationContext.Current);
                    return Task.CompletedTask;
                },
                Options());
            Assert.Throws<FormatException>(() => EventLoop.Run(() => throw new FormatException(), Options()));
            Assert.Same(context, SynchronizationContext.Current);
            Assert.Null(EventLoop.Current);
            Assert.Equal(1, local.Value);
            return 0;
        });

    [ThreadedFact]
    public void Members_that_need_a_loop_say_so_where_there_is_none()
        => TestLoop.Guard(() =>
        {
            Assert.Throws<InvalidOperationException>(() => { EventLoop.Yield(); });
            Assert.Throws<InvalidOperationException>(() => new FdWatcher(0));
            Assert.Throws<InvalidOperationException>(() => new EventSignal());
            Assert.Throws<InvalidOperationException>(() => PipeEnd.CreatePair());
            Assert.Throws<InvalidOperationException>(() => FdWatcher.NotifyClosing(0));
            return 0;
        });

    [Fact]
    public void Options_are_checked()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Run(_ => Task.CompletedTask, o => o.TimerSlack = TimeSpan.FromTicks(-1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Run(_ => Task.CompletedTask, o => o.StopTimeout = TimeSpan.FromTicks(-1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Run(_ => Task.CompletedTask, o => o.TaskOperationBudget = 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Run(_ => Task.CompletedTask, o => o.Driver = (DriverKind)77));
    }

    [Theory]
    [InlineData(nameof(Weir.Kernel.EpollCreate1))]
    [InlineData(nameof(Weir.Kernel.EventFd))]
    [InlineData(nameof(Weir.Kernel.EpollCtl))]
    public virtual void A_loop_that_cannot_be_made_says_why_and_leaves_nothing_open(string call)
    {
        Kernel.FailNext(call, Errno.EMFILE);
        KernelException failure = Assert.Throws<KernelException>(() => Run(_ => Task.CompletedTask));
        Assert.Equal(Errno.EMFILE, failure.Errno);
        long opened = Kernel.Count(nameof(Weir.Kernel.EpollCreate1)) + Kernel.Count(nameof(Weir.Kernel.EventFd));
        Assert.Equal(opened - (call == nameof(Weir.Kernel.EpollCtl) ? 0 : 1), Kernel.Count(nameof(Weir.Kernel.Close)));
        Run(_ => Task.CompletedTask);
    }

    [ThreadedFact]
    public virtual void A_kernel_that_fails_to_wait_ends_the_loop_with_its_error()
    {
        KernelException failure = Assert.Throws<KernelException>(() => Run(async loop =>
        {
            Kernel.FailNext(nameof(Weir.Kernel.EpollWait), Errno.EBADF);
            await new TaskCompletionSource().Task;
        }));
        Assert.Equal("epoll_wait", failure.Call);
    }

    [Fact]
    public void Signals_that_interrupt_the_wait_are_taken_in_stride()
        => Run(async loop =>
        {
            Kernel.FailNext(nameof(Weir.Kernel.EpollPWait2), Errno.EINTR, 5);
            long start = loop.Now;
            await loop.Delay(TimeSpan.FromMilliseconds(1));
            Assert.True(loop.Now - start >= 1_000_000);
        });

    [ThreadedFact]
    public void Main_may_end_on_another_thread_while_the_loop_sleeps()
    {
        int result = Run(loop =>
        {
            var main = new TaskCompletionSource<int>();
            _ = OnThread(() =>
            {
                UntilAsleep(loop);
                main.SetResult(7);
            });
            return main.Task;
        });
        Assert.Equal(7, result);
    }

    [Fact]
    public void An_async_void_exception_that_is_handled_leaves_the_loop_running()
    {
        List<Exception> seen = [];
        Run(
            async loop =>
            {
                Fail();
                await EventLoop.Yield();
                await EventLoop.Yield();
                Assert.Equal("void", Assert.Single(seen).Message);
                await loop.Delay(TimeSpan.FromMicroseconds(1));
            },
            o => o.UnhandledException = exception =>
            {
                Assert.NotNull(EventLoop.Current);
                seen.Add(exception);
                return true;
            });

        static async void Fail()
        {
            await EventLoop.Yield();
            throw new FormatException("void");
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_unhandled_exception_ends_Run_with_it(bool withHandler)
    {
        bool asked = false;
        Exception failure = Assert.Throws<FormatException>(() => Run(
            async loop =>
            {
                loop.Post(() => throw new FormatException("posted"));
                await loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping);
            },
            o => o.UnhandledException = withHandler ? _ => !(asked = true) : null));
        Assert.Equal("posted", failure.Message);
        Assert.Equal(withHandler, asked);
    }

    [Fact]
    public void A_handler_that_fails_itself_ends_Run_with_both()
    {
        AggregateException failure = Assert.Throws<AggregateException>(() => Run(
            async loop =>
            {
                loop.Post(() => throw new FormatException());
                await loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping);
            },
            o => o.UnhandledException = _ => throw new NotSupportedException()));
        Assert.Equal([typeof(FormatException), typeof(NotSupportedException)], failure.InnerExceptions.Select(e => e.GetType()));
    }

    [Fact]
    public void An_exception_in_one_entry_does_not_lose_the_others_of_its_turn()
    {
        List<int> ran = [];
        int failures = 0;
        Run(
            async loop =>
            {
                for (int i = 0; i < 10; i++)
                {
                    int number = i;
                    loop.Post(() =>
                    {
                        if (number % 2 == 0)
                            throw new FormatException();
                        ran.Add(number);
                    });
                }

                long turns = loop.Statistics.Turns;
                await EventLoop.Yield();
                Assert.Equal(turns + 1, loop.Statistics.Turns);
            },
            o => o.UnhandledException = _ => ++failures > 0);
        Assert.Equal([1, 3, 5, 7, 9], ran);
        Assert.Equal(5, failures);
    }

    [Fact]
    public void A_task_that_yields_for_ever_starves_neither_descriptors_nor_timers()
        => Run(async loop =>
        {
            (int read, int write) = Pipe();
            bool stop = false;
            Task selfish = loop.Spawn(async () =>
            {
                while (!stop)
                    await EventLoop.Yield();
            });
            using var watcher = new FdWatcher(read);
            ValueTask wait = watcher.WaitReadableAsync();
            Write(write, [1]);
            await wait;
            await loop.Delay(TimeSpan.FromMilliseconds(1));
            Assert.Equal(0, loop.Statistics.Sleeps);
            stop = true;
            await selfish;
        });

    [Fact]
    public virtual void An_idle_loop_sleeps_once_until_its_timer()
        => Run(async loop =>
        {
            await EventLoop.Yield();
            LoopStatistics before = loop.Statistics;
            Kernel.Reset();
            await loop.Delay(TimeSpan.FromMilliseconds(30));
            LoopStatistics after = loop.Statistics;
            Assert.Equal(before.Sleeps + 1, after.Sleeps);
            Assert.Equal(1, Kernel.Total);
            Assert.Equal(before.Turns + 1, after.Turns); // the one that the sleep ended, and the one that runs this
        });

    [ThreadedFact]
    public void A_sleeping_loop_makes_no_turns()
        => Run(async loop => await OnThread(() =>
        {
            UntilAsleep(loop);
            long turns = loop.Statistics.Turns, calls = Kernel.Total;
            // Ten more looks from outside, each of which would disturb a loop that can be disturbed.
            for (int i = 0; i < 10; i++)
            {
                Assert.Equal(turns, loop.Statistics.Turns);
                Thread.Yield();
            }

            Assert.InRange(Kernel.Total, calls, calls + 1); // the wait itself is entered just after the phase is published
        }));

    [ThreadedFact]
    public virtual void A_loop_that_spins_before_it_sleeps_is_woken_without_a_system_call()
        => Run(
            async loop =>
            {
                var posted = new TaskCompletionSource();
                await EventLoop.Yield();
                Task poster = OnThread(() =>
                {
                    long calls = Kernel.Count(nameof(Weir.Kernel.EpollWait));
                    Assert.True(SpinWait.SpinUntil(() => Kernel.Count(nameof(Weir.Kernel.EpollWait)) > calls + 10, TestLoop.Limit));
                    loop.Post(posted.SetResult);
                });
                await posted.Task;
                Assert.Equal(0, loop.Statistics.WakeUpsSent);
                Assert.Equal(0, loop.Statistics.Sleeps);
            },
            o => o.SpinBeforeSleep = TestLoop.Limit);
}

[Collection(Alone.Name)]
public class EventLoopRestartTests : LoopTests
{
    [ThreadedFact]
    public void A_thousand_loops_leave_no_descriptor_behind()
    {
        Once();
        // What earlier tests have left to finalizers is closed before it is counted.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        int before = OpenOnes();
        for (int i = 0; i < 1000; i++)
            Once();
        Assert.Equal(before, OpenOnes());

        // Not the files: the runtime keeps each assembly open, and loads one when it pleases.
        static int OpenOnes() => Directory.EnumerateFiles("/proc/self/fd").Count(fd => new FileInfo(fd).LinkTarget is { } target && !target.StartsWith('/'));

        // What is not disposed is closed by the end of the loop; what is lent is not.
        void Once() => EventLoop.Run(
            async () =>
            {
                var (_, writer) = PipeEnd.CreatePair();
                await writer.WriteAsync(new byte[3]);
                _ = new EventSignal().WaitAsync();
                _ = Weir.Net.Connection.CreatePair().First.ReadAsync(new byte[1]);
            },
            new LoopOptions { Kernel = Kernel });
    }
}
