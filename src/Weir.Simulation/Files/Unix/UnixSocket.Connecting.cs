namespace Weir.Simulation;

// Listening, connecting and accepting: streams and sequenced packets alike.
internal abstract partial class UnixSocket
{
    private const int MostBacklog = 4096; // net.core.somaxconn

    /// <summary>A connection that has not been accepted: no descriptor refers to it.</summary>
    protected bool IsEmbryo { get; private set; }

    /// <summary>unix_socketpair.</summary>
    internal static void Pair(UnixSocket first, UnixSocket second, SimKernel process)
    {
        (first.Peer, second.Peer) = (second, first);
        first._peerCredentials = second._peerCredentials = UnixCredentials.Of(process);
        first.State = second.State = UnixState.Established;
    }

    internal override int Listen(int backlog)
    {
        if (Type == SocketKind.Datagram)
            return -(int)Errno.EOPNOTSUPP;
        if (_address == null || State == UnixState.Established)
            return -(int)Errno.EINVAL;
        backlog = (int)Math.Min((uint)backlog, MostBacklog);
        bool grows = backlog > Backlog;
        Backlog = backlog;
        State = UnixState.Listening;
        // Whoever connects sees the credentials of the one who listens (update_peercred).
        _peerCredentials = World.CurrentThread is { } thread ? UnixCredentials.Of(thread.Process) : new UnixCredentials(0, 0, 0);
        if (grows)
            PeerWait.Wake(EpollEvents.None, exclusive: 0);
        return 0;
    }

    internal override int Connect(SimThread thread, ReadOnlySpan<byte> address)
    {
        Acquire(); // closed while it waits, it lives until the call returns
        try
        {
            return ConnectStream(thread, address);
        }
        finally
        {
            Drop();
        }
    }

    // unix_stream_connect: what is connected to is a new socket that the listener will accept.
    private int ConnectStream(SimThread thread, ReadOnlySpan<byte> address)
    {
        if (!IsValid(address))
            return -(int)Errno.EINVAL;
        int error = BindIfCredentialsPass();
        if (error < 0)
            return error;
        UnixSocket? listener;
        while (true)
        {
            listener = FindOther(address, out error);
            if (listener == null)
                return error;
            if (!listener.IsListening || (listener.ShutdownState & UnixShutdown.Receive) != 0)
                return -(int)Errno.ECONNREFUSED;
            if (!listener.IsReceiveQueueFull)
                break;
            if (!MayBlock(MessageFlags.None))
                return -(int)Errno.EAGAIN;
            error = WaitForPeer(thread, listener);
            if (error < 0)
                return error;
        }

        if (State != UnixState.Closed)
            return State == UnixState.Established ? -(int)Errno.EISCONN : -(int)Errno.EINVAL;
        UnixSocket accepted = UnixSockets.Make(Machine, Type);
        accepted.IsEmbryo = true;
        accepted.Peer = this;
        accepted.State = UnixState.Established;
        accepted.PassesCredentials = listener.PassesCredentials;
        accepted._peerCredentials = UnixCredentials.Of(thread.Process);
        accepted._address = listener._address;
        accepted._node = listener._node;
        _peerCredentials = listener._peerCredentials;
        State = UnixState.Established;
        Peer = accepted;
        listener.ReceiveQueue.Add(Table.Messages.Rent(accepted, length: 0, trueSize: 0));
        listener.WaitQueue.Wake(ReadableKey);
        return 0;
    }

    internal override int Accept(SimThread thread, out SimSocket? socket)
    {
        Acquire();
        try
        {
            return AcceptConnection(thread, out socket);
        }
        finally
        {
            Drop();
        }
    }

    // unix_accept
    private int AcceptConnection(SimThread thread, out SimSocket? socket)
    {
        socket = null;
        if (Type == SocketKind.Datagram)
            return -(int)Errno.EOPNOTSUPP;
        if (State != UnixState.Listening)
            return -(int)Errno.EINVAL;
        UnixMessage? request = TakeMessage(thread, MessageFlags.None, out int error);
        if (request == null)
            return error == 0 ? -(int)Errno.EINVAL : error; // 0: receiving is shut down
        UnixSocket accepted = request.Sender;
        Free(request);
        PeerWait.Wake(EpollEvents.None);
        accepted.IsEmbryo = false;
        socket = accepted;
        return 0;
    }

    /// <summary>
    /// skb_recv_datagram: the next message, taken out of the queue unless it is peeked at. Null with 0: receiving is shut down.
    /// </summary>
    protected UnixMessage? TakeMessage(SimThread thread, MessageFlags flags, out int error)
    {
        while (true)
        {
            error = TakeError();
            if (error < 0)
                return null;
            if (ReceiveQueue.First is { } first)
            {
                if ((flags & MessageFlags.Peek) == 0)
                    ReceiveQueue.Remove(first);
                return first;
            }

            error = -(int)Errno.EAGAIN;
            if (!MayBlock(flags))
                return null;
            error = 0;
            if ((ShutdownState & UnixShutdown.Receive) != 0)
                return null;
            error = Sleep(thread, WaitQueue, EpollEvents.In | EpollEvents.Err, exclusive: true);
            if (error < 0)
                return null;
        }
    }
}
