namespace Weir.Simulation.Tests.Findings;

/// <summary>What tests of findings have in common: a program of raw threads, and what it is found to do.</summary>
public abstract class FindingTests
{
    /// <summary>Runs threads of one process that make system calls, and nothing else, to their end.</summary>
    private protected static void Run(Action<Sim, Raw> setUp, SimOptions? options = null, ulong seed = 1)
    {
        options ??= new SimOptions();
        Sim.Run(
            seed,
            sim =>
            {
                setUp(sim, new Raw(sim.Kernel));
                return Task.CompletedTask;
            },
            options);
    }

    /// <summary>As <see cref="Run"/>; the finding.</summary>
    private protected static SimulationException Find(FindingKind kind, Action<Sim, Raw> setUp, SimOptions? options = null)
    {
        SimulationException finding = Assert.Throws<SimulationException>(() => Run(setUp, options));
        Assert.True(finding.Kind == kind, $"{kind} expected, but: {finding.Message}");
        return finding;
    }

    /// <summary>The first finding that one of a hundred schedules brings.</summary>
    private protected static SimulationException? FindAmongSeeds(Action<Sim, Raw> setUp, SimOptions? options = null)
    {
        for (ulong seed = 0; seed < 100; seed++)
        {
            try
            {
                Run(setUp, options, seed);
            }
            catch (SimulationException finding)
            {
                return finding;
            }
        }

        return null;
    }

    /// <summary>A reader on edges with a small buffer: waits for an event, then reads 4 bytes, once or until there is nothing; how many came.</summary>
    private protected static long ReadAfterEvent(Raw raw, int epoll, int fd, bool untilEmpty)
    {
        raw.Wait(epoll);
        long count, total = 0;
        do
        {
            count = raw.Read(fd, 4);
            total += Math.Max(count, 0);
        }
        while (untilEmpty && count > 0);
        return total;
    }

    private protected static SimOptions Watching(SimDetectors detectors) => new() { Detect = SimDetectors.Default | detectors };
}
