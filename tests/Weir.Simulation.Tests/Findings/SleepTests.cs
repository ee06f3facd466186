namespace Weir.Simulation.Tests.Findings;

/// <summary>Deadlocks, lost wake-ups, and work that leaves the simulation.</summary>
public class SleepTests : FindingTests
{
    [Fact]
    public void A_deadlock_names_who_waits_for_what()
    {
        SimulationException finding = Find(FindingKind.Deadlock, (sim, raw) =>
        {
            int first = raw.Counter(flags: 0), second = raw.Counter(flags: 0);
            sim.Thread("one", () =>
            {
                raw.Take(first);
                raw.Signal(second);
            });
            sim.Thread("other", () =>
            {
                raw.Take(second);
                raw.Signal(first);
            });
        });
        Assert.Contains("2 threads", finding.Summary);
        Assert.Matches(@"one \(thread 1 of main\): read\(fd \d, eventfd #\d\) since", finding.Message);
        Assert.Contains("Seed 1", finding.Message);
        Assert.Contains("Descriptors of main", finding.Message);
        Assert.Contains("Last steps", finding.Message);
    }

    [Fact]
    public void Threads_that_signal_first_and_wait_then_pass()
        => Run((sim, raw) =>
        {
            int first = raw.Counter(flags: 0), second = raw.Counter(flags: 0);
            sim.Thread("one", () =>
            {
                raw.Signal(second);
                raw.Take(first);
                raw.Close(first);
            });
            sim.Thread("other", () =>
            {
                raw.Signal(first);
                raw.Take(second);
                raw.Close(second);
            });
        });

    [Theory]
    [InlineData(SimMode.Stepping)]
    [InlineData(SimMode.Threads)]
    public void A_loop_that_waits_for_what_never_comes_is_a_deadlock(SimMode mode)
    {
        SimulationException finding = Assert.Throws<SimulationException>(() => Sim.Run(1, _ => new TaskCompletionSource().Task, new SimOptions { Mode = mode }));
        Assert.True(finding.Kind == FindingKind.Deadlock, finding.Message);
        Assert.Contains("main (thread 0 of main): epoll_", finding.Summary);
    }

    // A mailbox with a sleeping flag. The sleeper that looks at the mail first and only then says that it sleeps loses what comes between.
    private static void Mailbox(Sim sim, Raw raw, bool saysFirst)
    {
        bool sleeps = false, mail = false;
        int wake = raw.Counter();
        sim.WatchForLostWakes("sleeper", () => mail);
        sim.Thread("sleeper", () =>
        {
            int epoll = raw.Epoll();
            raw.Add(epoll, wake, Raw.In | Raw.EdgeTriggered);
            if (saysFirst)
                sleeps = true;
            bool nothing = !mail;
            raw.Wait(epoll, 0); // others may go on here
            if (!saysFirst)
                sleeps = true;
            while (saysFirst ? !mail : nothing)
            {
                raw.Wait(epoll);
                nothing = !mail;
            }

            mail = false;
            raw.Close(epoll, wake);
        });
        sim.Thread("poster", () =>
        {
            mail = true;
            if (sleeps)
                raw.Signal(wake);
        });
    }

    [Fact]
    public void A_wake_up_lost_between_the_look_and_the_sleep_is_found()
    {
        SimulationException? finding = FindAmongSeeds((sim, raw) => Mailbox(sim, raw, saysFirst: false));
        Assert.NotNull(finding);
        Assert.True(finding.Kind == FindingKind.LostWake, finding.Message);
        Assert.Contains("sleeper has work", finding.Summary);
    }

    [Fact]
    public void A_sleeper_that_says_so_before_it_looks_passes() => Assert.Null(FindAmongSeeds((sim, raw) => Mailbox(sim, raw, saysFirst: true)));

    [Theory]
    [InlineData(SimMode.Stepping)]
    [InlineData(SimMode.Threads)]
    public void A_post_whose_wake_up_fails_is_a_lost_wake_up_even_while_timers_go_on(SimMode mode)
    {
        SimulationException finding = Assert.Throws<SimulationException>(() => Sim.Run(
            1,
            async sim =>
            {
                SimLoop other = sim.Loop("other", () => EventLoop.Current!.Delay(TimeSpan.FromDays(1)).AsTask());
                while (other.EventLoop is not { IsAsleep: true })
                    await EventLoop.Current!.Delay(TimeSpan.FromSeconds(1));
                sim.Faults.FailNext(SystemCall.Write, Errno.EIO);
                other.EventLoop.Post(() => { });
                await EventLoop.Current!.Delay(TimeSpan.FromSeconds(1));
            },
            new SimOptions { Mode = mode }));
        Assert.True(finding.Kind == FindingKind.LostWake, finding.Message);
        Assert.Contains("Loop other", finding.Summary);
    }

    [Fact]
    public void Timers_set_from_elsewhere_for_later_than_a_sleeper_wakes_are_no_lost_wake_up()
        => Sim.Run(1, async sim =>
        {
            SimLoop other = sim.Loop("other", () => EventLoop.Current!.Delay(TimeSpan.FromMinutes(1)).AsTask());
            while (other.EventLoop is not { IsAsleep: true })
                await EventLoop.Current!.Delay(TimeSpan.FromSeconds(1));
            using ITimer timer = other.EventLoop.TimeProvider.CreateTimer(_ => { }, null, TimeSpan.FromHours(1), Timeout.InfiniteTimeSpan);
            await EventLoop.Current!.Delay(TimeSpan.FromMinutes(2));
        });

    [Theory]
    [InlineData(SimMode.Stepping)]
    [InlineData(SimMode.Threads)]
    public void Work_on_the_thread_pool_is_found_when_it_calls(SimMode mode)
    {
        SimulationException finding = Assert.Throws<SimulationException>(() => Sim.Run(
            1,
            async sim => await Task.Run(() => sim.Kernel.EventFd(0, EventFdFlags.CloseOnExec)),
            new SimOptions { Mode = mode, EscapePatience = TimeSpan.FromMinutes(1) }));
        Assert.True(finding.Kind == FindingKind.Escape, finding.Message);
        Assert.Contains("eventfd", finding.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData(SimMode.Stepping)]
    [InlineData(SimMode.Threads)]
    public void A_delay_on_the_frameworks_timer_is_found_when_it_comes_back(SimMode mode)
    {
        SimulationException finding = Assert.Throws<SimulationException>(() => Sim.Run(
            1,
            async _ => await Task.Delay(100),
            new SimOptions { Mode = mode, EscapePatience = TimeSpan.FromMinutes(1) }));
        Assert.True(finding.Kind == FindingKind.Escape, finding.Message);
    }

    [Fact]
    public void A_delay_on_the_loops_clock_passes()
        => Sim.Run(1, async _ => await Task.Delay(TimeSpan.FromDays(1), EventLoop.Current!.TimeProvider));
}
