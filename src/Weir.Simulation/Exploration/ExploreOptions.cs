namespace Weir.Simulation;

/// <summary>Which runs <see cref="Sim.Explore"/> does.</summary>
public sealed class ExploreOptions : SimOptions
{
    /// <summary>
    /// How many runs at most. Defaults to null: 1000 with seeds, 1,000,000 when <see cref="PreemptionBound"/> asks for all schedules.
    /// </summary>
    public long? Runs { get; set; }

    /// <summary>The seed of the first run; each further run has the next. Defaults to 1.</summary>
    /// <remarks>When all schedules are run, all have this seed, which then determines <see cref="Sim.Random"/> alone.</remarks>
    public ulong FirstSeed { get; set; } = 1;

    /// <summary>
    /// Runs all schedules in which at most so many times a thread is stopped that could have gone on, instead of seeds. Most bugs need one or two.
    /// Defaults to null: seeds.
    /// </summary>
    /// <remarks>
    /// Turns of stepped loops are not preempted: whose turn it is is a free choice, all of which are run unless <see cref="DelayBound"/> says otherwise.
    /// </remarks>
    public int? PreemptionBound { get; set; }

    /// <summary>
    /// With <see cref="PreemptionBound"/>: first runs all schedules with no preemption, then those with at most one, and so on. A finding then needs the
    /// fewest there are; schedules with few are run again on each level, which hardly shows, since each is so much larger than the one before. Defaults
    /// to true.
    /// </summary>
    public bool FewestFirst { get; set; } = true;

    /// <summary>
    /// With <see cref="PreemptionBound"/>: how often at most, where the running thread cannot go on, another than the next in turn does. Defaults to no bound.
    /// </summary>
    public int DelayBound { get; set; } = int.MaxValue;

    /// <summary>With <see cref="PreemptionBound"/>: how many faults at most strike in a run, each wherever it can. Defaults to 0.</summary>
    public int FaultBound { get; set; }

    /// <summary>With <see cref="PreemptionBound"/>: also runs all ways in which the world can go (delays, orders, sizes). Defaults to false.</summary>
    public bool AllWorlds { get; set; }

    /// <summary>How many runs are done at once, each on a thread of its own. Defaults to the number of processors.</summary>
    public int Parallelism { get; set; } = Environment.ProcessorCount;

    /// <summary>No run is begun after so much real time. Defaults to null: no limit.</summary>
    public TimeSpan? TimeLimit { get; set; }

    /// <summary>Called each second on the thread that called <see cref="Sim.Explore"/>. Defaults to null: a line on the console, from the fifth second on.</summary>
    public Action<ExploreProgress>? Progress { get; set; }

    /// <summary>Looks for the least that must happen for the failure to occur. Defaults to true.</summary>
    public bool Shrink { get; set; } = true;

    /// <summary>How long in real time it looks. Defaults to 10 seconds.</summary>
    public TimeSpan ShrinkTime { get; set; } = TimeSpan.FromSeconds(10);

    internal bool IsExhaustive => PreemptionBound != null;

    internal long MostRuns => Runs ?? (IsExhaustive ? 1_000_000 : 1000);

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(MostRuns, nameof(Runs));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Parallelism);
        ArgumentOutOfRangeException.ThrowIfNegative(PreemptionBound ?? 0, nameof(PreemptionBound));
        ArgumentOutOfRangeException.ThrowIfNegative(DelayBound);
        ArgumentOutOfRangeException.ThrowIfNegative(FaultBound);
        if (Mode == SimMode.Live)
            throw new InvalidOperationException("Nothing is deterministic in live mode: there are no schedules to explore.");
    }
}

/// <summary>How far <see cref="Sim.Explore"/> has come.</summary>
/// <param name="Runs">Runs that have ended.</param>
/// <param name="Steps">What happened in them: system calls and the like.</param>
/// <param name="Elapsed">Real time since it began.</param>
public readonly record struct ExploreProgress(long Runs, long Steps, TimeSpan Elapsed);

/// <summary>What <see cref="Sim.Explore"/> has done, having found nothing.</summary>
public sealed class ExploreResult
{
    internal ExploreResult()
    {
    }

    /// <summary>Runs that were done.</summary>
    public required long Runs { get; init; }

    /// <summary>How many different schedules they had.</summary>
    public required long Schedules { get; init; }

    /// <summary>What happened in them: system calls and the like.</summary>
    public required long Steps { get; init; }

    /// <summary>No schedule within the bounds is left. Never true of seeds.</summary>
    public required bool IsExhausted { get; init; }

    /// <summary>Real time that it took.</summary>
    public required TimeSpan Elapsed { get; init; }

    /// <inheritdoc/>
    public override string ToString()
        => $"{Runs} runs, {Schedules} schedules{(IsExhausted ? " (all there are within the bounds)" : "")}, {Steps} steps in {Elapsed.TotalSeconds:0.0} s";
}
