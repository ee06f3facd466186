namespace Weir.Net;

public sealed partial class Connection
{
    /// <summary>
    /// Moves what is there to read into an empty or partly filled <paramref name="pipe"/>. False: nothing was moved; if the pipe is empty,
    /// there is nothing to read, and <see cref="DescriptorStream.WaitForDataAsync"/> waits for more. The loop's thread only.
    /// </summary>
    /// <remarks>
    /// True with 0 bytes means that this way brings no more: the end, or urgent data, at which splice(2) stops in the same manner. Ask
    /// <see cref="DescriptorStream.TryRead"/> which of the two.
    /// </remarks>
    /// <exception cref="KernelException">The read failed: ECONNRESET and the like; EINVAL: this kind of socket cannot splice.</exception>
    /// <exception cref="BusyResourceException">Someone else is reading.</exception>
    /// <exception cref="ObjectDisposedException">It, or the pipe, was disposed.</exception>
    /// <exception cref="InvalidOperationException">The caller is not on the loop's thread.</exception>
    public bool TryReadTo(SplicePipe pipe, out int bytesRead)
    {
        ArgumentNullException.ThrowIfNull(pipe);
        pipe.ThrowIfDisposed();
        int fd = DescriptorOnLoop();
        bytesRead = 0;
        int room = pipe.Capacity - pipe.Count;
        if (room == 0)
            return false;
        nint count = Loop.Driver.SpliceNow(Token, pipe.WriteEnd, (nuint)room);
        if (count >= 0)
        {
            bytesRead = (int)count;
            pipe.Count += bytesRead;
            Loop.Queue.Spend(bytesRead);
            return true;
        }

        if (count == -(int)Errno.EAGAIN)
        {
            if (pipe.Count == 0)
                Loop.Driver.Readiness(Token, EpollEvents.In);
            return false;
        }

        return count switch
        {
            -(int)Errno.EINTR => false,
            -(int)Errno.EBUSY => throw IoOperation.Busy(OperationKind.Read, fd),
            _ => throw new KernelException("splice", fd, (Errno)(-(int)count)),
        };
    }

    /// <summary>
    /// Moves as much of the <paramref name="pipe"/> as there is room for now into this connection, and says how much that was. 0: no room;
    /// <see cref="DescriptorStream.WaitWritableAsync"/> waits for some. The loop's thread only.
    /// </summary>
    /// <exception cref="KernelException">The write failed: EPIPE, ECONNRESET and the like.</exception>
    /// <exception cref="BusyResourceException">Someone else is writing.</exception>
    /// <exception cref="ObjectDisposedException">It, or the pipe, was disposed.</exception>
    /// <exception cref="InvalidOperationException">The caller is not on the loop's thread.</exception>
    public int TryWriteFrom(SplicePipe pipe)
    {
        ArgumentNullException.ThrowIfNull(pipe);
        pipe.ThrowIfDisposed();
        int fd = DescriptorOnLoop();
        if (pipe.Count == 0)
            return 0;
        nint count = Loop.Driver.SpliceFromNow(Token, pipe.ReadEnd, (nuint)pipe.Count);
        if (count >= 0)
        {
            pipe.Count -= (int)count;
            Loop.Queue.Spend((int)count);
            return (int)count;
        }

        return count switch
        {
            -(int)Errno.EAGAIN or -(int)Errno.EINTR => 0,
            -(int)Errno.EBUSY => throw IoOperation.Busy(OperationKind.Write, fd),
            _ => throw new KernelException("splice", fd, (Errno)(-(int)count)),
        };
    }
}
