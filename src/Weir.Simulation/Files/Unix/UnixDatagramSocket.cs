namespace Weir.Simulation;

/// <summary>
/// SOCK_DGRAM and SOCK_SEQPACKET: whole messages. A receiver that is connected to nobody, or to somebody else, takes only so many from
/// a sender; who is held up is told through the receiver's peer_wait queue.
/// </summary>
internal sealed partial class UnixDatagramSocket : UnixSocket
{
    private readonly PeerWake _peerWake;

    internal UnixDatagramSocket(Machine machine, SocketKind kind)
        : base(machine, kind)
    {
        _peerWake = new PeerWake(this);
    }

    /// <summary>unix_dgram_poll. It may join the peer's queue of those who wait for room, as Linux's does.</summary>
    internal override EpollEvents Poll()
    {
        EpollEvents mask = base.Poll();
        if (IsWritable() && !(Peer is UnixDatagramSocket other && other.Peer != this && other.IsReceiveQueueFull && WaitsForRoom(other)))
            mask |= WritableKey;
        return mask;
    }

    internal override EpollEvents Readiness => base.Poll() | (IsWritable() && !IsHeldUp ? WritableKey : 0);

    private bool IsHeldUp => Peer is { IsDead: false } other && other.Peer != this && ((UnixDatagramSocket)other).IsReceiveQueueFull;

    // All packets, or the next datagram.
    private protected override int UnreadLength
    {
        get
        {
            if (Type == SocketKind.Datagram)
                return ReceiveQueue.First?.Length ?? 0;
            int length = 0;
            for (UnixMessage? message = ReceiveQueue.First; message != null; message = message.Next)
                length += message.Length;
            return length;
        }
    }

    internal override int Connect(SimThread thread, ReadOnlySpan<byte> address)
        => Type == SocketKind.SeqPacket ? base.Connect(thread, address) : ConnectDatagrams(address);

    // unix_dgram_connect: says whom to send to, or (AF_UNSPEC) that it is nobody any more.
    private int ConnectDatagrams(ReadOnlySpan<byte> address)
    {
        if (address.Length < 2)
            return -(int)Errno.EINVAL;
        UnixDatagramSocket? other = null;
        if (address[0] != 0 || address[1] != 0)
        {
            if (!IsValid(address))
                return -(int)Errno.EINVAL;
            int error = BindIfCredentialsPass();
            if (error < 0)
                return error;
            other = (UnixDatagramSocket?)FindOther(address, out error);
            if (other == null)
                return error;
            if (!other.TakesFrom(this))
                return -(int)Errno.EPERM;
            State = other.State = UnixState.Established;
        }

        UnixSocket? before = Peer;
        Peer = other;
        if (before == null)
            return 0;
        if (other == null)
            State = UnixState.Closed;
        LeavePeerWait(before);
        WaitQueue.Wake(WritableKey);
        if (other == before)
            return 0;
        OnDisconnected(before);
        if (before.Peer == null)
            ((UnixDatagramSocket)before).State = UnixState.Closed;
        return 0;
    }

    // unix_may_send
    private bool TakesFrom(UnixSocket sender) => Peer == null || Peer == sender;

    // unix_dgram_disconnected: what the former peer has sent is lost.
    private void OnDisconnected(UnixSocket other)
    {
        if (ReceiveQueue.First == null)
            return;
        PurgeReceiveQueue();
        PeerWait.Wake(EpollEvents.None, exclusive: 0);
        if (other.IsDead || other.Peer != this)
            return;
        other.PendingError = Errno.ECONNRESET;
        other.WaitQueue.Wake(EpollEvents.Err);
    }

    // Waiting for a receiver

    // unix_dgram_peer_wake_me: joins those who wait, unless there is room by now or nobody who could make it.
    private bool WaitsForRoom(UnixDatagramSocket other)
    {
        bool joined = !_peerWake.IsQueued;
        if (joined)
            other.PeerWait.AddFirst(_peerWake);
        if (other.IsReceiveQueueFull && !other.IsDead)
            return true;
        if (joined)
            _peerWake.Leave();
        return false;
    }

    private protected override void LeavePeerWait(UnixSocket other)
    {
        if (_peerWake.Queue == other.PeerWait)
            _peerWake.Leave();
    }

    /// <summary>unix_dgram_peer_wake_relay: what the receiver's queue says, those who watch the sender hear, once.</summary>
    private sealed class PeerWake(UnixDatagramSocket sender) : WaitEntry
    {
        internal override bool OnWake(EpollEvents key)
        {
            Leave();
            if (!sender.IsDead)
                sender.WaitQueue.Wake(key);
            return false;
        }
    }
}
