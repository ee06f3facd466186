namespace Weir.Bench.Timers;

/// <summary>What one round of one contestant measured; times in nanoseconds for each timer.</summary>
internal readonly record struct Round(double Insert, double Cancel, double Move, double Bytes)
{
    /// <summary>Cancelling with a sleep in between, where that makes a difference.</summary>
    public double CancelWithSleep { get; init; }

    /// <summary>A write to each timer in the order of the cancels, where that was measured.</summary>
    public double Write { get; init; }
}

/// <summary>What every contestant of a run is given: the same delays and the same random order.</summary>
internal sealed class Workload
{
    /// <summary>No delay is shorter, so that nothing fires in a contestant that keeps its own clock.</summary>
    public static readonly TimeSpan First = TimeSpan.FromSeconds(5);

    /// <summary>The delays are spread evenly over this.</summary>
    public static readonly TimeSpan Span = TimeSpan.FromMinutes(1);

    public const long NanosecondsPerMillisecond = 1_000_000;

    public Workload(int count, int seed)
    {
        Random random = new(seed);
        Delays = new long[count];
        Shuffled = new int[count];
        for (int i = 0; i < count; i++)
        {
            Delays[i] = (long)First.TotalNanoseconds + random.NextInt64((long)Span.TotalNanoseconds);
            Shuffled[i] = i;
        }

        random.Shuffle(Shuffled);
    }

    public int Count => Delays.Length;

    /// <summary>A delay for each timer, in nanoseconds.</summary>
    public long[] Delays { get; }

    /// <summary>The order in which timers are cancelled and moved.</summary>
    public int[] Shuffled { get; }

    /// <summary>The timers in the random order, so that finding the next one is not part of what is timed.</summary>
    public T[] Shuffle<T>(T[] timers) => Array.ConvertAll(Shuffled, i => timers[i]);
}
