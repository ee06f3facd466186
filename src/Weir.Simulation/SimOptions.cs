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
public sealed partial class SimOptions
{
    /// <summary>On what its threads run. Defaults to <see cref="SimMode.Stepping"/>.</summary>
    public SimMode Mode { get; set; } = SimMode.Stepping;

    /// <summary>How likely a running thread is preempted where it could be, under random scheduling. Defaults to 0.1.</summary>
    public double PreemptionProbability { get; set; } = 0.1;
}
