namespace Weir.Simulation.Tests;

public class DeterminismTests
{
    private static readonly SimOptions Twice = new() { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads, CheckDeterminism = true };

    [Fact]
    public void A_program_that_follows_from_its_seed_passes()
    {
        for (ulong seed = 0; seed < 20; seed++)
        {
            Sim.Run(seed, RacyPrograms.Harmless, Twice);
            Sim.Run(seed, WritesRandomNumbersOfTheSimulation, Twice);
        }
    }

    [Fact]
    public void State_that_outlives_a_run_is_reported_with_the_first_step_that_differs()
    {
        int runs = 0;
        SimulationException finding = Assert.Throws<SimulationException>(() => Sim.Run(
            1,
            sim =>
            {
                int fd = sim.Kernel.EventFd(0, EventFdFlags.NonBlock);
                if (runs++ > 0)
                    RacyPrograms.Read(sim.Kernel, fd, out _);
                RacyPrograms.Write(sim.Kernel, fd);
                return Task.CompletedTask;
            },
            Twice));
        Assert.Equal(FindingKind.Nondeterminism, finding.Kind);
        Assert.Matches(@"first run: .*main: .*write\(.*\n.*second run: .*main: .*read\(", finding.Message);
    }

    [Fact]
    public void Explore_finds_a_generator_that_nobody_seeds_in_its_first_run()
    {
        SimulationException finding = Assert.Throws<SimulationException>(() => Sim.Explore(
            sim =>
            {
                int fd = sim.Kernel.EventFd(0, EventFdFlags.NonBlock);
                for (int i = 0; i < 64; i++)
                {
                    if (System.Random.Shared.Next(2) == 0)
                        RacyPrograms.Write(sim.Kernel, fd);
                    else
                        RacyPrograms.Read(sim.Kernel, fd, out _);
                }

                return Task.CompletedTask;
            },
            new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads }));
        Assert.Equal(FindingKind.Nondeterminism, finding.Kind);
        Assert.Contains("Random.Shared", finding.Message);
    }

    [Fact]
    public void A_run_that_only_ends_otherwise_is_reported_too()
    {
        int runs = 0;
        SimulationException finding = Assert.Throws<SimulationException>(() => Sim.Run(1, _ => runs++ > 0 ? throw new InvalidOperationException("second") : Task.CompletedTask, Twice));
        Assert.Equal(FindingKind.Nondeterminism, finding.Kind);
        Assert.Contains("second", finding.Message);
    }

    [Fact]
    public void A_failure_that_follows_from_the_seed_is_reported_as_what_it_is()
    {
        SimulationException finding = Assert.Throws<SimulationException>(() => Sim.Run(1, _ => throw new InvalidOperationException("broken"), Twice));
        Assert.Equal(FindingKind.Failure, finding.Kind);
    }

    [Fact]
    public void What_escaped_to_the_thread_pool_is_named_as_such()
    {
        SimulationException finding = Assert.Throws<SimulationException>(() => Sim.Run(
            1,
            sim =>
            {
                int fd = sim.Kernel.EventFd(0, EventFdFlags.NonBlock);
                Task.Run(() => RacyPrograms.Read(sim.Kernel, fd, out _)).GetAwaiter().GetResult();
                return Task.CompletedTask;
            },
            Twice));
        Assert.Equal(FindingKind.Escape, finding.Kind);
    }

    private static Task WritesRandomNumbersOfTheSimulation(Sim sim)
    {
        int fd = sim.Kernel.EventFd(0, EventFdFlags.NonBlock);
        for (int i = sim.Random.Next(20); i > 0; i--)
            RacyPrograms.Write(sim.Kernel, fd, (ulong)sim.Random.Next(100));
        return Task.CompletedTask;
    }
}
