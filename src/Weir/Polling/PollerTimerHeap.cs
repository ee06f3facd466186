namespace Weir;

/// <summary>
/// Timers with the earliest on top: a binary heap whose entries know their place, so that moving or removing one costs O(log n) and
/// leaves nothing behind. Not thread-safe.
/// </summary>
internal sealed class PollerTimerHeap
{
    private PollerTimer[] _items = [];
    private int _count;

    /// <summary>The earliest deadline; <see cref="long.MaxValue"/> when there is none.</summary>
    internal long Earliest => _count == 0 ? long.MaxValue : _items[0].Deadline;

    /// <summary>The timer with the earliest deadline; there must be one.</summary>
    internal PollerTimer Top => _items[0];

    /// <summary>Puts a timer in, or moves it to where its changed deadline belongs.</summary>
    internal void Set(PollerTimer timer)
    {
        if (timer.Position < 0)
        {
            if (_count == _items.Length)
                Array.Resize(ref _items, Math.Max(8, _count * 2));
            Place(timer, _count++);
        }

        Settle(timer);
    }

    /// <summary>Takes a timer out.</summary>
    internal void Remove(PollerTimer timer)
    {
        int hole = timer.Position;
        PollerTimer last = _items[--_count];
        _items[_count] = null!;
        timer.Position = -1;
        if (last == timer)
            return;
        Place(last, hole);
        Settle(last);
    }

    // Up as far as it is earlier than its parent; if it did not move, down as far as a child is earlier.
    private void Settle(PollerTimer timer)
    {
        int at = timer.Position;
        while (at > 0 && _items[(at - 1) / 2] is var parent && parent.Deadline > timer.Deadline)
        {
            Place(parent, at);
            at = (at - 1) / 2;
        }

        for (int child; (child = at * 2 + 1) < _count; at = child)
        {
            if (child + 1 < _count && _items[child + 1].Deadline < _items[child].Deadline)
                child++;
            if (_items[child].Deadline >= timer.Deadline)
                break;
            Place(_items[child], at);
        }

        Place(timer, at);
    }

    private void Place(PollerTimer timer, int at)
    {
        _items[at] = timer;
        timer.Position = at;
    }
}
