namespace Weir.Simulation.Tests;

public class StrategyTests
{
    [Fact]
    public void Random_numbers_are_the_same_for_ever()
    {
        var random = new SeededRandom(42);
        Assert.Equal(0xBDD732262FEB6E95, random.NextUInt64());
        Assert.Equal(0x28EFE333B266F103ul, random.NextUInt64());
    }

    [Fact]
    public void Priorities_run_one_thread_after_the_other_but_for_the_changes()
    {
        for (ulong seed = 0; seed < 100; seed++)
        {
            List<Choice> choices = Choices(new PctStrategy(seed, changes: 2, expectedSteps: 40), 20, 20, 20);
            Assert.InRange(choices.Count(choice => choice.IsPreemption), 0, 2);
        }
    }

    [Fact]
    public void Priorities_change_where_the_seed_says_and_reach_every_step()
    {
        var stopped = new HashSet<int>();
        for (ulong seed = 0; seed < 2000; seed++)
        {
            List<Choice> choices = Choices(new PctStrategy(seed, changes: 1, expectedSteps: 20), 10, 10);
            stopped.Add(choices.FindIndex(choice => choice.IsPreemption));
        }

        Assert.Superset(Enumerable.Range(1, 10).ToHashSet(), stopped);
    }

    [Fact]
    public void One_that_waits_for_another_by_trying_does_not_keep_it_from_running()
    {
        for (ulong seed = 0; seed < 20; seed++)
        {
            var choices = new Choices(new PctStrategy(seed, 3, 0)) { PointLimit = 100_000 };
            Run(choices, sim =>
            {
                int fd = sim.Kernel.EventFd(0, EventFdFlags.NonBlock);
                sim.Thread("spinner", () =>
                {
                    while (RacyPrograms.Read(sim.Kernel, fd, out _) < 0)
                    {
                    }
                });
                sim.Thread("writer", () => RacyPrograms.Write(sim.Kernel, fd));
            });
        }
    }

    [Fact]
    public void Round_robin_stops_nobody()
        => Assert.DoesNotContain(Choices(new RoundRobinStrategy(), 5, 5, 5), choice => choice.IsSpecial);

    [Fact]
    public void A_replay_takes_what_was_taken()
    {
        List<Choice> choices = Choices(new RandomStrategy(3, 0.5), 10, 10);
        Assert.Contains(choices, choice => choice.IsPreemption);
        Assert.Equal(choices, Choices(new ReplayStrategy(Schedule.TakenOf(choices)), 10, 10));
    }

    private static List<Choice> Choices(Strategy strategy, params int[] calls)
    {
        var choices = new Choices(strategy);
        Run(choices, RacyPrograms.Callers(calls));
        return choices.Taken;
    }

    private static void Run(Choices choices, Action<Sim> start)
        => new Sim(1, choices, new SimOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads }).RunToEnd(start);
}
