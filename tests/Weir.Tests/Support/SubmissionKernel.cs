namespace Weir.Tests;

/// <summary>A ledger that looks into a ring's memory: what was submitted. For programs with one ring.</summary>
public sealed unsafe class SubmissionKernel(Kernel? inner = null) : LedgerKernel(inner)
{
    private readonly long[] _submitted = new long[256];
    private readonly int[] _unix = [-1, -1];
    private IoUringParameters _parameters;
    private int _ring = -1;
    private byte* _queues;
    private Submission* _entries;

    /// <summary>Entries of a kind that the kernel has taken.</summary>
    public long Submitted(IoUringOp op) => _submitted[(int)op];

    /// <summary>Completions with ENOMEM: something may not be pinned, RLIMIT_MEMLOCK says.</summary>
    public int Shortages { get; private set; }

    /// <summary>
    /// What sends without a copy are refused with: they reach a unix socket, which does not know them, and the kernel's EOPNOTSUPP becomes this.
    /// </summary>
    public Errno RefusesZeroCopy { get; set; }

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
        if (RefusesZeroCopy != Errno.None)
            Misdirect(first, toSubmit);
        uint completed = Volatile.Read(ref *Queue(_parameters.CompletionOffsets.Tail));
        int result = base.IoUringEnter(fd, toSubmit, minComplete, flags, argument, argumentSize);
        for (uint taken = Volatile.Read(ref *Queue(_parameters.SubmissionOffsets.Head)); first != taken; first++)
            _submitted[(int)Entry(first).Op]++;
        Look(completed);
        return result;
    }

    private uint* Queue(uint offset) => (uint*)(_queues + offset);

    private ref Submission Entry(uint place) => ref _entries[place & *Queue(_parameters.SubmissionOffsets.RingMask)];

    private void Misdirect(uint first, uint count)
    {
        if (_unix[0] < 0)
        {
            fixed (int* pair = _unix)
                Assert.Equal(0, SocketPair(SocketDomain.Unix, SocketKind.Stream, 0, pair));
        }

        for (uint place = first; place != first + count; place++)
        {
            if (Entry(place).Op == IoUringOp.SendZeroCopy)
                Entry(place).Descriptor = _unix[0];
        }
    }

    private void Look(uint first)
    {
        var completions = (Completion*)(_queues + _parameters.CompletionOffsets.Completions);
        uint mask = *Queue(_parameters.CompletionOffsets.RingMask);
        for (uint end = Volatile.Read(ref *Queue(_parameters.CompletionOffsets.Tail)); first != end; first++)
        {
            ref int result = ref completions[first & mask].Result;
            if (result == -(int)Errno.ENOMEM)
                Shortages++;
            else if (result == -(int)Errno.EOPNOTSUPP && RefusesZeroCopy != Errno.None)
                result = -(int)RefusesZeroCopy;
        }
    }

    /// <summary>Refuses no more, and closes what it has opened itself.</summary>
    public void Release()
    {
        RefusesZeroCopy = Errno.None;
        foreach (int fd in _unix.Where(fd => fd >= 0))
            Close(fd);
        (_unix[0], _unix[1]) = (-1, -1);
    }
}
