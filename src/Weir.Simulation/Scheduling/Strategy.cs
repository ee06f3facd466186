namespace Weir.Simulation;

/// <summary>How choices are made. One object for one run.</summary>
internal abstract class Strategy
{
    /// <summary>An index into <paramref name="runnable"/>; <paramref name="preempts"/>: its first entry runs now and could go on.</summary>
    internal abstract int ChooseThread(List<SimThread> runnable, bool preempts);

    internal abstract bool Strikes(double probability);

    internal abstract int Choose(ChoiceKind kind, int options);

    /// <summary>The one that options and seed stand for, so that nothing else needs to be known to run it again.</summary>
    internal static Strategy For(ulong seed, SimOptions options) => options.Strategy switch
    {
        SimStrategy.RoundRobin => new RoundRobinStrategy(),
        SimStrategy.Random => new RandomStrategy(seed, options.PreemptionProbability),
        SimStrategy.Pct => new PctStrategy(seed, options.PriorityChanges, options.ExpectedSteps),
        _ when seed % 2 == 0 => new RandomStrategy(seed, options.PreemptionProbability),
        _ => new PctStrategy(seed, options.PriorityChanges, options.ExpectedSteps),
    };
}

/// <summary>Nothing special ever happens: threads run until they block, and then the next in turn.</summary>
internal sealed class RoundRobinStrategy : Strategy
{
    internal override int ChooseThread(List<SimThread> runnable, bool preempts) => 0;

    internal override bool Strikes(double probability) => false;

    internal override int Choose(ChoiceKind kind, int options) => 0;
}
