namespace Weir.Simulation;

// Batches of messages: __sys_recvmmsg and __sys_sendmmsg of net/socket.c.
public sealed unsafe partial class SimKernel
{
    private const MessageFlags WaitForOne = (MessageFlags)0x10000; // MSG_WAITFORONE
    private const uint MostSentAtOnce = 1024; // UIO_MAXIOV

    /// <inheritdoc/>
    public override int ReceiveMessages(int fd, MessageEntry* messages, uint count, MessageFlags flags)
    {
        using Call call = Begin(SystemCall.ReceiveMessages, fd);
        int error = FindSocket(call, fd, out SimSocket? socket);
        if (error == 0)
        {
            // An error that is pending comes before any message, from sockets too that would not look at it.
            error = -(int)socket!.PendingError;
            socket.PendingError = Errno.None;
        }

        if (error < 0)
            return call.Returns(error);
        count = World.Faults.Fewer(socket!, writes: false, count);
        int done = 0;
        while (done < count)
        {
            nint result = ReceiveMessageOf(call, socket!, &messages[done].Header, flags & ~WaitForOne);
            if (result < 0)
            {
                error = (int)result;
                break;
            }

            messages[done].Length = (uint)result;
            bool isUrgent = (messages[done].Header.Flags & MessageFlags.OutOfBand) != 0;
            done++;
            if ((flags & WaitForOne) != 0)
                flags |= MessageFlags.DontWait;
            if (isUrgent)
                break;
        }

        if (done == 0)
            return call.Returns(error);
        // The messages are told of now, the error by the next call.
        if (error is not (0 or -(int)Errno.EAGAIN))
            socket!.PendingError = (Errno)(-error);
        return call.Returns(done);
    }

    /// <inheritdoc/>
    public override int SendMessages(int fd, MessageEntry* messages, uint count, MessageFlags flags)
    {
        using Call call = Begin(SystemCall.SendMessages, fd);
        int error = FindSocket(call, fd, out SimSocket? socket);
        if (error < 0)
            return call.Returns(error);
        count = World.Faults.Fewer(socket!, writes: true, Math.Min(count, MostSentAtOnce));
        int done = 0;
        while (done < count)
        {
            nint result = SendMessageOf(call, socket!, &messages[done].Header, flags);
            if (result < 0)
            {
                error = (int)result;
                break;
            }

            messages[done++].Length = (uint)result;
        }

        return call.Returns(done > 0 ? done : error);
    }
}
