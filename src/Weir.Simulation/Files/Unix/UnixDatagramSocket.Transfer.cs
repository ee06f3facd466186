namespace Weir.Simulation;

internal sealed partial class UnixDatagramSocket
{
    private const int SendOverhead = 32;

    internal override nint Send(SimThread thread, ref UserBuffer buffer, MessageFlags flags, MessageExtras? extras)
    {
        ReadOnlySpan<byte> to = extras?.Address;
        if (Type == SocketKind.SeqPacket)
        {
            int error = TakeError();
            if (error < 0)
                return error;
            if (State != UnixState.Established)
                return Error(Errno.ENOTCONN);
            to = default;
        }

        if (!MayBlock(flags))
            return SendMessage(thread, ref buffer, flags, extras, to);
        Acquire(); // closed while it waits, it lives until the call returns
        try
        {
            return SendMessage(thread, ref buffer, flags, extras, to);
        }
        finally
        {
            Drop();
        }
    }

    // unix_dgram_sendmsg: memory first, then the receiver.
    private nint SendMessage(SimThread thread, ref UserBuffer buffer, MessageFlags flags, MessageExtras? extras, ReadOnlySpan<byte> to)
    {
        if ((flags & MessageFlags.OutOfBand) != 0)
            return Error(Errno.EOPNOTSUPP);
        if (!to.IsEmpty && !IsValid(to))
            return Error(Errno.EINVAL);
        int error = BindIfCredentialsPass();
        if (error < 0)
            return error;
        if (buffer.Length > (nuint)(SendBufferSize - SendOverhead))
            return Error(Errno.EMSGSIZE);
        int length = (int)buffer.Length;
        UnixMessage? message = Allocate(thread, flags, length, UnixMemory.DatagramTrueSize(length), continues: false, out error);
        if (message == null)
            return error;
        try
        {
            Attach(message, extras);
            error = buffer.Take(message.Data.AsSpan(0, length)) ? Queue(thread, message, flags, to) : -(int)Errno.EFAULT;
        }
        catch
        {
            Free(message); // the simulation ends while the call waits
            throw;
        }

        if (error < 0)
            Free(message);
        return error < 0 ? error : length;
    }

    private int Queue(SimThread thread, UnixMessage message, MessageFlags flags, ReadOnlySpan<byte> to)
    {
        UnixDatagramSocket? other = to.IsEmpty ? (UnixDatagramSocket?)Peer : null;
        if (to.IsEmpty && other == null)
            return -(int)Errno.ENOTCONN;
        while (true)
        {
            if (other == null)
            {
                other = (UnixDatagramSocket?)FindOther(to, out int error);
                if (other == null)
                    return error;
            }

            if (!other.TakesFrom(this))
                return -(int)Errno.EPERM;
            if (other.IsDead)
            {
                int error = OnReceiverGone(other);
                if (error < 0)
                    return error;
                if (to.IsEmpty)
                    return -(int)Errno.ECONNRESET;
                other = null;
                continue;
            }

            if ((other.ShutdownState & UnixShutdown.Receive) != 0)
                return -(int)Errno.EPIPE;
            // Two that are connected to each other are held up by the sender's memory only.
            if (other == this || other.Peer == this || !other.IsReceiveQueueFull)
                break;
            if (MayBlock(flags))
            {
                int error = WaitForPeer(thread, other);
                if (error < 0)
                    return error;
                continue;
            }

            if (Peer != other || WaitsForRoom(other))
                return -(int)Errno.EAGAIN;
        }

        AddCredentials(message, thread, other);
        other.ReceiveQueue.Add(message);
        other.WaitQueue.Wake(ReadableKey);
        return 0;
    }

    // The receiver was closed: the connection to it ends with this error. 0: it was not connected to it, the name may have a new owner.
    private int OnReceiverGone(UnixDatagramSocket other)
    {
        if (Type == SocketKind.SeqPacket)
            return -(int)Errno.EPIPE;
        if (Peer != other)
            return 0;
        Peer = null;
        State = UnixState.Closed;
        LeavePeerWait(other);
        WaitQueue.Wake(WritableKey);
        OnDisconnected(other);
        return -(int)Errno.ECONNREFUSED;
    }

    internal override nint Receive(SimThread thread, ref UserBuffer buffer, MessageFlags flags, MessageExtras? extras)
    {
        if (Type == SocketKind.SeqPacket && State != UnixState.Established)
            return Error(Errno.ENOTCONN);
        if ((flags & MessageFlags.OutOfBand) != 0)
            return Error(Errno.EOPNOTSUPP);
        if (!MayBlock(flags))
            return ReceiveMessage(thread, ref buffer, flags, extras);
        Acquire();
        try
        {
            return ReceiveMessage(thread, ref buffer, flags, extras);
        }
        finally
        {
            Drop();
        }
    }

    // unix_dgram_recvmsg
    private nint ReceiveMessage(SimThread thread, ref UserBuffer buffer, MessageFlags flags, MessageExtras? extras)
    {
        UnixMessage? message = TakeMessage(thread, flags, out int error);
        if (message == null)
        {
            // Shut down and drained is the end of sequenced packets; datagrams have none unless the call may wait.
            bool isEnd = Type == SocketKind.SeqPacket && error == -(int)Errno.EAGAIN && (ShutdownState & UnixShutdown.Receive) != 0;
            return isEnd ? 0 : error;
        }

        bool peeks = (flags & MessageFlags.Peek) != 0;
        PeerWait.Wake(WritableKey);
        int size = (int)Math.Min((nuint)message.Length, buffer.Length);
        int whole = message.Length;
        bool copied = buffer.Put(message.Bytes(0, size));
        if (copied)
        {
            if (extras != null)
            {
                extras.Address = message.Sender.Address;
                if (size < whole)
                    extras.Flags |= Truncated;
            }

            Deliver(extras, peeks ? CopyFiles(message) : TakeFiles(message), message.Credentials);
        }

        if (!peeks)
            Free(message);
        if (!copied)
            return Error(Errno.EFAULT);
        return (flags & Truncated) != 0 ? whole : size;
    }
}
