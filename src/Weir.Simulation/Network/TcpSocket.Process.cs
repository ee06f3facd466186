namespace Weir.Simulation;

/// <summary>What an arriving segment does: net/ipv4/tcp_input.c.</summary>
internal sealed partial class TcpSocket
{
    private const int DuplicatesOfLoss = 3;

    private PacketQueue _outOfOrder; // by sequence number; what came before what is missing
    private bool _owesAck;

    // tcp_v4_do_rcv. The packet is the socket's from here on.
    private void Process(Packet packet)
    {
        switch (_state)
        {
            case TcpState.Closed:
                Network.Free(packet);
                break;
            case TcpState.Listen:
                ProcessInListen(packet);
                break;
            case TcpState.SynSent:
                ProcessInSynSent(packet);
                break;
            default:
                ProcessInConnection(packet);
                break;
        }
    }

    // tcp_rcv_state_process, and tcp_rcv_established as the common case of it.
    private void ProcessInConnection(Packet packet)
    {
        _lastReceived = World.Now;
        if (!Validate(packet) || !ProcessAck(packet))
        {
            Network.Free(packet);
            return;
        }

        TcpSocket? listener = _listener;
        ProcessUrgent(packet);
        if (AbortsOnData(packet))
        {
            Network.Free(packet);
            return;
        }

        ProcessData(packet);
        if (_state != TcpState.Closed)
        {
            PushPending();
            TellOfSpace();
            if (_owesAck)
                SendAck();
        }

        // The handshake ended with this segment: now that the connection is complete, its listener hears of it.
        if (listener != null && _socketState == SocketState.Connected)
        {
            _listener = null;
            listener.WaitQueue.Wake(Readable);
        }
    }

    // tcp_validate_incoming: resets, and segments from elsewhere than the window.
    private bool Validate(Packet packet)
    {
        bool isReset = (packet.Flags & TcpFlags.Reset) != 0;
        if (packet.EndSeq < _advertisedFrom || packet.Seq > _receiveNext + ReceiveWindow)
        {
            if (!isReset)
                SendAck();
            return false;
        }

        if (isReset)
        {
            if (packet.Seq == _receiveNext)
                ProcessReset();
            else if (packet.Seq > _receiveNext)
                SendAck(); // a challenge: who really has reset will do so again, with the right number
            return false;
        }

        if ((packet.Flags & TcpFlags.Syn) != 0)
        {
            if (_state == TcpState.SynReceived && (packet.Flags & TcpFlags.Ack) != 0)
                return true;
            if (_state == TcpState.SynReceived)
                SendSyn(); // our answer has been lost
            else
                SendAck();
            return false;
        }

        return (packet.Flags & TcpFlags.Ack) != 0;
    }

    // tcp_reset
    private void ProcessReset()
    {
        switch (_state)
        {
            case TcpState.SynReceived when _listener != null:
                DropRequest();
                break;
            case TcpState.CloseWait:
                DoneWithError(Errno.EPIPE);
                break;
            default:
                DoneWithError(Errno.ECONNRESET);
                break;
        }
    }

    // What an acknowledgement does, to the state too. False: the segment goes no further.
    private bool ProcessAck(Packet packet)
    {
        if (_state == TcpState.SynReceived)
        {
            if (packet.Ack != _sendNext)
            {
                Stack.SendReset(packet);
                return false;
            }

            if (!CompleteRequest(packet))
                return false;
        }

        Acknowledge(packet);
        bool allSent = _sendUnacknowledged == _writeSeq;
        switch (_state)
        {
            case TcpState.FinWait1 when allSent:
                _state = TcpState.FinWait2;
                _shutdown |= Shut.Send;
                if (!_isOrphan)
                {
                    TellStateChange();
                }
                else if (packet.Length == 0 && (packet.Flags & TcpFlags.Fin) == 0)
                {
                    BecomeTimeWait(awaitsFin: true);
                    return false;
                }

                break;
            case TcpState.Closing when allSent:
                BecomeTimeWait(awaitsFin: false);
                return false;
            case TcpState.LastAck when allSent:
                Done();
                return false;
        }

        return true;
    }

    // Nobody will read what comes now; that there was an urgent byte in it has been noted all the same.
    private bool AbortsOnData(Packet packet)
    {
        if (_state is not (TcpState.FinWait1 or TcpState.FinWait2 or TcpState.Closing or TcpState.LastAck)
            || (_shutdown & Shut.Receive) == 0 || packet.Seq + packet.Length <= _receiveNext)
        {
            return false;
        }

        Stack.SendReset(packet);
        DoneWithError(Errno.ECONNRESET);
        return true;
    }

    // tcp_ack
    private void Acknowledge(Packet packet)
    {
        if (packet.Ack > _sendNext)
        {
            _owesAck = true;
            return;
        }

        bool isNewer = packet.Ack > _sendUnacknowledged;
        bool movesWindow = isNewer || packet.Seq > _windowUpdatedBy || (packet.Seq == _windowUpdatedBy && packet.Window > _sendWindow);
        bool isDuplicate = packet.Ack == _sendUnacknowledged && HasUnacknowledged && packet.Length == 0 && packet.Window == _sendWindow
            && (packet.Flags & TcpFlags.Fin) == 0;
        if (packet.Ack < _sendUnacknowledged)
            return;
        _probesSent = 0;
        _probingSince = World.Never;
        _keepAliveAnswered |= _keepAliveProbes > 0;
        _keepAliveProbes = 0;
        if (movesWindow)
        {
            _windowUpdatedBy = packet.Seq;
            _sendWindow = packet.Window;
        }

        if (isNewer)
        {
            _duplicates = 0;
            _sendUnacknowledged = packet.Ack;
            FreeAcknowledged();
            if (_recoversUntil > packet.Ack)
                Retransmit(); // more was lost than what has been sent again
            else
                _recoversUntil = 0;
        }
        else if (isDuplicate && ++_duplicates == DuplicatesOfLoss && _recoversUntil == 0)
        {
            _recoversUntil = _sendNext;
            Retransmit();
        }
        else if (!HasUnacknowledged)
        {
            _retransmitAt = World.Never; // it answered a probe
        }
    }

    // tcp_data_queue. The packet is kept or freed.
    private void ProcessData(Packet packet)
    {
        if (packet.EndSeq == packet.Seq)
        {
            Network.Free(packet);
            return;
        }

        _owesAck = true;
        if (packet.EndSeq <= _receiveNext || packet.Seq > _receiveNext + ReceiveWindow || (ReceiveWindow == 0 && packet.Length > 0))
        {
            Network.Free(packet); // old, or more than there is room for
            return;
        }

        if (packet.Seq > _receiveNext)
        {
            KeepForLater(packet);
            return;
        }

        bool finished = Enqueue(packet);
        while (!finished && _outOfOrder.First is { } next && next.Seq <= _receiveNext)
        {
            _outOfOrder.Take();
            if (next.EndSeq <= _receiveNext)
                Network.Free(next);
            else
                finished = Enqueue(next);
        }

        if (finished)
            ProcessFin();
        TellReadable();
    }

    // Appends what is new of it. Whether the peer's FIN is in it.
    private bool Enqueue(Packet packet)
    {
        if (packet.Seq < _receiveNext)
            packet.TrimFront((int)Math.Min(_receiveNext - packet.Seq, packet.Length));
        bool fin = (packet.Flags & TcpFlags.Fin) != 0;
        _receiveNext = packet.EndSeq;
        _largestReceived = Math.Max(_largestReceived, Math.Min(packet.Length, _segmentSize));
        if (packet.Length > 0)
            _received.Add(packet);
        else
            Network.Free(packet);
        return fin;
    }

    // tcp_data_queue_ofo
    private void KeepForLater(Packet packet)
    {
        Packet? before = null;
        for (Packet? at = _outOfOrder.First; at != null && at.Seq <= packet.Seq; at = at.Next)
            before = at;
        if (before != null && before.EndSeq >= packet.EndSeq)
        {
            Network.Free(packet);
            return;
        }

        if (before == _outOfOrder.Last)
        {
            _outOfOrder.Add(packet);
            return;
        }

        packet.Next = before == null ? _outOfOrder.First : before.Next;
        if (before == null)
            _outOfOrder.First = packet;
        else
            before.Next = packet;
    }

    // tcp_fin
    private void ProcessFin()
    {
        _finReceived = true;
        _shutdown |= Shut.Receive;
        Network.Free(ref _outOfOrder);
        switch (_state)
        {
            case TcpState.Established:
                _state = TcpState.CloseWait;
                break;
            case TcpState.FinWait1:
                _state = TcpState.Closing;
                break;
            case TcpState.FinWait2:
                SendAck();
                BecomeTimeWait(awaitsFin: false);
                break;
        }

        TellStateChange();
    }
}
