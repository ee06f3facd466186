namespace Weir.Simulation;

/// <summary>
/// A file that cannot be polled: what epoll refuses with EPERM. Writes go nowhere; reads find the end, those of /dev/zero zeros.
/// </summary>
internal sealed class NullFile(World world, string path, FileFlags flags) : SimFile(world, flags)
{
    private readonly bool _hasZeros = path == "/dev/zero";

    internal override string Kind => path;

    internal override bool CanPoll => false;

    internal override WaitQueue WaitQueue { get; } = new();

    internal override EpollEvents Poll() => EpollEvents.None;

    internal override nint Read(SimThread thread, ref UserBuffer buffer)
    {
        if (!_hasZeros)
            return 0;
        ReadOnlySpan<byte> zeros = stackalloc byte[512];
        nint total = 0;
        while (buffer.Length > 0)
        {
            int count = (int)Math.Min(buffer.Length, (nuint)zeros.Length);
            if (!buffer.Put(zeros[..count]))
                return total > 0 ? total : Error(Errno.EFAULT);
            total += count;
        }

        return total;
    }

    internal override nint Write(SimThread thread, ref UserBuffer buffer) => (nint)buffer.Length;

    internal override nint SpliceRead(SimThread thread, Pipe pipe, nuint length, SpliceFlags flags)
        => _hasZeros ? pipe.Fill(thread, this, length, MessageFlags.None) : Error(Errno.EINVAL);

    internal override nint SpliceWrite(SimThread thread, Pipe pipe, nuint length, SpliceFlags flags) => pipe.Drain(thread, this, length, flags);
}
