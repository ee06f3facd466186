namespace Weir.Simulation;

/// <summary>
/// Virtual time and what is to happen at which moment of it. Nothing passes while somebody can run; when nobody can, the clock jumps to
/// the next event. Events of one moment happen in the order in which they were asked for.
/// </summary>
internal sealed class SimClock
{
    /// <summary>Where the monotonic clock stands when a simulation begins, in nanoseconds: a machine is up for a while before its programs start.</summary>
    internal const long Start = 1_000_000_000;

    /// <summary>What the wall clock says at that moment: 2000-01-01T00:00:00Z, in nanoseconds since 1970.</summary>
    internal const long WallClockAtStart = 946_684_800L * 1_000_000_000L;

    private readonly PriorityQueue<TimedEvent, (long Time, long Order)> _events = new();
    private long _order;
    private int _cancelled;

    /// <summary>Nanoseconds of CLOCK_MONOTONIC.</summary>
    internal long Now { get; private set; } = Start;

    /// <summary>Nanoseconds since the simulation began.</summary>
    internal long Elapsed => Now - Start;

    /// <summary>Has <paramref name="fire"/> called at <paramref name="time"/>; a moment that has passed is the next one.</summary>
    internal TimedEvent At(long time, Action fire)
    {
        var timed = new TimedEvent(this, fire, time);
        _events.Enqueue(timed, (time, _order++));
        return timed;
    }

    /// <summary>When the next event is due; <see cref="World.Never"/> if there is none.</summary>
    internal long NextTime => _events.TryPeek(out _, out (long Time, long Order) next) ? DropCancelled() ? NextTime : next.Time : World.Never;

    // A cancelled event at the front goes without being seen. True: one went.
    private bool DropCancelled()
    {
        if (!_events.Peek().IsCancelled)
            return false;
        _events.Dequeue();
        _cancelled--;
        return true;
    }

    /// <summary>Fires what is due by now. Whether there was anything.</summary>
    internal bool FireDue()
    {
        bool fired = false;
        while (NextTime <= Now)
        {
            TimedEvent timed = _events.Dequeue();
            timed.HasFired = true;
            timed.Fire();
            fired = true;
        }

        return fired;
    }

    /// <summary>Moves on to <paramref name="time"/>, which does not lie before now.</summary>
    internal void AdvanceTo(long time)
    {
        if (time > Now)
            Now = time;
    }

    private void NoteCancelled()
    {
        // Timers that are re-armed over and over must not pile up.
        if (++_cancelled <= 64 || _cancelled * 2 <= _events.Count)
            return;
        (TimedEvent Event, (long, long) Key)[] left = [.. _events.UnorderedItems.Where(entry => !entry.Element.IsCancelled).Select(entry => (entry.Element, entry.Priority))];
        _events.Clear();
        _events.EnqueueRange(left);
        _cancelled = 0;
    }

    internal sealed class TimedEvent(SimClock clock, Action fire, long time)
    {
        internal long Time => time;

        internal bool IsCancelled { get; private set; }

        internal bool HasFired { get; set; }

        internal void Fire() => fire();

        internal void Cancel()
        {
            if (IsCancelled || HasFired)
                return;
            IsCancelled = true;
            clock.NoteCancelled();
        }
    }
}
