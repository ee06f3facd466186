using System.Runtime.CompilerServices;

namespace Weir;

/// <content>Where the nodes of later ticks are kept.</content>
internal sealed partial class TimerQueue
{
    /// <summary>The nodes of one stretch of time, in no order.</summary>
    private struct Bag
    {
        /// <summary>The chunk that is being filled; the full ones hang off it.</summary>
        public Chunk? Top;

        /// <summary>The node that set <see cref="Bound"/>.</summary>
        public TimerNode? First;

        /// <summary>No node here has an earlier deadline.</summary>
        public long Bound;

        /// <summary>Slots in use, dead ones included.</summary>
        public int Count;

        /// <summary>Whether a node is armed for the very bound: then that is the earliest deadline here.</summary>
        public readonly bool IsBoundExact => First!.Order != 0 && First.Deadline == Bound;

        public readonly long LatestUpTo(long limit, long floor)
        {
            long latest = floor;
            for (Chunk? chunk = Top; chunk is not null; chunk = chunk.Previous)
            {
                for (int i = 0; i < chunk.Count; i++)
                {
                    // Whether this slot speaks for the node does not matter: what is armed here is armed.
                    TimerNode node = chunk.Nodes[i];
                    if (node.Order != 0 && node.Deadline > latest && node.Deadline <= limit)
                        latest = node.Deadline;
                }
            }

            return latest;
        }
    }

    /// <summary>Room for 64 nodes. Bags are stacks of these, so growing one copies nothing.</summary>
    private sealed class Chunk(int number)
    {
        public const int CapacityBits = 6;
        public const int Capacity = 1 << CapacityBits;

        public readonly int Number = number;
        public int Count;
        public Chunk? Previous;
        public Room Nodes;

        /// <summary>Appends the node and returns its place: no two slots of a queue share one.</summary>
        public int Add(TimerNode node)
        {
            int slot = Count++;
            Nodes[slot] = node;
            return PlaceOf(slot);
        }

        public int PlaceOf(int slot) => (Number * Capacity) + slot;

        /// <summary>
        /// A bit for each slot that speaks for its node: the node is armed, and has no later slot. No branch depends on what is read, so the cache
        /// misses of all 64 overlap.
        /// </summary>
        [MethodImpl(MethodImplOptions.NoInlining)]
        public ulong Survey()
        {
            ReadOnlySpan<TimerNode> nodes = ((ReadOnlySpan<TimerNode>)Nodes)[..Count];
            int place = PlaceOf(0);
            ulong live = 0;
            for (int i = 0; i < nodes.Length; i++)
            {
                TimerNode node = nodes[i];
                bool speaks = (node.Order != 0) & (node.Place == place + i);
                live |= (speaks ? 1UL : 0UL) << i;
            }

            return live;
        }

        /// <summary>Keeps the first <paramref name="count"/> slots, and no reference beyond them.</summary>
        public void Truncate(int count)
        {
            ((Span<TimerNode>)Nodes)[count..].Clear();
            Count = count;
        }

        [InlineArray(Capacity)]
        public struct Room
        {
            private TimerNode _first;
        }
    }
}
