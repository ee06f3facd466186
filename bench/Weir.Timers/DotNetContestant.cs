using System.Diagnostics;

namespace Weir.Bench.Timers;

/// <summary><see cref="Timer"/>: armed and moved with <c>Change</c>, cancelled with <c>Dispose</c>. It counts in milliseconds.</summary>
internal static class DotNetContestant
{
    public static Round Run(Workload work)
    {
        Timer[] timers = new Timer[work.Count];
        long before = GC.GetTotalMemory(forceFullCollection: true);
        Create(timers);
        double insert = Insert(timers, work.Delays);
        double bytes = (double)(GC.GetTotalMemory(forceFullCollection: true) - before) / work.Count;
        double cancel = Cancel(work.Shuffle(timers));

        Create(timers);
        Insert(timers, work.Delays);
        Timer[] shuffled = work.Shuffle(timers);
        double move = Move(shuffled, (long)(Workload.First + Workload.Span).TotalMilliseconds);
        Cancel(shuffled);
        return new Round(insert, cancel, move, bytes);
    }

    private static void Create(Timer[] timers)
    {
        for (int i = 0; i < timers.Length; i++)
        {
            timers[i] = new Timer(static _ => { }, null, Timeout.Infinite, Timeout.Infinite);
        }
    }

    private static double Insert(Timer[] timers, long[] delays)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < timers.Length; i++)
        {
            timers[i].Change(delays[i] / Workload.NanosecondsPerMillisecond, Timeout.Infinite);
        }

        return Since(start) / timers.Length;
    }

    private static double Move(Timer[] timers, long milliseconds)
    {
        long start = Stopwatch.GetTimestamp();
        foreach (Timer timer in timers)
        {
            timer.Change(milliseconds, Timeout.Infinite);
        }

        return Since(start) / timers.Length;
    }

    private static double Cancel(Timer[] timers)
    {
        long start = Stopwatch.GetTimestamp();
        foreach (Timer timer in timers)
        {
            timer.Dispose();
        }

        return Since(start) / timers.Length;
    }

    private static double Since(long start) => Stopwatch.GetElapsedTime(start).TotalNanoseconds;
}
