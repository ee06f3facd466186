namespace Weir.Tests;

public sealed class LoopStepperTests : IDisposable
{
    private readonly LedgerKernel _kernel = new();
    private readonly List<LoopStepper> _made = [];

    public void Dispose()
    {
        foreach (LoopStepper stepper in _made)
            stepper.Dispose();
    }

    [Fact]
    public void A_loop_is_stepped_from_wait_to_wait()
    {
        List<string> log = [];
        var clock = new ManualClockKernel(Kernel.Linux);
        LoopStepper stepper = Make(
            async loop =>
            {
                log.Add("first");
                await EventLoop.Yield();
                log.Add("second");
                await loop.Delay(TimeSpan.FromMilliseconds(1));
                log.Add("third");
            },
            options => options.Kernel = clock);
        Assert.Empty(log);
        Assert.True(stepper.Step(out long timeout));
        Assert.Equal(["first"], log);
        Assert.Equal(0, timeout);
        Assert.True(stepper.Step(out timeout));
        Assert.Equal(["first", "second"], log);
        Assert.InRange(timeout, 1_000_000, 2_000_000);
        Assert.False(stepper.HasEnded);
        clock.Advance(TimeSpan.FromMilliseconds(2));
        RunAll(stepper);
        Assert.Equal(["first", "second", "third"], log);
        Assert.True(stepper.HasEnded);
        Assert.False(stepper.Step(out timeout));
        Assert.Equal(0, timeout);
    }

    [Fact]
    public void Between_two_steps_a_loop_with_nothing_to_do_is_asleep()
    {
        LoopStepper stepper = Make(loop => loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping).AsTask());
        Assert.Equal(-1, StepUntilAsleep(stepper));
        Assert.True(stepper.Loop.IsAsleep);
        Assert.Equal(1, stepper.Loop.Statistics.Sleeps);
        Assert.False(IsReadable(stepper));
    }

    [Fact]
    public void A_step_that_comes_too_early_is_one_turn_more_and_the_loop_sleeps_again()
    {
        LoopStepper stepper = Make(loop => loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping).AsTask());
        StepUntilAsleep(stepper);
        for (int i = 2; i < 5; i++)
        {
            Assert.True(stepper.Step(out long timeout));
            Assert.Equal(-1, timeout);
            Assert.True(stepper.Loop.IsAsleep);
            Assert.Equal(i, stepper.Loop.Statistics.Sleeps);
        }
    }

    [Fact]
    public void A_step_never_waits()
    {
        LoopStepper stepper = Make(loop => loop.Delay(TimeSpan.FromHours(1), loop.Stopping).AsTask());
        Assert.True(StepUntilAsleep(stepper) > 3_000_000_000_000);
        stepper.Step(out _);
        Assert.Equal(0, _kernel.Count(nameof(Kernel.EpollPWait2)));
        Assert.True(_kernel.Count(nameof(Kernel.EpollWait)) > 0);
    }

    [Fact]
    public void Loops_that_take_turns_on_one_thread_wake_each_other_exactly_once()
    {
        const int Rounds = 20;
        LoopStepper left = null!, right = null!;
        int count = 0;
        left = Make(loop => loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping).AsTask());
        right = Make(loop => loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping).AsTask());
        StepUntilAsleep(left);
        StepUntilAsleep(right);

        // One ball: whoever has it sends it to the other, with a second post that must cost nothing.
        left.Loop.Post(_ => Hit(left, right), null);
        for (int round = 0; round < Rounds; round++)
        {
            (LoopStepper player, LoopStepper other) = round % 2 == 0 ? (left, right) : (right, left);
            Assert.True(IsReadable(player));
            Assert.False(IsReadable(other));
            long writes = _kernel.Count(nameof(Kernel.Write));
            StepUntilAsleep(player);
            Assert.Equal(writes + 1, _kernel.Count(nameof(Kernel.Write)));
            Assert.False(IsReadable(player));
        }

        Assert.Equal(Rounds * 2 - 1, count); // what the last hit sent is on its way
        Assert.Equal(Rounds, left.Loop.Statistics.WakeUpsSent + right.Loop.Statistics.WakeUpsSent - 1);

        void Hit(LoopStepper player, LoopStepper other)
        {
            Assert.Same(player.Loop, EventLoop.Current);
            count++;
            other.Loop.Post(_ => Hit(other, player), null);
            other.Loop.Post(_ => count++, null);
        }
    }

    [Fact]
    public void An_await_across_loops_comes_back_to_its_own()
    {
        var ready = new TaskCompletionSource<EventLoop>();
        LoopStepper server = Make(loop =>
        {
            ready.SetResult(loop);
            return loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping).AsTask();
        });
        LoopStepper client = Make(async loop =>
        {
            EventLoop other = await ready.Task;
            int sum = 0;
            for (int i = 1; i <= 10; i++)
            {
                sum += await other.InvokeAsync(async () =>
                {
                    Assert.Same(other, EventLoop.Current);
                    await other.Delay(TimeSpan.FromMicroseconds(10));
                    return i;
                });
                Assert.Same(loop, EventLoop.Current);
            }

            other.Stop();
            Assert.Equal(55, sum);
        });
        RunAll(server, client);
        ThrowOutcome(client);
        Assert.True(server.Outcome().IsCanceled);
    }

    [Fact]
    public void Bytes_go_between_loops_on_one_thread()
    {
        string path = Path.Combine(Path.GetTempPath(), $"weir-step-{Guid.NewGuid():N}");
        LoopStepper server = Make(async loop =>
        {
            using Net.Listener listener = Net.Listener.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(path));
            using Net.Connection connection = await listener.AcceptAsync();
            byte[] buffer = new byte[16];
            for (int count; (count = await connection.ReadAsync(buffer)) > 0;)
                await connection.WriteAsync(buffer.AsMemory(0, count));
        });
        LoopStepper client = Make(async loop =>
        {
            using Net.Connection connection = await Net.Connection.ConnectAsync(new System.Net.Sockets.UnixDomainSocketEndPoint(path));
            byte[] buffer = new byte[1];
            for (byte i = 0; i < 50; i++)
            {
                await connection.WriteAsync(new[] { i });
                Assert.Equal(1, await connection.ReadAsync(buffer));
                Assert.Equal(i, buffer[0]);
            }
        });
        server.Step(out _); // listens now
        RunAll(server, client);
        ThrowOutcome(client);
        ThrowOutcome(server);
        Assert.Empty(_kernel.OpenNow);
        Assert.Empty(_kernel.Faults);
    }

    [Fact]
    public void A_step_leaves_the_thread_as_it_found_it()
        => TestLoop.Guard(() =>
        {
            var context = new SynchronizationContext();
            SynchronizationContext.SetSynchronizationContext(context);
            SynchronizationContext? own = null, seen = null;
            LoopStepper stepper = Make(async loop =>
            {
                own = SynchronizationContext.Current;
                await EventLoop.Yield();
                seen = SynchronizationContext.Current;
                Assert.True(loop.IsCurrent);
                SynchronizationContext.SetSynchronizationContext(null);
            });
            bool goesOn;
            do
            {
                goesOn = stepper.Step(out _);
                Assert.Same(context, SynchronizationContext.Current);
                Assert.Null(EventLoop.Current);
                Assert.Null(WorkQueue.Current);
            }
            while (goesOn);
            Assert.Same(stepper.Loop.SynchronizationContext, own);
            Assert.Same(own, seen);
            return 0;
        });

    [Fact]
    public void What_a_wait_throws_comes_out_of_the_step_and_is_the_outcome()
        => TestLoop.Guard(() =>
        {
            LoopStepper stepper = Make(loop => loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping).AsTask());
            StepUntilAsleep(stepper);
            _kernel.FailNext(nameof(Kernel.EpollWait), Errno.EBADF);
            KernelException thrown = Assert.Throws<KernelException>(() => stepper.Step(out _));
            Assert.Null(EventLoop.Current);
            Assert.Null(WorkQueue.Current);
            Assert.Null(SynchronizationContext.Current);
            Assert.True(stepper.HasEnded);
            Assert.False(stepper.Step(out _));
            Assert.Same(thrown, Assert.Throws<KernelException>(() => ThrowOutcome(stepper)));
            Assert.Empty(_kernel.OpenNow);
            Assert.False(stepper.Loop.Post(() => { }));
            return 0;
        });

    [Fact]
    public void The_outcome_is_what_Run_would_return_or_throw()
    {
        LoopStepper result = Make(_ => Task.FromResult(42));
        RunAll(result);
        Assert.Equal(42, TestLoop.Within((Task<int>)result.Outcome()));

        LoopStepper failing = Make(async _ =>
        {
            await EventLoop.Yield();
            throw new FormatException("later");
        });
        RunAll(failing);
        Assert.Equal("later", Assert.Throws<FormatException>(() => ThrowOutcome(failing)).Message);

        LoopStepper unobserved = Make(loop =>
        {
            loop.Post(() => throw new FormatException("posted"));
            return loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping).AsTask();
        });
        RunAll(unobserved);
        Assert.Equal("posted", Assert.Throws<FormatException>(() => ThrowOutcome(unobserved)).Message);

        LoopStepper stubborn = Make(
            loop =>
            {
                loop.Stop();
                return new TaskCompletionSource().Task;
            },
            o => (o.Name, o.StopTimeout) = ("stubborn", TimeSpan.FromMilliseconds(5)));
        RunAll(stubborn);
        Assert.Contains("stubborn", Assert.Throws<TimeoutException>(() => ThrowOutcome(stubborn)).Message);
    }

    [Fact]
    public void A_loop_that_goes_on_has_no_outcome()
    {
        LoopStepper stepper = Make(_ => new TaskCompletionSource().Task);
        stepper.Step(out _);
        Assert.Throws<InvalidOperationException>(() => ThrowOutcome(stepper));
    }

    [Fact]
    public void An_ended_loop_has_closed_its_descriptors()
    {
        LoopStepper stepper = Make(async loop =>
        {
            _ = PipeEnd.CreatePair();
            _ = new EventSignal();
            await loop.Delay(TimeSpan.FromMilliseconds(1));
        });
        stepper.Step(out _);
        Assert.NotEmpty(_kernel.OpenNow);
        Assert.True(stepper.WaitDescriptor >= 0);
        RunAll(stepper);
        Assert.Equal(-1, stepper.WaitDescriptor);
        Assert.Empty(_kernel.OpenNow);
        Assert.Empty(_kernel.Faults);
    }

    [Fact]
    public void A_loop_disposed_of_before_its_end_lets_what_waits_unwind_and_closes_its_descriptors()
    {
        bool told = false;
        LoopStepper stepper = Make(async loop =>
        {
            try
            {
                await new EventSignal().WaitAsync();
            }
            catch (ObjectDisposedException)
            {
                told = loop.IsCurrent;
            }
        });
        StepUntilAsleep(stepper);
        stepper.Dispose();
        Assert.True(told);
        Assert.Empty(_kernel.OpenNow);
        Assert.True(stepper.HasEnded);
        Assert.False(stepper.Step(out _));
        Assert.Throws<ObjectDisposedException>(() => ThrowOutcome(stepper));
        stepper.Dispose();
    }

    [Fact]
    public void A_loop_disposed_of_before_its_first_step_runs_nothing()
    {
        bool ran = false;
        LoopStepper stepper = Make(_ =>
        {
            ran = true;
            return Task.CompletedTask;
        });
        stepper.Dispose();
        Assert.False(ran);
        Assert.Empty(_kernel.OpenNow);
    }

    [Fact]
    public void Inside_a_step_no_loop_is_run_or_stepped()
    {
        LoopStepper other = Make(_ => Task.CompletedTask);
        LoopStepper stepper = Make(async loop =>
        {
            Assert.Throws<InvalidOperationException>(() => EventLoop.Run(() => Task.CompletedTask));
            Assert.Throws<InvalidOperationException>(() => other.Step(out _));
            Assert.Throws<InvalidOperationException>(other.Dispose);
            Assert.False(other.HasEnded);
            await EventLoop.Yield();
            Assert.Same(loop, EventLoop.Current);
            // To make one is another matter: it runs when it is stepped.
            Make(_ => Task.CompletedTask).Loop.Post(() => { });
        });
        RunAll(stepper, other);
        ThrowOutcome(stepper);
        ThrowOutcome(other);
    }

    [Fact]
    public void Send_is_direct_on_the_loop_itself_and_refused_where_it_would_block_all_loops()
    {
        LoopStepper other = Make(loop => loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping).AsTask());
        LoopStepper stepper = Make(loop =>
        {
            int sent = 0;
            loop.SynchronizationContext.Send(_ => sent++, null);
            Assert.Equal(1, sent);
            Assert.Throws<InvalidOperationException>(() => other.Loop.SynchronizationContext.Send(_ => sent++, null));
            return Task.CompletedTask;
        });
        RunAll(stepper);
        ThrowOutcome(stepper);
    }

    [Theory]
    [InlineData(TimeSpan.TicksPerHour)]
    [InlineData(long.MaxValue)]
    public void A_loop_that_spins_stops_at_every_look(long spin)
    {
        LoopStepper stepper = Make(
            loop => loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping).AsTask(),
            o => o.SpinBeforeSleep = TimeSpan.FromTicks(spin));
        for (int i = 0; i < 20; i++)
        {
            Assert.True(stepper.Step(out long timeout));
            Assert.Equal(0, timeout);
            Assert.False(stepper.Loop.IsAsleep);
        }

        Assert.Equal(0, stepper.Loop.Statistics.Sleeps);
        Assert.Equal(1, stepper.Loop.Statistics.Turns);
        stepper.Dispose(); // does not spin to its end
        Assert.Empty(_kernel.OpenNow);
    }

    [Fact]
    public void What_a_hook_leaves_at_a_look_ends_the_spin()
    {
        var clock = new ManualClockKernel(Kernel.Linux);
        var instrument = new WaitHook();
        LoopStepper stepper = Make(
            loop => loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping).AsTask(),
            o =>
            {
                o.Kernel = clock;
                o.SpinBeforeSleep = TimeSpan.FromHours(1);
                o.Instruments.Add(instrument);
            });
        StepSome();
        bool ran = false;
        instrument.Next = loop => loop.Post(_ => ran = true, null);
        StepSome();
        Assert.True(ran);
        Task? delay = null;
        instrument.Next = loop => delay = loop.Delay(TimeSpan.FromMilliseconds(1)).AsTask();
        StepSome();
        clock.Advance(TimeSpan.FromMilliseconds(1));
        StepSome();
        Assert.True(delay!.IsCompletedSuccessfully);
        instrument.Next = _ => throw new FormatException();
        StepSome();
        Assert.Throws<FormatException>(() => ThrowOutcome(stepper));

        void StepSome()
        {
            for (int i = 0; i < 10; i++)
                stepper.Step(out _);
        }
    }

    [Fact]
    public void Instruments_see_every_wait_with_the_time_it_was_meant_to_take()
    {
        var instrument = new WaitLog();
        LoopStepper stepper = Make(loop => loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping).AsTask(), o => o.Instruments.Add(instrument));
        StepUntilAsleep(stepper);
        stepper.Loop.Stop();
        RunAll(stepper);
        Assert.Equal(["-1", "1"], instrument.Waits.Take(2));
        Assert.All(instrument.Waits.Skip(2).Where((_, i) => i % 2 == 0), start => Assert.Equal("0", start));
    }

    private LoopStepper Make(Func<EventLoop, Task> main, Action<LoopOptions>? configure = null)
    {
        var options = new LoopOptions { Kernel = _kernel, Driver = DriverKind.Epoll };
        configure?.Invoke(options);
        var stepper = new LoopStepper(() => main(EventLoop.Current!), options);
        _made.Add(stepper);
        return stepper;
    }

    /// <summary>Throws what Run would have thrown, if anything.</summary>
    private static void ThrowOutcome(LoopStepper stepper) => stepper.Outcome().GetAwaiter().GetResult();

    private static long StepUntilAsleep(LoopStepper stepper)
    {
        long timeout;
        do
            Assert.True(stepper.Step(out timeout));
        while (!stepper.Loop.IsAsleep);
        return timeout;
    }

    private static unsafe bool IsReadable(LoopStepper stepper)
    {
        PollEntry entry = new() { Descriptor = stepper.WaitDescriptor, Events = (short)EpollEvents.In };
        return Kernel.Linux.Poll(&entry, 1, 0) == 1;
    }

    /// <summary>Takes all of them to their ends: in turn those that would not wait, and when all would, poll(2) says who is next.</summary>
    private static unsafe void RunAll(params LoopStepper[] steppers)
    {
        Dictionary<LoopStepper, long> deadlines = steppers.ToDictionary(stepper => stepper, _ => 0L);
        PollEntry* entries = stackalloc PollEntry[steppers.Length];
        while (deadlines.Count > 0)
        {
            LoopStepper[] parked = [.. deadlines.Keys];
            for (int i = 0; i < parked.Length; i++)
                entries[i] = new PollEntry { Descriptor = parked[i].WaitDescriptor, Events = (short)EpollEvents.In };
            long now = Kernel.Linux.ClockGetTime(ClockId.Monotonic);
            long wait = Math.Min(deadlines.Values.Min() - now, TestLoop.Limit.Ticks * 100);
            int ready = Kernel.Linux.Poll(entries, (uint)parked.Length, wait <= 0 ? 0 : (int)(wait / 1_000_000) + 1);
            now = Kernel.Linux.ClockGetTime(ClockId.Monotonic);
            Assert.True(ready > 0 || deadlines.Values.Min() <= now, "All loops wait, and for nothing that comes.");
            for (int i = 0; i < parked.Length; i++)
            {
                if (entries[i].Returned == 0 && deadlines[parked[i]] > now)
                    continue;
                if (!parked[i].Step(out long timeout))
                    deadlines.Remove(parked[i]);
                else
                    deadlines[parked[i]] = timeout < 0 ? long.MaxValue : Kernel.Linux.ClockGetTime(ClockId.Monotonic) + timeout;
            }
        }
    }

    private sealed class WaitHook : LoopInstrument
    {
        internal Action<EventLoop>? Next;

        public override void WaitStarting(EventLoop loop, long timeout)
        {
            Action<EventLoop>? next = Next;
            Next = null;
            next?.Invoke(loop);
        }
    }

    private sealed class WaitLog : LoopInstrument
    {
        internal List<string> Waits { get; } = [];

        public override void WaitStarting(EventLoop loop, long timeout) => Waits.Add($"{timeout}");

        public override void WaitEnded(EventLoop loop, int events) => Waits.Add($"{events}");
    }
}
