namespace Weir.Net;

public sealed partial class Connection
{
    // MOVE is a hint that costs nothing. NONBLOCK is for the pipe's side; the socket's side is non-blocking by its own flag.
    private const SpliceFlags PassOn = SpliceFlags.Move | SpliceFlags.NonBlock;

    /// <summary>
    /// Moves what is there to read into an empty or partly filled <paramref name="pipe"/>. False: nothing was moved; if the pipe is empty,
    /// there is nothing to read, and <see cref="DescriptorStream.WaitForDataAsync"/> waits for more. The loop's thread only.
    /// </summary>
    /// <remarks>
    /// True with 0 bytes means that this way brings no more: the end, or urgent data, at which splice(2) stops in the same manner. Ask
    /// <see cref="DescriptorStream.TryRead"/> which of the two.
    /// </remarks>
    /// <exception cref="KernelException">The read failed: ECONNRESET and the like; EINVAL: this kind of socket cannot splice.</exception>
    public unsafe bool TryReadTo(SplicePipe pipe, out int bytesRead)
    {
        ArgumentNullException.ThrowIfNull(pipe);
        pipe.ThrowIfDisposed();
        int fd = DescriptorOnLoop();
        bytesRead = 0;
        int room = pipe.Capacity - pipe.Count;
        if (room == 0 || (Loop.Driver.Readiness(Token, EpollEvents.None) & (ReadInterest | EpollEvents.Hup | EpollEvents.Err)) == 0)
            return false;
        nint count = Kernel.Splice(fd, null, pipe.WriteEnd, null, (nuint)room, PassOn);
        if (count >= 0)
        {
            bytesRead = (int)count;
            pipe.Count += bytesRead;
            Loop.Queue.Spend(bytesRead);
            return true;
        }

        if (count == -(int)Errno.EAGAIN)
        {
            // A pipe that is not empty may have no page left: then EAGAIN says nothing about the socket.
            if (pipe.Count == 0)
                Loop.Driver.Readiness(Token, EpollEvents.In);
            return false;
        }

        return count == -(int)Errno.EINTR ? false : throw new KernelException("splice", fd, (Errno)(-(int)count));
    }

    /// <summary>
    /// Moves as much of the <paramref name="pipe"/> as there is room for now into this connection, and says how much that was. 0: no room;
    /// <see cref="DescriptorStream.WaitWritableAsync"/> waits for some. The loop's thread only.
    /// </summary>
    /// <exception cref="KernelException">The write failed: EPIPE, ECONNRESET and the like.</exception>
    public unsafe int TryWriteFrom(SplicePipe pipe)
    {
        ArgumentNullException.ThrowIfNull(pipe);
        pipe.ThrowIfDisposed();
        int fd = DescriptorOnLoop();
        if (Loop.Driver.IsWriting(Token))
            throw IoOperation.Busy(OperationKind.Write, fd);
        if (pipe.Count == 0 || (Loop.Driver.Readiness(Token, EpollEvents.None) & (EpollEvents.Out | EpollEvents.Hup | EpollEvents.Err)) == 0)
            return 0;
        nint count = Kernel.Splice(pipe.ReadEnd, null, fd, null, (nuint)pipe.Count, PassOn);
        if (count >= 0)
        {
            pipe.Count -= (int)count;
            Loop.Queue.Spend((int)count);
            return (int)count;
        }

        if (count == -(int)Errno.EAGAIN)
        {
            int error = Loop.Driver.NoteFull(Token);
            return error == 0 ? 0 : throw Failure(OperationKind.Write, error);
        }

        return count == -(int)Errno.EINTR ? 0 : throw new KernelException("splice", fd, (Errno)(-(int)count));
    }

    private int DescriptorOnLoop()
    {
        RequireLoop();
        int fd = FileDescriptor;
        ObjectDisposedException.ThrowIf(fd < 0, this);
        return fd;
    }
}
