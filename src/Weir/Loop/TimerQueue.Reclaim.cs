using System.Numerics;
using System.Runtime.CompilerServices;

namespace Weir;

/// <content>Giving up the slots of nodes that were cancelled or moved.</content>
internal sealed partial class TimerQueue
{
    // Every armed node has exactly one living slot or heap entry; whatever is beyond that is dead.
    private bool IsMostlyDead => SlotsInUse - _armed > (3 * _armed) + DeadAllowance;

    /// <summary>More slots are in use than ever since the last time: are they needed?</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Reclaim()
    {
        if (IsMostlyDead)
            Sweep();

        // Twice as many may be in use before the next look, so that what a look costs is spread over as many armings.
        _room = Math.Max(DeadAllowance, 2 * (SlotsInUse));
    }

    /// <summary>Drops everything dead, in time linear in what there is.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Sweep()
    {
        if (_armed == 0)
        {
            Clear();
            return;
        }

        _near.Sweep();
        for (int level = 0; level < Levels; level++)
        {
            for (ulong left = _occupied[level]; left != 0; left &= left - 1)
                Compact((level * Slots) + BitOperations.TrailingZeroCount(left));
        }
    }

    /// <summary>So many chunks stay when a queue is empty; room for 65,536 nodes.</summary>
    private const int MostKept = 1024;

    /// <summary>Drops everything: nothing is armed. The chunks are gone through as they lie in memory; what a burst took beyond some is let go of.</summary>
    private void Clear()
    {
        _near.Sweep();
        Array.Clear(_bags);
        Array.Clear(_occupied);
        _slots = 0;
        _spare = null;
        if (_chunkCount > MostKept)
        {
            _chunkCount = MostKept;
            Array.Resize(ref _chunks, MostKept + 1);
        }

        for (int number = _chunkCount; number > 0; number--)
            Spare(_chunks[number]);
    }

    /// <summary>
    /// Moves the living slots of a bag together and gives up the rest. The bound stays what it was, which may be that of a node now dead.
    /// </summary>
    private void Compact(int index)
    {
        ref Bag bag = ref _bags[index];
        Chunk first = bag.Top!, target = first;
        int filled = 0, kept = 0;
        for (Chunk? source = first; source is not null; source = source.Previous)
        {
            for (ulong left = source.Survey(); left != 0; left &= left - 1)
            {
                if (filled == Chunk.Capacity)
                {
                    // The slots written never overtake those read: all before this chunk have been read to the end.
                    target.Count = filled;
                    target = target.Previous!;
                    filled = 0;
                }

                TimerNode node = source.Nodes[BitOperations.TrailingZeroCount(left)];
                target.Nodes[filled] = node;
                node.Place = target.PlaceOf(filled);
                filled++;
                kept++;
            }
        }

        _slots -= bag.Count - kept;
        bag.Count = kept;
        for (Chunk? rest = target.Previous; rest is not null;)
        {
            Chunk? next = rest.Previous;
            Spare(rest);
            rest = next;
        }

        if (kept == 0)
        {
            Spare(target);
            bag = default;
            _occupied[index / Slots] &= ~(1UL << (index % Slots));
            return;
        }

        target.Truncate(filled);
        target.Previous = null;
        if (target == first)
            return;

        // Only the chunk on top may have room.
        Chunk last = first;
        while (last.Previous != target)
            last = last.Previous!;
        last.Previous = null;
        target.Previous = first;
        bag.Top = target;
    }

    private void Spare(Chunk chunk)
    {
        chunk.Truncate(0);
        chunk.Previous = _spare;
        _spare = chunk;
    }
}
