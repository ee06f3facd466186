namespace Weir.Simulation;

// The program's memory that a request names is the kernel's from the moment the request stays to its completion.
internal abstract unsafe partial class RingRequest
{
    private List<long>? _loans;

    /// <summary>Lends what the request names with <see cref="Lend"/>: it is about to wait.</summary>
    internal virtual void LendMemory()
    {
    }

    protected void Lend(void* start, nuint length, BufferUse use)
    {
        long number = World.Detectors.Buffers.Lend(start, length, use, ToString());
        if (number != 0)
            (_loans ??= []).Add(number);
    }

    /// <summary>Looks whether the program has left it alone; the kernel itself may write to it from here on.</summary>
    internal void GiveBack()
    {
        if (_loans is not { Count: > 0 } loans)
            return;
        foreach (long number in loans)
            World.Detectors.Buffers.GiveBack(number);
        loans.Clear();
    }

    /// <summary>Gives it back unseen: the ring is gone, and nobody says any more when its memory is the program's.</summary>
    internal void ForgetMemory()
    {
        if (_loans is not { Count: > 0 } loans)
            return;
        foreach (long number in loans)
            World.Detectors.Buffers.Forget(number);
        loans.Clear();
    }

    /// <summary>Whether the memory of vectors that a submission names can be read.</summary>
    protected static int TryVectors(ulong address, uint count, out IoVector[] vectors)
    {
        const uint Most = 1024; // UIO_MAXIOV
        vectors = [];
        if (count > Most)
            return -(int)Errno.EINVAL;
        var source = (IoVector*)address;
        if (!UserMemory.IsMapped(source, count * (nuint)sizeof(IoVector)))
            return -(int)Errno.EFAULT;
        vectors = new ReadOnlySpan<IoVector>(source, (int)count).ToArray();
        return 0;
    }
}
