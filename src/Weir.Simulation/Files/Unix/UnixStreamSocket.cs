namespace Weir.Simulation;

/// <summary>
/// SOCK_STREAM: a write becomes one buffer or several, and a read takes from as many as it needs, but never past one that carried
/// descriptors.
/// </summary>
internal sealed partial class UnixStreamSocket(Machine machine) : UnixSocket(machine, SocketKind.Stream)
{
    // u->inq_len. As in Linux 6.18, an urgent byte that a read passes over stays counted.
    private int _unread;

    private protected override int UnreadLength => _unread;

    internal override int UnreadHint => _unread;

    // unix_poll
    internal override EpollEvents Poll()
        => base.Poll() | (_urgent != null ? EpollEvents.Pri : 0) | (IsWritable() ? WritableKey : 0);

    internal override nint Send(SimThread thread, ref UserBuffer buffer, MessageFlags flags, MessageExtras? extras)
    {
        if (!MayBlock(flags))
            return SendStream(thread, ref buffer, flags, extras);
        Acquire(); // closed while it waits, it lives until the call returns
        try
        {
            return SendStream(thread, ref buffer, flags, extras);
        }
        finally
        {
            Drop();
        }
    }

    // unix_stream_sendmsg
    private nint SendStream(SimThread thread, ref UserBuffer buffer, MessageFlags flags, MessageExtras? extras)
    {
        bool urgent = (flags & MessageFlags.OutOfBand) != 0; // its last byte
        if (urgent && buffer.Length == 0)
            return Error(Errno.EOPNOTSUPP);
        if (extras?.Address is { Length: > 0 })
            return Error(State == UnixState.Established ? Errno.EISCONN : Errno.EOPNOTSUPP);
        if (Peer is not { } other)
            return Error(Errno.ENOTCONN);
        if ((ShutdownState & UnixShutdown.Send) != 0)
            return Error(Errno.EPIPE);
        nuint toSend = buffer.Length - (urgent ? 1u : 0u);
        nint sent = 0;
        while (toSend > 0)
        {
            int size = UnixMemory.StreamChunk(toSend, SendBufferSize);
            int error = SendBuffer(thread, ref buffer, flags, extras, other, size, sent > 0, isUrgent: false);
            if (error < 0)
                return sent > 0 ? sent : error;
            sent += size;
            toSend -= (nuint)size;
        }

        if (urgent)
        {
            int error = SendBuffer(thread, ref buffer, flags, extras, other, 1, sent > 0, isUrgent: true);
            if (error < 0)
                return sent > 0 ? sent : error;
            sent++;
        }

        return sent;
    }

    private int SendBuffer(
        SimThread thread, ref UserBuffer buffer, MessageFlags flags, MessageExtras? extras, UnixSocket other, int size, bool continues, bool isUrgent)
    {
        UnixMessage? message = Allocate(thread, flags, size, UnixMemory.StreamTrueSize(size), continues, out int error);
        if (message == null)
            return error;
        Attach(message, extras); // descriptors travel in the first buffer
        if (!buffer.Take(message.Data.AsSpan(0, size)))
            error = -(int)Errno.EFAULT;
        else if (other.IsDead || (other.ShutdownState & UnixShutdown.Receive) != 0)
            error = -(int)Errno.EPIPE;
        if (error < 0)
        {
            Free(message);
            return error;
        }

        AddCredentials(message, thread, other);
        var receiver = (UnixStreamSocket)other;
        receiver._unread += size;
        if (isUrgent)
            receiver._urgent = message;
        other.ReceiveQueue.Add(message);
        other.WaitQueue.Wake(ReadableKey);
        return 0;
    }

    internal override nint Receive(SimThread thread, ref UserBuffer buffer, MessageFlags flags, MessageExtras? extras)
    {
        if (!MayBlock(flags))
            return ReceiveStream(thread, ref buffer, flags, extras);
        Acquire();
        try
        {
            return ReceiveStream(thread, ref buffer, flags, extras);
        }
        finally
        {
            Drop();
        }
    }

    // unix_stream_read_generic
    private nint ReceiveStream(SimThread thread, ref UserBuffer buffer, MessageFlags flags, MessageExtras? extras)
    {
        if (State != UnixState.Established)
            return Error(Errno.EINVAL);
        if ((flags & MessageFlags.OutOfBand) != 0)
            return ReceiveUrgent(ref buffer, flags, extras);
        bool peeks = (flags & MessageFlags.Peek) != 0;
        // As soon as so much is copied, an empty queue ends the call.
        nint target = (nint)buffer.Length;
        if ((flags & MessageFlags.WaitAll) == 0)
            target = Math.Min(target, ReceiveLowWatermark);
        target = Math.Max(target, 1);
        nint copied = 0;
        int error = 0;
        List<SimFile>? files = null;
        UnixCredentials credentials = UnixCredentials.None;
        bool checksCredentials = false;
        UnixMessage? message = ReceiveQueue.First;
        while (true)
        {
            if (message != null && (message.Unread == 0 || message == _urgent))
            {
                message = SkipUrgent(message, peeks, copied > 0);
                if (message == null && copied > 0)
                    break;
            }

            while (message is { Unread: 0 })
                message = message.Next;
            if (message == null)
            {
                if (copied >= target)
                    break;
                error = WaitForData(thread, flags, copied > 0);
                if (error != 0)
                    break;
                message = ReceiveQueue.First;
                continue;
            }

            // Messages of different senders are never glued together.
            if (checksCredentials && message.Credentials != credentials)
                break;
            checksCredentials = PassesCredentials;
            credentials = message.Credentials;
            if (extras != null)
                extras.Address = message.Sender.Address;
            int chunk = (int)Math.Min((nuint)message.Unread, buffer.Length);
            if (!buffer.Put(message.Bytes(0, chunk)))
            {
                error = -(int)Errno.EFAULT;
                break;
            }

            copied += chunk;
            if (peeks)
            {
                if (message.Files != null)
                {
                    files = CopyFiles(message);
                    break;
                }

                message = message.Next;
                if (message == null)
                    break;
                continue;
            }

            message.Consumed += chunk;
            _unread = Math.Max(0, _unread - chunk);
            files = TakeFiles(message);
            if (message.Unread > 0)
                break;
            ReceiveQueue.Remove(message);
            Free(message);
            if (files != null || buffer.Length == 0)
                break;
            message = ReceiveQueue.First;
        }

        Deliver(extras, files, credentials);
        return copied > 0 ? copied : Math.Min(error, 0);
    }

    // What an empty queue means. 0: look again; 1: the end; else the error. A signal ends a call that has something already.
    private int WaitForData(SimThread thread, MessageFlags flags, bool continues)
    {
        int error = TakeError();
        if (error < 0)
            return error;
        if ((ShutdownState & UnixShutdown.Receive) != 0)
            return 1;
        if (!MayBlock(flags))
            return -(int)Errno.EAGAIN;
        if (continues && thread.HasSignal)
            return -(int)Errno.EINTR;
        return Sleep(thread, WaitQueue, EpollEvents.In, exclusive: false);
    }
}
