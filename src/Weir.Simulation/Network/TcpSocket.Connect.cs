namespace Weir.Simulation;

/// <summary>How connections come to be: connect(2), listen(2), accept(2) and the handshake between them.</summary>
internal sealed partial class TcpSocket
{
    private const int MaxBacklog = 4096; // net.core.somaxconn

    // A listening socket: connections ready to be taken, and those whose handshake is not over.
    private Queue<TcpSocket>? _accepted;
    private HashSet<TcpSocket>? _requests;
    private int _backlogLimit;

    // One of the latter: where it is to be taken.
    private TcpSocket? _listener;

    // __inet_stream_connect
    internal override int Connect(SimThread thread, ReadOnlySpan<byte> address)
    {
        if (address.Length < 2)
            return -(int)Errno.EINVAL;
        Own();
        int result = InetEndPoint.Family(address) == SocketDomain.Unspecified ? DisconnectByName() : ConnectOwned(thread, address);
        Disown();
        return result;
    }

    private int DisconnectByName()
    {
        Disconnect();
        _socketState = SocketState.Unconnected;
        return 0;
    }

    private int ConnectOwned(SimThread thread, ReadOnlySpan<byte> address)
    {
        int error;
        switch (_socketState)
        {
            case SocketState.Connected:
                return -(int)Errno.EISCONN;
            case SocketState.Disconnecting:
                return -(int)Errno.EINVAL;
            case SocketState.Connecting:
                error = -(int)Errno.EALREADY;
                break;
            default:
                if (_state != TcpState.Closed)
                    return -(int)Errno.EISCONN;
                error = StartConnecting(address);
                if (error < 0)
                    return error;
                _socketState = SocketState.Connecting;
                error = -(int)Errno.EINPROGRESS;
                break;
        }

        while (_state is TcpState.SynSent or TcpState.SynReceived)
        {
            if (IsNonBlocking)
                return error;
            if (Wait(thread, EpollEvents.None, MessageFlags.None) is int interrupted and < 0)
                return interrupted;
        }

        if (_state == TcpState.Closed)
        {
            int failure = TakeError();
            Disconnect();
            _socketState = SocketState.Unconnected;
            return failure < 0 ? failure : -(int)Errno.ECONNABORTED;
        }

        _socketState = SocketState.Connected;
        return 0;
    }

    // tcp_v4_connect
    private int StartConnecting(ReadOnlySpan<byte> address)
    {
        int error = InetEndPoint.TryRead(Domain, address, out InetEndPoint target);
        if (error < 0)
            return error;
        if (target.Address.IsMulticast)
            return -(int)Errno.ENETUNREACH;
        error = Resolve(ref target, out IpAddress source);
        if (error < 0)
            return error;
        if (PortNode == null)
        {
            ushort avoid = Stack.IsLocal(target.Address) ? target.Port : (ushort)0;
            int port = Ports.ChooseForConnect(avoid, port => !Stack.IsConnected(new ConnectionKey(new InetEndPoint(source, port), target)));
            if (port < 0)
                return port;
            IsPortChosenByConnect = true;
            HoldPort(source, (ushort)port);
        }
        else
        {
            var key = new ConnectionKey(LocalEnd with { Address = source }, target);
            if (Stack.IsConnected(key))
                return -(int)Errno.EADDRNOTAVAIL;
            LocalEnd = key.Local;
        }

        RemoteEnd = target;
        _shutdown = Shut.None;
        _finReceived = false;
        _receiveNext = _copiedSeq = _advertisedFrom = 0;
        StartSequence();
        _state = TcpState.SynSent;
        Stack.Add(this);
        SendSyn();
        return 0;
    }

    private void StartSequence()
    {
        long first = Network.NextSequence();
        _sendUnacknowledged = first;
        _sendNext = _writeSeq = _sendUrgent = _smallSeq = first + 1;
        _segmentSize = Stack.IsLocal(RemoteEnd.Address) ? LoopbackSegment : LinkSegment;
        _sendWindow = 0;
        _lastArrival = 0;
        ResetTimers();
    }

    // tcp_finish_connect and tcp_init_transfer: the handshake is over.
    private void BecomeEstablished(Packet packet)
    {
        _state = TcpState.Established;
        _sendUnacknowledged = packet.Ack;
        _sendWindow = packet.Window;
        _windowUpdatedBy = packet.Seq;
        _retransmitAt = World.Never;
        MeasureHandshake();
        if (!IsSendBufferSet)
            SendBufferSize = _segmentSize == LoopbackSegment ? LoopbackSendBuffer : LinkSendBuffer;
        ArmKeepAlive();
    }

    // tcp_rcv_synsent_state_process
    private void ProcessInSynSent(Packet packet)
    {
        bool hasAck = (packet.Flags & TcpFlags.Ack) != 0;
        if (hasAck && packet.Ack != _sendNext)
        {
            Stack.SendReset(packet);
        }
        else if ((packet.Flags & TcpFlags.Reset) != 0)
        {
            if (hasAck)
                DoneWithError(Errno.ECONNREFUSED);
        }
        else if ((packet.Flags & TcpFlags.Syn) != 0)
        {
            StartReceiving(packet);
            if (hasAck)
            {
                BecomeEstablished(packet);
                TellStateChange();
                SendAck();
            }
            else
            {
                // Both sides connect to each other.
                _state = TcpState.SynReceived;
                SendSyn();
            }
        }

        Network.Free(packet);
    }

    private void StartReceiving(Packet syn)
    {
        _receiveNext = _copiedSeq = _advertisedFrom = syn.Seq + 1;
        _advertised = SelectWindow();
    }

    // Listening

    // inet_listen
    internal override int Listen(int backlog)
    {
        if (_socketState != SocketState.Unconnected || _state is not (TcpState.Closed or TcpState.Listen))
            return -(int)Errno.EINVAL;
        _backlogLimit = backlog < 0 ? MaxBacklog : Math.Min(backlog, MaxBacklog);
        if (_state == TcpState.Listen)
            return 0;
        // Ports that were shared by SO_REUSEADDR are not any more once somebody listens: looked at again, as inet_csk_listen_start does.
        _state = TcpState.Listen;
        int port = Ports.Choose(this, LocalEnd.Address, PortNode == null ? (ushort)0 : LocalEnd.Port);
        if (port < 0)
        {
            _state = TcpState.Closed;
            return port;
        }

        if (PortNode == null)
            HoldPort(LocalEnd.Address, (ushort)port);
        _shutdown = Shut.None;
        _accepted ??= new Queue<TcpSocket>();
        Stack.AddListener(this);
        return 0;
    }

    private bool IsAcceptQueueFull => _accepted!.Count > _backlogLimit;

    // tcp_conn_request. The kernel keeps a small request until the handshake is over; here it is the socket itself.
    private void ProcessInListen(Packet packet)
    {
        if ((packet.Flags & TcpFlags.Ack) != 0)
        {
            Stack.SendReset(packet);
        }
        else if ((packet.Flags & TcpFlags.Syn) != 0)
        {
            if (IsAcceptQueueFull)
                World.Log.Note($"{this}: backlog full, a connection has to try again");
            else
                OpenRequest(packet);
        }

        Network.Free(packet);
    }

    private void OpenRequest(Packet packet)
    {
        var request = new TcpSocket(Stack, Domain)
        {
            LocalEnd = packet.Destination,
            RemoteEnd = packet.Source,
            ReceiveBufferSize = ReceiveBufferSize,
            _listener = this,
            _state = TcpState.SynReceived,
        };
        (_requests ??= []).Add(request);
        Stack.Add(request);
        request.StartSequence();
        request.StartReceiving(packet);
        request.SendSyn();
        if (!Stack.IsLocal(packet.Source.Address))
            request.ArmTimer(); // on the loopback the answer is here before this returns
    }

    // tcp_check_req and tcp_v4_syn_recv_sock: the last step of the handshake. False: no room, the peer has to send again.
    private bool CompleteRequest(Packet packet)
    {
        if (_listener is { } listener)
        {
            if (listener.IsAcceptQueueFull)
                return false;
            listener._requests!.Remove(this);
            InheritFrom(listener);
            InheritTcpOptions(listener);
            Ports.Add(LocalEnd.Port, this);
            BecomeEstablished(packet);
            _socketState = SocketState.Connected;
            listener._accepted!.Enqueue(this);
            return true;
        }

        BecomeEstablished(packet);
        TellStateChange();
        return true;
    }

    private void DropRequest()
    {
        _listener?._requests!.Remove(this);
        _listener = null;
        _isOrphan = true;
        Done();
    }

    // inet_csk_listen_stop: what nobody has taken is reset, what was not open yet is forgotten.
    private void StopListening()
    {
        Stack.RemoveListener(this);
        if (_requests != null)
        {
            foreach (TcpSocket request in _requests)
            {
                request._listener = null;
                request._isOrphan = true;
                request.SetClosed();
                request.Destroy();
            }

            _requests = null;
        }

        while (_accepted!.TryDequeue(out TcpSocket? connection))
        {
            connection._isOrphan = true;
            if (NeedsReset(connection._state))
                connection.SendActiveReset();
            connection.SetClosed();
            connection.Destroy();
        }
    }

    // inet_csk_accept
    internal override int Accept(SimThread thread, out SimSocket? socket)
    {
        socket = null;
        while (true)
        {
            if (_state != TcpState.Listen)
                return -(int)Errno.EINVAL;
            if (_accepted!.TryDequeue(out TcpSocket? connection))
            {
                connection._listener = null;
                socket = connection;
                return 0;
            }

            int error = BlockOn(thread, EpollEvents.In, MessageFlags.None);
            if (error < 0)
                return error;
        }
    }
}
