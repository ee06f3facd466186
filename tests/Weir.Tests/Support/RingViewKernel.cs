namespace Weir.Tests;

/// <summary>A ledger that looks into the memory of the ring that was made last: what goes in, and what comes out.</summary>
public abstract unsafe class RingViewKernel(Kernel? inner) : LedgerKernel(inner)
{
    private IoUringParameters _parameters;
    private int _ring = -1;
    private byte* _queues;
    private Submission* _entries;

    public override int IoUringSetup(uint entries, IoUringParameters* parameters)
    {
        int fd = base.IoUringSetup(entries, parameters);
        (_ring, _parameters) = (fd, *parameters);
        return fd;
    }

    public override nint MMap(nuint length, int fd, long offset)
    {
        nint address = base.MMap(length, fd, offset);
        if (fd == _ring && offset == IoUringOffset.SubmissionRing)
            _queues = (byte*)address;
        else if (fd == _ring && offset == IoUringOffset.SubmissionEntries)
            _entries = (Submission*)address;
        return address;
    }

    public override int IoUringEnter(int fd, uint toSubmit, uint minComplete, IoUringEnterFlags flags, void* argument, nuint argumentSize)
    {
        uint first = *Queue(_parameters.SubmissionOffsets.Head);
        for (uint place = first; place != first + toSubmit; place++)
            Submitting(ref Entry(place));
        uint completed = Volatile.Read(ref *Queue(_parameters.CompletionOffsets.Tail));
        int result = base.IoUringEnter(fd, toSubmit, minComplete, flags, argument, argumentSize);
        // The entries stay as they are until the loop's thread fills in the next.
        for (uint taken = Volatile.Read(ref *Queue(_parameters.SubmissionOffsets.Head)); first != taken; first++)
            Submitted(in Entry(first));
        var completions = (Completion*)(_queues + _parameters.CompletionOffsets.Completions);
        uint mask = *Queue(_parameters.CompletionOffsets.RingMask);
        for (uint end = Volatile.Read(ref *Queue(_parameters.CompletionOffsets.Tail)); completed != end; completed++)
            Completing(ref completions[completed & mask]);
        return result;
    }

    /// <summary>An entry is about to be submitted.</summary>
    private protected virtual void Submitting(ref Submission entry)
    {
    }

    /// <summary>The kernel has taken an entry.</summary>
    private protected virtual void Submitted(in Submission entry)
    {
    }

    /// <summary>A completion is there, which the loop has not seen.</summary>
    private protected virtual void Completing(ref Completion completion)
    {
    }

    private uint* Queue(uint offset) => (uint*)(_queues + offset);

    private ref Submission Entry(uint place) => ref _entries[place & *Queue(_parameters.SubmissionOffsets.RingMask)];
}
