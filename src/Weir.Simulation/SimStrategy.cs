namespace Weir.Simulation;

/// <summary>How a seed decides who runs when.</summary>
public enum SimStrategy
{
    /// <summary>Even seeds: <see cref="Random"/>, odd ones: <see cref="Pct"/>. What one of them hardly ever finds, the other often does.</summary>
    Mixed,

    /// <summary>At each system call another thread may go on instead, any of them (<see cref="SimOptions.PreemptionProbability"/>).</summary>
    Random,

    /// <summary>
    /// Random priorities: the highest runs, and at few random moments it falls below all others (<see cref="SimOptions.PriorityChanges"/>).
    /// Finds what needs few changes at the right moments, in long programs too.
    /// </summary>
    Pct,

    /// <summary>Threads run until they block, then the next in turn; no fault strikes. The same for every seed.</summary>
    RoundRobin,
}
