using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>
/// The deadlines of one loop: nanosecond-exact, never early, and cheap with a million of them pending.
/// </summary>
/// <remarks>
/// <para><b>What it promises.</b> <see cref="PopExpired"/> hands out exactly the armed nodes whose deadline is at or before the time given, by
/// deadline, and those with equal deadlines in the order they were armed (arming again counts as arming). Deadlines are any <see cref="long"/>: past
/// ones are due at once, <see cref="long.MaxValue"/> is never. Any method may be called between two calls of <see cref="PopExpired"/>; each call
/// decides from what is armed at that moment. It is a plain data structure: no clock, no lock, no system call; one thread at a time.</para>
///
/// <para><b>How it works.</b> A hierarchical timing wheel (Varghese and Lauck) with a heap before it. Time is cut into ticks of 2^20 ns, about a
/// millisecond. Nodes of the current tick, and earlier ones, are in a heap, which is what gives exact order. Later nodes lie unsorted in bags: level 0
/// has a bag for each of the next ticks up to 64, level 1 one for each 64 ticks, and so on; eight levels reach past the end of a <see cref="long"/>. A
/// node's level is the highest base-64 digit in which its tick differs from the current one, so of all bags the first on the lowest level is the
/// earliest. When the clock reaches a bag, its nodes are filed again relative to the new tick, each on a lower level or in the heap. An empty
/// stretch of time costs nothing, however long: the next bag is found by counting zeros in one word a level.</para>
///
/// <para><b>Why it is fast.</b> With a million timers every object touched is a cache miss, so a bag holds bare references and only the node holds the
/// truth. Cancelling and moving later write to the node alone. A slot in a bag is judged when its bag is next gone through: it is dropped if its node
/// is idle or has another slot by now, and filed anew if the deadline moved away. A node that is armed and cancelled over and over, each time for later
/// than before, which is what timeouts do, keeps its slot. Dead slots that outnumber the armed nodes three to one are swept when their owner is about to
/// sleep (<see cref="NextWake"/>), or when arming finds twice as many slots in use as after the last sweep: constant time for each when spread over the
/// calls that made them, but a pause of about ten milliseconds for a million. Judging reads the nodes of 64 slots with nothing between the reads, so
/// that their cache misses overlap; a bit for each slot, kept up by each cancel, costs more than it saves [ran].</para>
///
/// <para><b>Costs.</b> Arming: a slot of 8 bytes, and a digit count. Cancelling, moving later: a write to the node. A node goes down at least one
/// level each time it is filed, in practice two or three times in its life; leaving the heap costs the logarithm of the nodes in one tick. Memory:
/// 40 bytes a node, 8 a slot, and 16 KiB a queue. Slots and heap keep the size of their busiest time, after which nothing is allocated; when nothing is
    /// armed any more, slots beyond 65,536 are let go of.</para>
/// </remarks>
internal sealed partial class TimerQueue
{
    /// <summary>A tick is 2^20 ns: short enough that the heap stays small, long enough that most nodes are filed only two or three times.</summary>
    private const int TickShift = 20;

    private const int DigitBits = 6;
    private const int Slots = 1 << DigitBits;

    /// <summary>63 - 20 bits of ticks need eight digits of six bits.</summary>
    private const int Levels = 8;

    /// <summary>How many nodes the queue is willing to look at to make an answer exact or a wake-up shared.</summary>
    private const int LookLimit = 32;

    /// <summary>How many dead slots are never worth a sweep.</summary>
    private const int DeadAllowance = 1024;

    /// <summary>The nodes of <see cref="_tick"/> and before.</summary>
    private TimerHeap _near = new();

    /// <summary>The nodes after <see cref="_tick"/>, by level and digit.</summary>
    private readonly Bag[] _bags = new Bag[Levels * Slots];

    /// <summary>A bit for each bag that is not empty, a word for each level.</summary>
    private readonly ulong[] _occupied = new ulong[Levels];

    /// <summary>
    /// The current tick. It never goes back, is never past the latest time seen, and each bag's place is relative to it: a node in bag (level, digit)
    /// agrees with it in all higher digits and is greater in this one.
    /// </summary>
    private long _tick;

    /// <summary>The number last given to an arming.</summary>
    private long _order;

    private int _armed;

    /// <summary>Slots in use in all bags, dead ones included.</summary>
    private int _slots;

    /// <summary>How many slots and heap entries may be in use before arming looks whether many are dead.</summary>
    private int _room = DeadAllowance;

    /// <summary>Chunks not in use, linked by <see cref="Chunk.Previous"/>.</summary>
    private Chunk? _spare;

    private int _chunkCount;

    /// <summary>All chunks by number; there is no chunk 0.</summary>
    private Chunk[] _chunks = new Chunk[16];

    /// <summary>How many nodes are armed.</summary>
    public int Count => _armed;

    /// <summary>How many places the queue uses for them, dead ones included.</summary>
    internal int SlotsInUse => _slots + _near.Count;

    /// <summary>
    /// The earliest deadline, in monotonic nanoseconds, or <see cref="long.MaxValue"/> when nothing is armed. Asked again without a change between,
    /// it costs a few loads.
    /// </summary>
    /// <remarks>
    /// Never later than the true earliest, and exact as long as 16 nodes or fewer are armed. With more there is one exception: when the next bag has
    /// more than 32 slots in use and its earliest node has been cancelled or moved later, that one's old deadline is given, for to find the next
    /// would mean to look at them all, over and over if it is always the earliest that moves. A loop that sleeps until then finds nothing due, but
    /// <see cref="PopExpired"/> has then split the bag into finer ones whose answers are exact: an idle loop wakes early at most once for each level.
    /// </remarks>
    public long NextDeadline
    {
        get
        {
            while (_armed > 0)
            {
                if (_near.TryPeek(out TimerNode node))
                    return node.Deadline;
                int index = FirstBag();
                ref Bag bag = ref _bags[index];
                bool mostlyDead = bag.Count - _armed > _armed;
                if (bag.IsBoundExact || (bag.Count > LookLimit && !mostlyDead))
                    return bag.Bound;

                // Few slots, or at least every second one dead, and each dead one is met once only.
                Refile(index);
            }

            return long.MaxValue;
        }
    }

    /// <summary>
    /// Arms the node for <paramref name="deadline"/>; if it was armed, moves it there, behind the others with the same deadline.
    /// </summary>
    /// <param name="node">A node that no other queue has seen.</param>
    /// <param name="deadline">Monotonic nanoseconds; the past means due now, <see cref="long.MaxValue"/> never.</param>
    public void Arm(TimerNode node, long deadline)
    {
        AssertOwned(node);
        // A slot filed for no later than its last deadline comes up in time for a later one.
        bool keepsSlot = node.Place != 0 && deadline >= node.Deadline;
        if (node.Order == 0)
        {
            _armed++;
            // A slot it had before it was cancelled may have been given up since; then the slot is empty or another's.
            keepsSlot = keepsSlot && NodeAt(node.Place) == node;
        }

        node.Order = ++_order;
        node.Deadline = deadline;
        if (!keepsSlot)
        {
            File(node);
            if (SlotsInUse > _room)
                Reclaim();
        }
    }

    /// <summary>Disarms the node; <see langword="false"/> if it was not armed (it was never armed, has been taken, or was cancelled before).</summary>
    /// <remarks>The queue may keep a reference to the node until the deadline it was first filed for has passed, or until dead slots are swept (see the remarks on the class).</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Cancel(TimerNode node)
    {
        AssertOwned(node);
        if (node.Order == 0)
            return false;
        node.Order = 0;
        _armed--;
        return true;
    }

    /// <summary>
    /// Takes the first node whose deadline is at or before <paramref name="now"/>, disarmed; <see langword="null"/> when none is left.
    /// </summary>
    /// <remarks>
    /// Call until it returns <see langword="null"/>. A node armed meanwhile for <paramref name="now"/> or earlier is handed out too, so a caller that
    /// runs code which may do so without end sets itself a limit. A <paramref name="now"/> before that of an earlier call is allowed.
    /// </remarks>
    public TimerNode? PopExpired(long now)
    {
        long tick = now >> TickShift;
        while (true)
        {
            if (_near.TryPeek(out TimerNode node))
            {
                // All bags are later than the heap, so its first is the first of all.
                if (node.Deadline > now)
                    return null;
                _near.Pop();
                node.Order = 0;
                _armed--;
                return node;
            }

            int index = FirstBag();
            if (index < 0 || StartOf(index) > tick)
            {
                // No bag begins between the old tick and this one, so every bag keeps its place.
                _tick = Math.Max(_tick, tick);
                return null;
            }

            // The bag begins at or before now. Move to its first node (or to now, if that comes first), which lies in the bag's stretch of time:
            // all levels below it are empty, and higher digits stay as they are. Its nodes land on lower levels or in the heap.
            _tick = Math.Min(_bags[index].Bound >> TickShift, tick);
            Refile(index);
        }
    }

    /// <summary>
    /// How long a sleeper may sleep when timers may fire up to <paramref name="slack"/> ns late: the latest deadline found that is within the slack of
    /// the first, so that all up to it share one wake-up. Never before <see cref="NextDeadline"/>, never later than that plus the slack.
    /// </summary>
    /// <remarks>
    /// A timer with no other near it is not delayed at all. The look ahead stops after a few dozen nodes; past those, wake-ups are shared less,
    /// and promptness is what is gained.
    /// </remarks>
    public long NextWake(long slack)
    {
        // Whoever asks is about to sleep: a good moment to tidy up, which cancelling leaves to others.
        if (IsMostlyDead)
            Reclaim();
        long first = NextDeadline;
        if (slack <= 0 || first == long.MaxValue)
            return first;
        long limit = DeadlineAfter(first, slack);
        long latest = _near.LatestUpTo(limit, first, LookLimit);
        int index = FirstBag();
        return index >= 0 && _bags[index].Count <= LookLimit ? _bags[index].LatestUpTo(limit, latest) : latest;
    }

    /// <summary>The deadline <paramref name="delay"/> ns after <paramref name="now"/>, or <see cref="long.MaxValue"/> if that is past the end of time.</summary>
    public static long DeadlineAfter(long now, long delay)
    {
        long sum = unchecked(now + delay);
        return delay >= 0 && sum < now ? long.MaxValue : sum;
    }

    /// <summary>Puts an armed node where its deadline belongs; any slot it had before is dead from here on.</summary>
    private void File(TimerNode node)
    {
        long tick = node.Deadline >> TickShift;
        if (tick <= _tick)
        {
            node.Place = 0;
            _near.Push(node);
            return;
        }

        int level = BitOperations.Log2((ulong)(tick ^ _tick)) / DigitBits;
        int digit = (int)(tick >> (level * DigitBits)) & (Slots - 1);
        ref Bag bag = ref _bags[(level * Slots) + digit];
        Chunk? chunk = bag.Top;
        if (chunk is null || chunk.Count == Chunk.Capacity)
        {
            chunk = AddChunk(ref bag);
            _occupied[level] |= 1UL << digit;
        }

        node.Place = chunk.Add(node);
        _slots++;
        bag.Count++;
        if (node.Deadline < bag.Bound || bag.First is null)
        {
            bag.Bound = node.Deadline;
            bag.First = node;
        }
    }

    /// <summary>Empties a bag, filing those of its nodes that are armed by the deadline they have now; the rest are forgotten.</summary>
    private void Refile(int index)
    {
        ref Bag bag = ref _bags[index];
        Chunk? chunk = bag.Top;
        _slots -= bag.Count;
        bag = default;
        _occupied[index / Slots] &= ~(1UL << (index % Slots));
        while (chunk is not null)
        {
            for (ulong left = chunk.Survey(); left != 0; left &= left - 1)
                File(chunk.Nodes[BitOperations.TrailingZeroCount(left)]);
            Chunk? next = chunk.Previous;
            Spare(chunk);
            chunk = next;
        }
    }

    // A node may still have a place in a chunk that was let go of.
    private TimerNode? NodeAt(int place)
    {
        int number = place >> Chunk.CapacityBits;
        return number <= _chunkCount ? _chunks[number].Nodes[place & (Chunk.Capacity - 1)] : null;
    }

    /// <summary>The earliest bag that is not empty, or -1.</summary>
    private int FirstBag()
    {
        for (int level = 0; level < Levels; level++)
        {
            if (_occupied[level] != 0)
                return (level * Slots) + BitOperations.TrailingZeroCount(_occupied[level]);
        }

        return -1;
    }

    /// <summary>The first tick of a bag's stretch of time: the current tick with the bag's digit in its place and zeros after it.</summary>
    private long StartOf(int index)
    {
        int shift = index / Slots * DigitBits;
        long above = _tick >> shift & ~(long)(Slots - 1);
        return (above | (long)(index % Slots)) << shift;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Chunk AddChunk(ref Bag bag)
    {
        Chunk? chunk = _spare;
        if (chunk is null)
        {
            // Places are ints: past 2^31 slots there is no telling them apart.
            _ = checked((_chunkCount + 2) * Chunk.Capacity);
            if (++_chunkCount == _chunks.Length)
                Array.Resize(ref _chunks, _chunkCount * 2);

            // Place 0 means none, so there is no chunk 0.
            chunk = new Chunk(_chunkCount);
            _chunks[_chunkCount] = chunk;
        }
        else
            _spare = chunk.Previous;

        chunk.Previous = bag.Top;
        bag.Top = chunk;
        return chunk;
    }

    [Conditional("DEBUG")]
    private void AssertOwned(TimerNode node)
    {
#if DEBUG
        node.Owner ??= this;
        Debug.Assert(node.Owner == this, "A timer node was given to a second queue.");
#endif
    }
}
