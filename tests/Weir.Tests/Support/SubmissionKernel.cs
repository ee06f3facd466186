namespace Weir.Tests;

/// <summary>Counts what is submitted to a ring, and refuses sends without a copy.</summary>
public sealed unsafe class SubmissionKernel(Kernel? inner = null) : RingViewKernel(inner)
{
    private readonly long[] _submitted = new long[256];
    private readonly int[] _unix = [-1, -1];

    /// <summary>Entries of a kind that the kernel has taken.</summary>
    public long SubmittedOf(IoUringOp op) => _submitted[(int)op];

    /// <summary>Completions with ENOMEM: something may not be pinned, RLIMIT_MEMLOCK says.</summary>
    public int Shortages { get; private set; }

    /// <summary>
    /// What sends without a copy are refused with: they reach a unix socket, which does not know them, and the kernel's EOPNOTSUPP becomes this.
    /// </summary>
    public Errno RefusesZeroCopy { get; set; }

    private protected override void Submitting(ref Submission entry)
    {
        if (RefusesZeroCopy == Errno.None || entry.Op != IoUringOp.SendZeroCopy)
            return;
        if (_unix[0] < 0)
        {
            fixed (int* pair = _unix)
                Assert.Equal(0, SocketPair(SocketDomain.Unix, SocketKind.Stream, 0, pair));
        }

        entry.Descriptor = _unix[0];
    }

    private protected override void Submitted(in Submission entry) => _submitted[(int)entry.Op]++;

    private protected override void Completing(ref Completion completion)
    {
        if (completion.Result == -(int)Errno.ENOMEM)
            Shortages++;
        else if (completion.Result == -(int)Errno.EOPNOTSUPP && RefusesZeroCopy != Errno.None)
            completion.Result = -(int)RefusesZeroCopy;
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
