namespace Weir.Simulation.Tests.Findings;

public class StarvationTests : FindingTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_event_that_waits_while_a_task_goes_on_and_on_is_found_unless_it_gives_way(bool givesWay)
    {
        void Program(Sim sim, Raw raw) => sim.Thread("server", () =>
        {
            int epoll = raw.Epoll(), quiet = raw.Counter(), busy = raw.Counter();
            raw.Add(epoll, quiet, Raw.In);
            raw.Signal(quiet);
            for (int i = 0; i < 20_000; i++)
            {
                raw.Signal(busy);
                raw.Take(busy);
                if (givesWay && i % 100 == 0 && raw.Wait(epoll, 0).Count == 1)
                    raw.Take(quiet);
            }

            raw.Close(epoll, quiet, busy);
        });
        SimOptions options = Watching(SimDetectors.Starvation);
        options.StarvationLimit = 10_000;
        if (givesWay)
            Run(Program, options);
        else
            Assert.Contains("nobody has asked", Find(FindingKind.Starvation, Program, options).Summary);
    }

    [Fact]
    public void A_thread_that_is_not_let_run_for_longer_than_it_may_wait_is_found()
    {
        // The scheduler itself lets nobody make more than a few hundred calls in a row.
        SimOptions options = Watching(SimDetectors.Starvation);
        options.StarvationLimit = 100;
        options.Strategy = SimStrategy.RoundRobin;
        SimulationException finding = Find(
            FindingKind.Starvation,
            (sim, raw) =>
            {
                sim.Thread("greedy", () => Spend(raw));
                sim.Thread("modest", () => Spend(raw));
            },
            options);
        Assert.Contains("could run and has not been let", finding.Summary);
    }

    private static void Spend(Raw raw)
    {
        int fd = raw.Counter();
        for (int i = 0; i < 20_000; i++)
            raw.Signal(fd);
        raw.Close(fd);
    }
}
