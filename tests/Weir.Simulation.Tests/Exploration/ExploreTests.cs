namespace Weir.Simulation.Tests;

public class ExploreTests
{
    [Theory]
    [InlineData(SimStrategy.Random)]
    [InlineData(SimStrategy.Pct)]
    [InlineData(SimStrategy.Mixed)]
    public void A_race_is_found_with_seeds_and_shrunk_to_one_preemption(SimStrategy strategy)
        => AssertOnePreemption(Find(new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads, Strategy = strategy }));

    [Fact]
    public void A_race_is_found_among_all_schedules_with_one_preemption()
        => AssertOnePreemption(Find(new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads, PreemptionBound = 1 }));

    [Fact]
    public void Without_a_preemption_the_race_does_not_occur()
    {
        ExploreResult result = Sim.Explore(RacyPrograms.CheckThenAct, new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads, PreemptionBound = 0 });
        Assert.True(result.IsExhausted);
    }

    [Fact]
    public void Stepped_loops_and_threads_beside_them_are_explored_too()
        => AssertOnePreemption(Find(new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Stepping }));

    [Fact]
    public void A_finding_says_in_words_what_is_special_about_its_schedule()
    {
        SimulationException finding = Find(new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads });
        Assert.Matches(@"taker \d was stopped before write\(fd \d+ eventfd\); taker \d ran instead", finding.Message);
        Assert.Contains("1 preemption, 0 faults", finding.Message);
    }

    [Fact]
    public void A_finding_is_replayed_from_its_token()
    {
        var options = new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads };
        SimulationException finding = Find(options);
        SimulationException again = Assert.Throws<SimulationException>(() => Sim.Replay(finding.ReplayToken!, RacyPrograms.CheckThenAct, options));
        Assert.IsType<RacyPrograms.LostUpdateException>(again.InnerException);
        Assert.Equal(finding.Seed, again.Seed);
        Assert.Equal(finding.ReplayToken, again.ReplayToken);
    }

    [Fact]
    public void The_seed_of_an_unshrunk_finding_finds_it_again()
    {
        SimulationException finding = Find(new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads, Shrink = false });
        SimulationException again = Assert.Throws<SimulationException>(
            () => Sim.Run(finding.Seed, RacyPrograms.CheckThenAct, new SimOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads }));
        Assert.Equal(finding.ReplayToken, again.ReplayToken);
    }

    [Fact]
    public void The_lowest_seed_that_finds_something_is_reported_whatever_the_number_of_workers()
    {
        ulong[] seeds = [.. Enumerable.Range(1, 3).Select(parallelism => Find(new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads, Parallelism = parallelism }).Seed)];
        Assert.Single(seeds.Distinct());
    }

    [Fact]
    public void A_harmless_program_is_run_as_often_as_asked()
    {
        ExploreResult result = Sim.Explore(RacyPrograms.Harmless, new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads, Runs = 200 });
        Assert.Equal(200, result.Runs);
        Assert.InRange(result.Schedules, 10, 200);
        Assert.InRange(result.Steps, 200 * 5, 200 * 100);
        Assert.False(result.IsExhausted);
    }

    [Fact]
    public void A_failure_that_needs_nothing_special_is_shrunk_to_nothing()
    {
        SimulationException finding = Assert.Throws<SimulationException>(() => Sim.Explore(
            sim =>
            {
                RacyPrograms.Harmless(sim);
                sim.Thread("broken", () => throw new InvalidOperationException("broken"));
                return Task.CompletedTask;
            },
            new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads }));
        Assert.Contains("Nothing special is needed", finding.Message);
        Assert.Contains("broken", finding.Message);
    }

    [Fact]
    public void A_failure_that_needs_two_threads_stopped_is_shrunk_to_two_preemptions()
    {
        SimulationException finding = Assert.Throws<SimulationException>(() => Sim.Explore(
            sim =>
            {
                int fd = sim.Kernel.EventFd(0, EventFdFlags.NonBlock);
                int stage = 0;
                sim.Thread("first", () =>
                {
                    for (int i = 0; i < 5; i++)
                        RacyPrograms.Write(sim.Kernel, fd);
                    stage = 1;
                    RacyPrograms.Write(sim.Kernel, fd);
                    if (stage == 2)
                        throw new RacyPrograms.LostUpdateException();
                });
                sim.Thread("second", () =>
                {
                    RacyPrograms.Write(sim.Kernel, fd);
                    if (stage != 1)
                        return;
                    stage = 2;
                    RacyPrograms.Write(sim.Kernel, fd);
                    stage = 3;
                });
                return Task.CompletedTask;
            },
            new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads, Runs = 10_000 }));
        Assert.Contains("to 2 preemptions, 0 faults", finding.Message);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(0)]
    public void A_failure_that_needs_a_fault_is_shrunk_to_one(int? bound)
    {
        SimulationException finding = Assert.Throws<SimulationException>(() => Sim.Explore(
            sim =>
            {
                int fd = sim.Kernel.EventFd(0, EventFdFlags.NonBlock);
                sim.Thread("unlucky", () =>
                {
                    for (int i = 0; i < 10; i++)
                    {
                        RacyPrograms.Write(sim.Kernel, fd);
                        if (sim.World.Choices.Strikes(0.2) && i == 7)
                            throw new TimeoutException();
                    }
                });
                return Task.CompletedTask;
            },
            new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads, PreemptionBound = bound, FaultBound = 1 }));
        Assert.IsType<TimeoutException>(finding.InnerException);
        Assert.Contains("0 preemptions, 1 fault, 1 choice", finding.Message);
        Assert.Contains("a fault struck", finding.Message);
    }

    [Fact]
    public void Lost_wakes_of_a_hand_made_protocol_are_found_as_deadlocks()
    {
        SimulationException finding = Assert.Throws<SimulationException>(() => Sim.Explore(
            sim =>
            {
                int fd = sim.Kernel.EventFd(0, EventFdFlags.CloseOnExec);
                int other = sim.Kernel.EventFd(0, EventFdFlags.NonBlock);
                bool sleeps = false;
                sim.Thread("sleeper", () =>
                {
                    RacyPrograms.Read(sim.Kernel, other, out _);
                    sleeps = true;
                    RacyPrograms.Read(sim.Kernel, fd, out _);
                });
                sim.Thread("waker", () =>
                {
                    if (sleeps) // looks too early, and never again
                        RacyPrograms.Write(sim.Kernel, fd);
                });
                return Task.CompletedTask;
            },
            new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads }));
        Assert.Equal(FindingKind.Deadlock, finding.Kind);
        Assert.Contains("Shrunk in", finding.Message);
    }

    [Fact]
    public void Progress_is_reported_on_the_thread_that_waits()
    {
        int calls = 0;
        Thread? caller = null;
        Sim.Explore(
            RacyPrograms.Harmless,
            new ExploreOptions
            {
                Detect = RacyPrograms.NoLeaks,
                Mode = SimMode.Threads,
                Runs = long.MaxValue,
                TimeLimit = TimeSpan.FromSeconds(1.5),
                Progress = progress =>
                {
                    caller = Thread.CurrentThread;
                    calls++;
                    Assert.True(progress.Runs > 0);
                },
            });
        Assert.InRange(calls, 1, 2);
        Assert.Same(Thread.CurrentThread, caller);
    }

    [Fact]
    public void A_report_of_progress_that_throws_ends_the_exploration_with_that()
    {
        var options = new ExploreOptions
        {
            Detect = RacyPrograms.NoLeaks,
            Mode = SimMode.Threads,
            Runs = long.MaxValue,
            Progress = _ => throw new TimeoutException("enough"),
        };
        Assert.Equal("enough", Assert.Throws<TimeoutException>(() => Sim.Explore(RacyPrograms.Harmless, options)).Message);
    }

    [Fact]
    public void Live_mode_has_no_schedules_to_explore()
        => Assert.Throws<InvalidOperationException>(() => Sim.Explore(RacyPrograms.Harmless, new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Live }));

    private static SimulationException Find(ExploreOptions options)
    {
        SimulationException finding = Assert.Throws<SimulationException>(() => Sim.Explore(RacyPrograms.CheckThenAct, options));
        Assert.Equal(FindingKind.Failure, finding.Kind);
        Assert.IsType<RacyPrograms.LostUpdateException>(finding.InnerException);
        return finding;
    }

    private static void AssertOnePreemption(SimulationException finding)
    {
        Assert.NotNull(Schedule.TryParse(finding.ReplayToken!, out _));
        Assert.Contains("to 1 preemption, 0 faults", finding.Message);
    }
}
