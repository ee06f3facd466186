using System.Diagnostics;

namespace Weir.Bench.Timers;

/// <summary>The timer queue of this repository.</summary>
internal static class WeirContestant
{
    private sealed class Timer : TimerNode
    {
        public override void OnDeadline(long now)
        {
        }
    }

    public static Round Run(Workload work)
    {
        Timer[] timers = new Timer[work.Count];
        long before = GC.GetTotalMemory(forceFullCollection: true);
        TimerQueue queue = new();
        Create(timers);
        double insert = Insert(queue, timers, work.Delays);
        double bytes = (double)(GC.GetTotalMemory(forceFullCollection: true) - before) / work.Count;

        Timer[] shuffled = work.Shuffle(timers);
        double cancel = Cancel(queue, shuffled, shuffled.Length);
        if (queue.Count != 0)
        {
            throw new InvalidOperationException($"{queue.Count} timers are left after all were cancelled.");
        }

        double write = Write(shuffled);

        // The worst moment to sleep: most are dead, and have to be told from the living.
        Insert(queue, timers, work.Delays);
        double cancelWithSleep = Cancel(queue, shuffled, shuffled.Length / 8 * 7);

        Insert(queue, timers, work.Delays);
        double move = Move(queue, shuffled, (long)(Workload.First + Workload.Span).TotalNanoseconds);
        GC.KeepAlive(timers);
        return new Round(insert, cancel, move, bytes) { CancelWithSleep = cancelWithSleep, Write = write };
    }

    /// <summary>Arms all timers and lets all expire, the clock going in steps; returns ns for each and throws if one is early or missing.</summary>
    public static double Fire(Workload work, long step)
    {
        Timer[] timers = new Timer[work.Count];
        Create(timers);
        TimerQueue queue = new();
        Insert(queue, timers, work.Delays);

        long end = (long)(Workload.First + Workload.Span).TotalNanoseconds;
        long last = 0;
        int fired = 0;
        long start = Stopwatch.GetTimestamp();
        for (long now = 0; now <= end; now += step)
        {
            while (queue.PopExpired(now) is { } timer)
            {
                if (timer.Deadline > now || timer.Deadline <= now - step || timer.Deadline < last)
                {
                    throw new InvalidOperationException($"At {now} a timer for {timer.Deadline} fired after one for {last}.");
                }

                last = timer.Deadline;
                timer.OnDeadline(now);
                fired++;
            }
        }

        double elapsed = Since(start);
        return fired == work.Count ? elapsed / fired : throw new InvalidOperationException($"{fired} of {work.Count} timers fired.");
    }

    private static void Create(Timer[] timers)
    {
        for (int i = 0; i < timers.Length; i++)
        {
            timers[i] = new Timer();
        }
    }

    private static double Insert(TimerQueue queue, Timer[] timers, long[] delays)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < timers.Length; i++)
        {
            queue.Arm(timers[i], delays[i]);
        }

        return Since(start) / timers.Length;
    }

    private static double Cancel(TimerQueue queue, Timer[] timers, int sleepAfter)
    {
        // Cancelling leaves tidying up to the loop's next sleep, which therefore counts as part of it.
        long start = Stopwatch.GetTimestamp();
        foreach (Timer timer in timers.AsSpan(0, sleepAfter))
        {
            queue.Cancel(timer);
        }

        queue.NextWake(0);
        foreach (Timer timer in timers.AsSpan(sleepAfter))
        {
            queue.Cancel(timer);
        }

        queue.NextWake(0);
        return Since(start) / timers.Length;
    }

    // What it costs to find each timer in memory and to write to it, which is the least that a cancel can do.
    private static double Write(Timer[] timers)
    {
        long start = Stopwatch.GetTimestamp();
        foreach (Timer timer in timers)
        {
            if (timer.Order == 0)
            {
                timer.Order = 0;
            }
        }

        return Since(start) / timers.Length;
    }

    private static double Move(TimerQueue queue, Timer[] timers, long deadline)
    {
        long start = Stopwatch.GetTimestamp();
        foreach (Timer timer in timers)
        {
            queue.Arm(timer, deadline);
        }

        return Since(start) / timers.Length;
    }

    private static double Since(long start) => Stopwatch.GetElapsedTime(start).TotalNanoseconds;
}
