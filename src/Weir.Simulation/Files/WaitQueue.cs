namespace Weir.Simulation;

/// <summary>
/// Those who wait for something to change, in the order in which they are told: wait_queue_head of include/linux/wait.h. Non-exclusive
/// entries go to the front and exclusive ones to the end, unless they ask otherwise.
/// </summary>
internal sealed class WaitQueue
{
    private WaitEntry? _first;
    private WaitEntry? _last;

    internal bool IsActive => _first != null;

    /// <summary>add_wait_queue: the last to come is the first to be told.</summary>
    internal void AddFirst(WaitEntry entry)
    {
        Own(entry);
        entry.Next = _first;
        if (_first != null)
            _first.Previous = entry;
        else
            _last = entry;
        _first = entry;
    }

    /// <summary>add_wait_queue_exclusive.</summary>
    internal void AddLast(WaitEntry entry)
    {
        Own(entry);
        entry.Previous = _last;
        if (_last != null)
            _last.Next = entry;
        else
            _first = entry;
        _last = entry;
    }

    internal void Remove(WaitEntry entry)
    {
        if (entry.Queue != this)
            return;
        if (entry.Previous != null)
            entry.Previous.Next = entry.Next;
        else
            _first = entry.Next;
        if (entry.Next != null)
            entry.Next.Previous = entry.Previous;
        else
            _last = entry.Previous;
        entry.Queue = null;
        entry.Next = entry.Previous = null;
    }

    /// <summary>
    /// Tells everybody, up to <paramref name="exclusive"/> exclusive entries that took it (0: all of them). The key says which conditions
    /// may have become true; none: any. __wake_up_common of kernel/sched/wait.c.
    /// </summary>
    internal void Wake(EpollEvents key, int exclusive = 1)
    {
        WaitEntry? next;
        for (WaitEntry? entry = _first; entry != null; entry = next)
        {
            next = entry.Next; // an entry may remove itself when it is told
            bool took = entry.OnWake(key);
            if (took && entry.IsExclusive && --exclusive == 0)
                break;
        }
    }

    /// <summary>Everybody, in the order in which they are told.</summary>
    internal IEnumerable<WaitEntry> Entries
    {
        get
        {
            for (WaitEntry? entry = _first; entry != null; entry = entry.Next)
                yield return entry;
        }
    }

    private void Own(WaitEntry entry)
    {
        if (entry.Queue != null)
            throw new InvalidOperationException("A wait entry is in one queue at a time.");
        entry.Queue = this;
    }
}

/// <summary>One who waits.</summary>
internal abstract class WaitEntry
{
    internal WaitQueue? Queue;
    internal WaitEntry? Next;
    internal WaitEntry? Previous;

    internal bool IsExclusive { get; init; }

    internal bool IsQueued => Queue != null;

    internal void Leave() => Queue?.Remove(this);

    /// <summary>Something happened. Whether this entry took it: an exclusive one that did keeps it from the next.</summary>
    internal abstract bool OnWake(EpollEvents key);
}

/// <summary>A thread that sleeps until it is told once: autoremove_wake_function.</summary>
internal sealed class ThreadWait(SimThread thread, EpollEvents filter = EpollEvents.None) : WaitEntry
{
    internal SimThread Thread => thread;

    internal EpollEvents Filter => filter;

    internal override bool OnWake(EpollEvents key)
    {
        if (key != EpollEvents.None && filter != EpollEvents.None && (key & filter) == 0)
            return false;
        // One that was woken by something else already looks for itself: the wake is for another.
        bool sleeps = thread.State == ThreadState.Blocked;
        Leave();
        thread.Wake();
        return sleeps;
    }
}
