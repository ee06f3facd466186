namespace Weir.Simulation;

/// <summary>
/// What a ring and its program share: struct io_rings with the completions and the queue of indices behind it, and the submissions apart from
/// that. Offsets are those of Linux.
/// </summary>
internal sealed unsafe class RingMemory
{
    private const int SubmissionHead = 0, SubmissionTail = 4, CompletionHead = 8, CompletionTail = 12;
    private const int SubmissionMask = 16, CompletionMask = 20, SubmissionCount = 24, CompletionCount = 28;
    private const int SubmissionDropped = 32, SubmissionFlags = 36, CompletionFlags = 40, CompletionOverflow = 44, Completions = 64;

    private readonly byte* _rings;
    private readonly uint _array;

    internal RingMemory(uint submissions, uint completions, bool hasArray)
    {
        SubmissionEntries = submissions;
        CompletionEntries = completions;
        HasArray = hasArray;
        _array = Completions + completions * (uint)sizeof(Completion);
        Rings = new MappedMemory(_array + (hasArray ? submissions * sizeof(uint) : 0));
        Entries = new MappedMemory(submissions * (nuint)sizeof(Submission));
        _rings = Rings.Start;
        At(SubmissionMask) = submissions - 1;
        At(CompletionMask) = completions - 1;
        At(SubmissionCount) = submissions;
        At(CompletionCount) = completions;
    }

    internal MappedMemory Rings { get; }

    internal MappedMemory Entries { get; }

    internal uint SubmissionEntries { get; }

    internal uint CompletionEntries { get; }

    /// <summary>Whether submissions are found by way of the queue of indices.</summary>
    internal bool HasArray { get; }

    internal SubmissionRingOffsets SubmissionOffsets => new()
    {
        Head = SubmissionHead, Tail = SubmissionTail, RingMask = SubmissionMask, RingEntries = SubmissionCount,
        Flags = SubmissionFlags, Dropped = SubmissionDropped, Array = HasArray ? _array : 0,
    };

    internal static CompletionRingOffsets CompletionOffsets => new()
    {
        Head = CompletionHead, Tail = CompletionTail, RingMask = CompletionMask, RingEntries = CompletionCount,
        Overflow = CompletionOverflow, Completions = Completions, Flags = CompletionFlags,
    };

    private ref uint At(int offset) => ref *(uint*)(_rings + offset);

    // The program writes these on its own thread, with release.
    internal uint Tail => Volatile.Read(ref At(SubmissionTail));

    internal uint SeenHead => Volatile.Read(ref At(CompletionHead));

    internal void ShowHead(uint head) => Volatile.Write(ref At(SubmissionHead), head);

    internal void ShowTail(uint tail) => Volatile.Write(ref At(CompletionTail), tail);

    internal void CountDropped() => At(SubmissionDropped)++;

    internal SubmissionQueueFlags Flags
    {
        get => (SubmissionQueueFlags)Volatile.Read(ref At(SubmissionFlags));
        set => Volatile.Write(ref At(SubmissionFlags), (uint)value);
    }

    /// <summary>The submission at a place of the queue; false: the index there points nowhere.</summary>
    internal bool TryGet(uint head, out Submission entry)
    {
        uint index = head & (SubmissionEntries - 1);
        if (HasArray)
            index = *(uint*)(_rings + _array + index * sizeof(uint));
        bool valid = index < SubmissionEntries;
        entry = valid ? ((Submission*)Entries.Start)[index] : default;
        return valid;
    }

    internal ref Completion Place(uint tail) => ref ((Completion*)(_rings + Completions))[tail & (CompletionEntries - 1)];
}
