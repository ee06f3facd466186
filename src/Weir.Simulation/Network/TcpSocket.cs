namespace Weir.Simulation;

/// <summary>States of a connection, by RFC 9293. What Linux does in TIME_WAIT is <see cref="TcpTimeWait"/>'s matter.</summary>
internal enum TcpState : byte
{
    Closed,
    Listen,
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
}

/// <summary>
/// A TCP socket (net/ipv4/tcp*.c): segments with sequence numbers, windows, retransmission and the states of a connection, so that what
/// readiness and errors do on a good or a bad network comes out of it as it does there. There is no congestion control: a sender sends what the
/// receiver's window takes, and acknowledgements are never delayed.
/// </summary>
/// <remarks>
/// While a call works on a socket it owns it (lock_sock): segments that arrive meanwhile, such as the acknowledgement of what is being
/// sent, wait in a backlog until the call lets go of it.
/// </remarks>
internal sealed partial class TcpSocket : InetSocket
{
    // The state of struct socket, beside that of struct sock: what connect(2) goes by.
    private enum SocketState : byte
    {
        Unconnected,
        Connecting,
        Connected,
        Disconnecting,
    }

    [Flags]
    private enum Shut : byte
    {
        None = 0,
        Receive = 1,
        Send = 2,
        Both = 3,
    }

    private const int InitialSendBuffer = 16_384; // net.ipv4.tcp_wmem[1]
    private const int InitialReceiveBuffer = 131_072; // net.ipv4.tcp_rmem[1]
    private const int LoopbackSendBuffer = 3_939_840; // what tcp_init_buffer_space makes of it where segments are large
    private const int LinkSendBuffer = 87_040;

    // Segments: half the first window on the loopback (tcp_bound_to_half_wnd), what an Ethernet frame carries elsewhere.
    private const int LoopbackSegment = 32_741;
    private const int LinkSegment = 1448;

    private TcpState _state;
    private SocketState _socketState;
    private Shut _shutdown;
    private bool _isOrphan; // SOCK_DEAD: no descriptor refers to it any more
    private bool _finReceived; // SOCK_DONE
    private bool _runsOutOfSpace; // SOCK_NOSPACE: somebody has found the send buffer full
    private int _segmentSize = 536;

    private bool _isOwned;
    private PacketQueue _backlog;

    internal TcpSocket(NetStack stack, SocketDomain domain)
        : base(stack, domain, SocketKind.Stream, 6)
    {
        SendBufferSize = InitialSendBuffer;
        ReceiveBufferSize = InitialReceiveBuffer;
    }

    internal override string Kind => _state == TcpState.Listen ? "tcp[listen]" : "tcp";

    internal override bool IsListening => _state == TcpState.Listen;

    internal TcpState State => _state;

    internal ConnectionKey Key => new(LocalEnd, RemoteEnd);

    internal bool IsPortChosenByConnect { get; private set; }

    protected override PortTable Ports => Stack.TcpPorts;

    protected override bool CanBind => _state == TcpState.Closed;

    /// <summary>How well a listening socket's address fits; 0: not at all.</summary>
    internal int ScoreFor(InetEndPoint local) => ScoreForAddress(local.Address);

    // tcp_poll: who finds no room is told when there is some.
    internal override EpollEvents Poll()
    {
        EpollEvents mask = Readiness;
        if ((mask & EpollEvents.Out) == 0 && _state is not (TcpState.Listen or TcpState.SynSent or TcpState.SynReceived))
            _runsOutOfSpace = true;
        return mask;
    }

    internal override EpollEvents Readiness => _state == TcpState.Listen
        ? _accepted!.Count > 0 ? EpollEvents.In | EpollEvents.RdNorm : EpollEvents.None
        : ConnectionReadiness();

    private EpollEvents ConnectionReadiness()
    {
        EpollEvents mask = EpollEvents.None;
        if (_shutdown == Shut.Both || _state == TcpState.Closed)
            mask |= EpollEvents.Hup;
        if ((_shutdown & Shut.Receive) != 0)
            mask |= EpollEvents.In | EpollEvents.RdNorm | EpollEvents.RdHup;
        if (_state is not (TcpState.SynSent or TcpState.SynReceived))
        {
            int target = ReceiveLowWatermark;
            if (_urgent != UrgentState.None && _urgentSeq == _copiedSeq && !KeepsUrgentInline && target < int.MaxValue)
                target++;
            if (IsReadable(target))
                mask |= EpollEvents.In | EpollEvents.RdNorm;
            if ((_shutdown & Shut.Send) != 0 || IsWritable)
                mask |= EpollEvents.Out | EpollEvents.WrNorm;
            if (_urgent == UrgentState.Valid)
                mask |= EpollEvents.Pri;
        }

        if (PendingError != Errno.None)
            mask |= EpollEvents.Err;
        return mask;
    }

    // Owning: lock_sock, release_sock

    private void Own() => _isOwned = true;

    /// <summary>Lets go of it, and takes in what has arrived meanwhile. Whether there was anything.</summary>
    private bool Disown()
    {
        bool any = !_backlog.IsEmpty;
        while (_backlog.Take() is { } packet)
            Process(packet);
        _isOwned = false;
        ArmTimer();
        return any;
    }

    /// <summary>
    /// sk_wait_event, within a call that owns it: gives it up until one of the conditions may hold. 0, or the errno that the call returns.
    /// </summary>
    private int Wait(SimThread thread, EpollEvents conditions, MessageFlags flags)
    {
        int error = 0;
        if (!Disown())
            error = BlockOn(thread, conditions, flags);
        Own();
        return error;
    }

    /// <summary>A segment has arrived for it.</summary>
    internal void Receive(Packet packet)
    {
        if (_isOwned)
        {
            _backlog.Add(packet);
            return;
        }

        Process(packet);
        ArmTimer();
    }

    // sk_state_change: everybody is told, whatever he waits for.
    private void TellStateChange()
    {
        if (!_isOrphan)
            WaitQueue.Wake(EpollEvents.None, exclusive: 0);
    }

    private void TellError()
    {
        if (!_isOrphan)
            WaitQueue.Wake(EpollEvents.Err);
    }

    // Ends

    internal override int Shutdown(ShutdownHow how)
    {
        Own();
        int error = 0;
        var directions = (Shut)((int)how + 1);
        if (_socketState == SocketState.Connecting)
            _socketState = _state is TcpState.SynSent or TcpState.SynReceived or TcpState.Closed ? SocketState.Disconnecting : SocketState.Connected;
        switch (_state)
        {
            case TcpState.Listen when (directions & Shut.Receive) == 0:
                break;
            case TcpState.Listen or TcpState.SynSent:
                Disconnect();
                _socketState = SocketState.Unconnected;
                break;
            default:
                if (_state == TcpState.Closed)
                    error = -(int)Errno.ENOTCONN;
                _shutdown |= directions;
                if ((directions & Shut.Send) != 0 && _state is TcpState.Established or TcpState.CloseWait && MoveToClosing())
                    SendFin();
                break;
        }

        TellStateChange();
        Disown();
        return error;
    }

    // tcp_close_state. Whether a FIN is to be sent.
    private bool MoveToClosing()
    {
        switch (_state)
        {
            case TcpState.SynReceived or TcpState.Established:
                _state = TcpState.FinWait1;
                return true;
            case TcpState.CloseWait:
                _state = TcpState.LastAck;
                return true;
            case TcpState.SynSent or TcpState.Listen:
                SetClosed();
                return false;
            default:
                return false;
        }
    }

    // tcp_close
    protected override void Release()
    {
        Own();
        _shutdown = Shut.Both;
        if (_state == TcpState.Listen)
        {
            StopListening();
            SetClosed();
        }
        else if (_state != TcpState.Closed)
        {
            bool unread = Available > 0;
            FreeReceived();
            if (unread || (IsLingering && LingerSeconds == 0))
            {
                if (unread || NeedsReset(_state))
                    SendActiveReset();
                SetClosed();
            }
            else if (MoveToClosing())
            {
                SendFin();
            }
        }

        _isOrphan = true;
        if (_state == TcpState.FinWait2)
            BecomeTimeWait(awaitsFin: true);
        Disown();
        if (_state == TcpState.Closed)
            Destroy();
    }

    private static bool NeedsReset(TcpState state)
        => state is TcpState.Established or TcpState.CloseWait or TcpState.FinWait1 or TcpState.FinWait2 or TcpState.SynReceived;

    /// <summary>
    /// tcp_disconnect: back to the beginning, by connect(2) with AF_UNSPEC or when an attempt has failed. An open connection is reset.
    /// </summary>
    private void Disconnect()
    {
        TcpState before = _state;
        if (before == TcpState.Listen)
        {
            StopListening();
        }
        else if (NeedsReset(before) || (before is TcpState.Closing or TcpState.LastAck && _sendNext != _writeSeq))
        {
            SendActiveReset();
            PendingError = Errno.ECONNRESET;
        }
        else if (before == TcpState.SynSent)
        {
            PendingError = Errno.ECONNRESET;
        }

        if (before != TcpState.Closed)
            SetClosed();
        FreeReceived();
        FreeUnsent();
        RemoteEnd = default;
        if (!IsAddressBound)
            LocalEnd = LocalEnd with { Address = AnyAddress };
        _shutdown = Shut.None;
        _finReceived = false;
        _urgent = UrgentState.None;
        TellError();
    }

    /// <summary>tcp_set_state(TCP_CLOSE): out of all tables, timers off.</summary>
    private void SetClosed()
    {
        if (_state is not (TcpState.Closed or TcpState.Listen))
            Stack.Remove(this);
        _state = TcpState.Closed;
        StopTimers();
        if (IsPortBound)
            return;
        ReleasePort();
        IsPortChosenByConnect = false;
    }

    /// <summary>tcp_done: the connection is over.</summary>
    private void Done()
    {
        SetClosed();
        _shutdown = Shut.Both;
        if (_isOrphan)
            Destroy();
        else
            TellStateChange();
    }

    /// <summary>tcp_done_with_error.</summary>
    private void DoneWithError(Errno error)
    {
        PendingError = error;
        FreeUnsent();
        Done();
        TellError();
    }

    private void Destroy()
    {
        FreeReceived();
        FreeUnsent();
        Network.Free(ref _backlog);
        ReleasePort();
    }

    /// <summary>tcp_time_wait: what remains to be done for the connection needs no socket.</summary>
    private void BecomeTimeWait(bool awaitsFin)
    {
        Stack.Add(new TcpTimeWait(this, Key, _sendNext, _receiveNext, awaitsFin));
        Done();
    }

    /// <summary>Something between the two ends breaks the connection, and both are told that the other did.</summary>
    internal override bool TryReset()
    {
        if (_state is TcpState.Closed or TcpState.Listen or TcpState.SynSent or TcpState.SynReceived)
            return false;
        SendActiveReset();
        if (_state != TcpState.Closed)
            ProcessReset();
        return true;
    }

    /// <summary>No machine has the peer's address: tcp_v4_err.</summary>
    internal void OnHostUnreachable()
    {
        if (_state is TcpState.SynSent or TcpState.SynReceived)
            DoneWithError(Errno.EHOSTUNREACH);
    }

    internal override int PeerAddress(out byte[] address)
    {
        address = RemoteEnd.Write(Domain);
        return RemoteEnd.Port == 0 || _state is TcpState.Closed or TcpState.SynSent or TcpState.Listen ? -(int)Errno.ENOTCONN : 0;
    }

    // tcp_ioctl
    internal override unsafe int Ioctl(uint request, void* argument)
    {
        const uint AtMark = 0x8905; // SIOCATMARK
        const uint OutputNotSent = 0x894B; // SIOCOUTQNSD
        if (request is not (InputQueued or OutputQueued or AtMark or OutputNotSent))
            return base.Ioctl(request, argument);
        if (_state == TcpState.Listen && request != AtMark)
            return -(int)Errno.EINVAL;
        bool opening = _state is TcpState.SynSent or TcpState.SynReceived;
        return PutInt(argument, request switch
        {
            AtMark => _urgent != UrgentState.None && _urgentSeq == _copiedSeq ? 1 : 0,
            InputQueued => opening ? 0 : AvailableToMark,
            OutputQueued => opening ? 0 : (int)(_writeSeq - _sendUnacknowledged),
            _ => opening ? 0 : (int)(_writeSeq - _sendNext),
        });
    }
}
