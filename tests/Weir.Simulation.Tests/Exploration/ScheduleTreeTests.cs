namespace Weir.Simulation.Tests;

// Two threads of m and n calls: before each call, and where a thread begins, the other may go on, so that they consist of m + 1 and n + 1 pieces.
public class ScheduleTreeTests
{
    [Theory]
    [InlineData(1, 1, 6)] // 4 over 2
    [InlineData(2, 2, 20)] // 6 over 3
    [InlineData(3, 2, 35)] // 7 over 4
    [InlineData(4, 4, 252)] // 10 over 5
    public void All_interleavings_of_two_threads_are_run(int first, int second, long expected)
    {
        ExploreResult result = Explore(RacyPrograms.Callers(first, second), bound: 100);
        Assert.True(result.IsExhausted);
        Assert.Equal(expected, result.Runs);
        Assert.Equal(expected, result.Schedules);
    }

    [Theory]
    [InlineData(2, 2, 0, 2)] // either first
    [InlineData(2, 2, 1, 6)] // and either stopped before one of its calls
    [InlineData(3, 5, 1, 2 + 3 + 5)]
    [InlineData(3, 3, 2, 2 + 6 + 2 * 3 * 3)] // and the other stopped before one of its own
    public void Preemptions_are_bounded(int first, int second, int bound, long expected)
        => Assert.Equal(expected, Explore(RacyPrograms.Callers(first, second), bound).Runs);

    [Fact]
    public void Three_threads_that_are_not_stopped_run_in_all_orders()
        => Assert.Equal(6, Explore(RacyPrograms.Callers(3, 1, 2), bound: 0).Runs);

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1 + 2 + 1)] // 0 1 2; 1 2 0, 2 0 1; 0 2 1
    [InlineData(2, 6)]
    public void Free_choices_can_be_bounded_too(int delays, long expected)
        => Assert.Equal(expected, Explore(RacyPrograms.Callers(1, 1, 1), bound: 0, options => options.DelayBound = delays).Runs);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Each_schedule_is_run_once_whatever_the_number_of_workers(int parallelism)
    {
        var seen = new HashSet<string>();
        ExploreResult result = new Explorer(
            sim =>
            {
                int fd = sim.Kernel.EventFd(0, EventFdFlags.NonBlock);
                var order = new List<char>();
                foreach (char name in "ab")
                {
                    sim.Thread(name.ToString(), () =>
                    {
                        for (int i = 0; i < 4; i++)
                        {
                            order.Add(name);
                            RacyPrograms.Write(sim.Kernel, fd);
                        }

                        order.Add(name);
                        if (order.Count < 10)
                            return;
                        lock (seen)
                            Assert.True(seen.Add(string.Concat(order)) || order.SequenceEqual("aaaaabbbbb")); // the first run is done twice
                    });
                }
            },
            new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads, PreemptionBound = 100, FewestFirst = false, Parallelism = parallelism }).Run();
        Assert.Equal(252, result.Runs);
        Assert.Equal(252, seen.Count);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1 + 5)]
    [InlineData(2, 1 + 5 + 10)]
    public void Faults_strike_wherever_they_can_up_to_a_bound(int faults, long expected)
        => Assert.Equal(expected, Explore(Asks(choices => choices.Strikes(0.01), 5), bound: 0, options => options.FaultBound = faults).Runs);

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 27)]
    public void All_ways_of_the_world_are_gone_if_asked_for(bool all, long expected)
        => Assert.Equal(expected, Explore(Asks(choices => choices.World(3), 3), bound: 0, options => options.AllWorlds = all).Runs);

    [Fact]
    public void Stores_are_held_back_in_all_ways()
        => Assert.Equal(16, Explore(Asks(choices => choices.HoldsStore(), 4), bound: 0).Runs);

    [Fact]
    public void A_thread_that_waits_for_another_by_trying_does_not_make_a_tree_endless()
    {
        ExploreResult result = Explore(
            sim =>
            {
                int fd = sim.Kernel.EventFd(0, EventFdFlags.NonBlock);
                sim.Thread("spinner", () =>
                {
                    while (RacyPrograms.Read(sim.Kernel, fd, out _) < 0)
                    {
                    }
                });
                sim.Thread("writer", () => RacyPrograms.Write(sim.Kernel, fd));
            },
            bound: 0);
        Assert.True(result.IsExhausted);
        Assert.Equal(2, result.Runs);
    }

    [Fact]
    public void A_program_that_does_not_follow_from_its_choices_is_reported()
    {
        int runs = 0;
        SimulationException finding = Assert.Throws<SimulationException>(
            () => Explore(sim => RacyPrograms.Callers(1, 1 + (Interlocked.Increment(ref runs) + 1) / 3)(sim), bound: 100, options => options.Parallelism = 1));
        Assert.Equal(FindingKind.Nondeterminism, finding.Kind);
    }

    private static Action<Sim> Asks(Action<Choices> ask, int times) => sim => sim.Thread("asker", () =>
    {
        for (int i = 0; i < times; i++)
            ask(sim.World.Choices);
    });

    [Fact]
    public void A_tree_that_is_cut_off_is_not_exhausted()
    {
        ExploreResult result = Explore(RacyPrograms.Callers(4, 4), bound: 100, options => options.Runs = 100);
        Assert.Equal(100, result.Runs);
        Assert.False(result.IsExhausted);
    }

    [Fact]
    public void Time_can_be_limited()
        => Assert.False(Explore(RacyPrograms.Callers(1000, 1000), bound: 100, options => options.TimeLimit = TimeSpan.FromMilliseconds(50)).IsExhausted);

    private static ExploreResult Explore(Action<Sim> start, int bound, Action<ExploreOptions>? configure = null)
    {
        var options = new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads, PreemptionBound = bound, FewestFirst = false };
        configure?.Invoke(options);
        return new Explorer(start, options).Run();
    }
}
