namespace Weir.Simulation;

/// <summary>On what the threads of a simulation run.</summary>
public enum SimMode
{
    /// <summary>All loops on one thread, a turn at a time; <see cref="Sim.Thread"/>s beside them. Fast, and easy to debug.</summary>
    Stepping,

    /// <summary>Every loop on a real thread of its own that can be preempted at each system call; one runs at a time.</summary>
    Threads,

    /// <summary>Ordinary threads in real time; nothing is deterministic.</summary>
    Live,
}

/// <summary>How a simulation runs.</summary>
public partial class SimOptions
{
    /// <summary>On what its threads run. Defaults to <see cref="SimMode.Stepping"/>.</summary>
    public SimMode Mode { get; set; } = SimMode.Stepping;

    /// <summary>How its loops wait, unless their own options say otherwise. Defaults to <see cref="DriverKind.Epoll"/>.</summary>
    public DriverKind Driver { get; set; } = DriverKind.Epoll;

    /// <summary>What counts as an edge for an edge-triggered registration. Defaults to <see cref="EdgeSemantics.Linux"/>.</summary>
    public EdgeSemantics Edges { get; set; } = EdgeSemantics.Linux;

    /// <summary>How the seed decides who runs when. Defaults to <see cref="SimStrategy.Mixed"/>.</summary>
    public SimStrategy Strategy { get; set; } = SimStrategy.Mixed;

    /// <summary>How likely a running thread is preempted where it could be, under random scheduling. Defaults to 0.1.</summary>
    public double PreemptionProbability { get; set; } = 0.1;

    /// <summary>How often a running thread falls below all others, under <see cref="SimStrategy.Pct"/>. Defaults to 3.</summary>
    public int PriorityChanges { get; set; } = 3;

    /// <summary>
    /// About how many choices between threads a run has: <see cref="SimStrategy.Pct"/> spreads its changes over so many. Defaults to 0: each seed
    /// takes a power of two between 8 and 8192.
    /// </summary>
    public int ExpectedSteps { get; set; }

    /// <summary>
    /// Does each run twice and compares all steps: a difference is reported as <see cref="FindingKind.Nondeterminism"/>. Defaults to false;
    /// <see cref="Sim.Explore"/> does its first run twice in any case.
    /// </summary>
    public bool CheckDeterminism { get; set; }

    /// <summary>Gets all that happens in the run, in place of what it held before. Defaults to null.</summary>
    /// <remarks><see cref="Sim.Explore"/> fills it with the run of the finding that it reports, and with nothing if it finds nothing.</remarks>
    public SimTrace? Trace { get; set; }

    /// <summary>Makes the memory that threads share at marked operations; null: one that keeps the rules.</summary>
    internal Func<World, StoreBuffers>? Memory { get; set; }
}
