namespace Weir.Simulation;

/// <summary>Every choice is drawn, from a generator that a seed determines on every machine and runtime.</summary>
internal sealed class RandomStrategy(ulong seed, double preemption) : Strategy
{
    private SeededRandom _random = new(seed);

    internal override int ChooseThread(List<SimThread> runnable, bool preempts)
    {
        // At every call anybody else could go on; a change each time would be as uniform as none.
        if (preempts && _random.NextDouble() >= preemption)
            return 0;
        return _random.Next(runnable.Count);
    }

    internal override bool Strikes(double probability) => _random.NextDouble() < probability;

    internal override int Choose(ChoiceKind kind, int options) => _random.Next(options);
}

/// <summary>SplitMix64 (Steele, Lea, Flood 2014). The same numbers everywhere, for ever.</summary>
internal struct SeededRandom(ulong seed)
{
    private ulong _state = seed;

    internal ulong NextUInt64()
    {
        ulong z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    internal double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));

    /// <summary>0 to <paramref name="limit"/> - 1.</summary>
    internal int Next(int limit) => (int)((UInt128)NextUInt64() * (ulong)limit >> 64);
}
