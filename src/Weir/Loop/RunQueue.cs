using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>The entries to run, first in first out, of one thread: a ring that grows and never shrinks.</summary>
internal sealed class RunQueue
{
    private RunEntry[] _ring = new RunEntry[64];
    private int _head;
    private int _tail;

    internal int Count => (_tail - _head) & (_ring.Length - 1);

    internal void Enqueue(in RunEntry entry)
    {
        RunEntry[] ring = _ring;
        ring[_tail] = entry;
        _tail = (_tail + 1) & (ring.Length - 1);
        if (_tail == _head)
            Grow();
    }

    /// <summary>Takes the first entry; there must be one.</summary>
    internal RunEntry Dequeue()
    {
        RunEntry[] ring = _ring;
        RunEntry entry = ring[_head];
        ring[_head] = default; // what ran must not be kept alive by its old place
        _head = (_head + 1) & (ring.Length - 1);
        return entry;
    }

    /// <summary>Has near what the next two entries touch: the first two of those that wait.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void PrefetchNext()
    {
        RunEntry[] ring = _ring;
        int mask = ring.Length - 1;
        // Free places are empty: there is no need to look where the queue ends.
        ring[_head & mask].Operation?.PrefetchCaller();
        Prefetch.Object(ring[(_head + 1) & mask].Target, 2);
    }

    private void Grow()
    {
        var larger = new RunEntry[_ring.Length * 2];
        int first = _ring.Length - _head;
        Array.Copy(_ring, _head, larger, 0, first);
        Array.Copy(_ring, 0, larger, first, _tail);
        _tail = _ring.Length;
        _head = 0;
        _ring = larger;
    }
}
