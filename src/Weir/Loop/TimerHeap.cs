namespace Weir;

/// <summary>
/// The sorted front of a <see cref="TimerQueue"/>: a four-way heap of (deadline, order, node), kept as values so that sifting touches no node.
/// </summary>
/// <remarks>
/// Nothing is removed from the middle. An entry whose order is no longer its node's (cancelled, or armed anew) is dead; <see cref="TryPeek"/> drops
/// dead entries when they reach the top, <see cref="Sweep"/> all at once.
/// </remarks>
internal struct TimerHeap
{
    private struct Entry
    {
        public long Deadline;
        public long Order;
        public TimerNode Node;

        public readonly bool IsAlive => Node.Order == Order;

        public readonly bool IsBefore(in Entry other) =>
            Deadline < other.Deadline || (Deadline == other.Deadline && Order < other.Order);
    }

    private const int Arity = 4;

    private Entry[] _entries;
    private int _count;

    public TimerHeap() => _entries = new Entry[16];

    /// <summary>How many entries there are, dead ones included.</summary>
    public readonly int Count => _count;

    /// <summary>Adds the node at its present deadline and order.</summary>
    public void Push(TimerNode node)
    {
        if (_count == _entries.Length)
            Array.Resize(ref _entries, _count * 2);
        SiftUp(_count++, new Entry { Deadline = node.Deadline, Order = node.Order, Node = node });
    }

    /// <summary>Looks at the first living node, dropping the dead ones before it; <see langword="false"/> when none lives.</summary>
    public bool TryPeek(out TimerNode node)
    {
        while (_count > 0)
        {
            ref Entry top = ref _entries[0];
            node = top.Node;
            if (top.IsAlive)
                return true;
            Pop();
        }

        node = null!;
        return false;
    }

    /// <summary>Removes the top entry.</summary>
    public void Pop()
    {
        Entry last = _entries[--_count];
        _entries[_count] = default;
        if (_count > 0)
            SiftDown(0, last);
    }

    /// <summary>Removes every dead entry, in linear time.</summary>
    public void Sweep()
    {
        int kept = 0;
        for (int i = 0; i < _count; i++)
        {
            if (_entries[i].IsAlive)
                _entries[kept++] = _entries[i];
        }

        Array.Clear(_entries, kept, _count - kept);
        _count = kept;
        for (int i = (kept - 2) / Arity; i >= 0 && kept > 1; i--)
            SiftDown(i, _entries[i]);
    }

    /// <summary>The latest living deadline that is at most <paramref name="limit"/> among the first <paramref name="most"/> entries; else <paramref name="floor"/>.</summary>
    public readonly long LatestUpTo(long limit, long floor, int most)
    {
        long latest = floor;
        foreach (ref readonly Entry entry in _entries.AsSpan(0, Math.Min(_count, most)))
        {
            if (entry.Deadline > latest && entry.Deadline <= limit && entry.IsAlive)
                latest = entry.Deadline;
        }

        return latest;
    }

    private readonly void SiftUp(int hole, in Entry entry)
    {
        Entry[] entries = _entries;
        while (hole > 0)
        {
            int parent = (hole - 1) / Arity;
            if (!entry.IsBefore(entries[parent]))
                break;
            entries[hole] = entries[parent];
            hole = parent;
        }

        entries[hole] = entry;
    }

    private readonly void SiftDown(int hole, Entry entry)
    {
        Span<Entry> entries = _entries.AsSpan(0, _count);
        while (true)
        {
            int first = (hole * Arity) + 1;
            if (first >= entries.Length)
                break;
            int least = first;
            int end = Math.Min(first + Arity, entries.Length);
            for (int child = first + 1; child < end; child++)
            {
                if (entries[child].IsBefore(entries[least]))
                    least = child;
            }

            if (!entries[least].IsBefore(entry))
                break;
            entries[hole] = entries[least];
            hole = least;
        }

        entries[hole] = entry;
    }
}
