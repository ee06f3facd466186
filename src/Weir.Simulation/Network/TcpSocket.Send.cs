namespace Weir.Simulation;

/// <summary>The sending side: the queue, the calls that write, and the segments that leave (net/ipv4/tcp_output.c).</summary>
internal sealed partial class TcpSocket
{
    private const int PacketOverhead = 768; // of the send buffer, for each packet in it
    private const int SmallCapacity = 4096; // for what is appended to while it waits

    // sk_write_queue and the retransmission queue in one: sent, then (from _sendHead on) unsent.
    private PacketQueue _unacknowledged;
    private Packet? _sendHead;
    private long _sendUnacknowledged; // snd_una
    private long _sendNext; // snd_nxt
    private long _writeSeq; // write_seq: the end of what was written
    private long _smallSeq; // snd_sml: the end of the last segment sent that was not full
    private long _sendUrgent; // snd_up: the end of urgent data
    private int _sendWindow; // snd_wnd
    private long _windowUpdatedBy; // snd_wl1
    private int _queuedMemory; // sk_wmem_queued
    private long _lastArrival; // when the last segment will be there: none overtakes another

    private bool HasUnacknowledged => _sendNext != _sendUnacknowledged;

    // __sk_stream_is_writeable: room for half of what is queued.
    private bool IsWritable => _queuedMemory < SendBufferSize && SendBufferSize - _queuedMemory >= _queuedMemory >> 1;

    // tcp_sendmsg
    internal override nint Send(SimThread thread, ref UserBuffer buffer, MessageFlags flags, MessageExtras? extras)
    {
        if (extras?.Files != null)
            return Error(Errno.EINVAL);
        Own();
        nint result = SendOwned(thread, ref buffer, flags);
        Disown();
        return result;
    }

    // tcp_sendmsg_locked
    private nint SendOwned(SimThread thread, ref UserBuffer buffer, MessageFlags flags)
    {
        nint copied = 0;
        int error = WaitForConnection(thread, flags);
        while (error == 0)
        {
            if (PendingError != Errno.None || (_shutdown & Shut.Send) != 0)
            {
                error = -(int)Errno.EPIPE;
                break;
            }

            if (buffer.Length == 0)
                break;
            Packet? packet = TailWithRoom();
            if (packet == null)
            {
                if (_queuedMemory < SendBufferSize)
                {
                    packet = AppendPacket(buffer.Length);
                }
                else
                {
                    // sk_stream_wait_memory
                    _runsOutOfSpace = true;
                    PushPending();
                    if (!MayBlock(flags))
                        error = -(int)Errno.EAGAIN;
                    else
                        error = Wait(thread, EpollEvents.Out | EpollEvents.Err, flags);
                    continue;
                }
            }

            int count = (int)Math.Min(Math.Min(buffer.Length, (nuint)(_segmentSize - packet.Length)), (nuint)packet.Room);
            if (!buffer.Take(packet.FreeSpace[..count]))
            {
                error = -(int)Errno.EFAULT;
                RemoveEmptyTail();
                break;
            }

            packet.Length += count;
            _queuedMemory += count;
            _writeSeq += count;
            copied += count;
            if (packet.Length == _segmentSize && buffer.Length > 0)
                PushPending();
        }

        if (copied > 0)
        {
            if ((flags & MessageFlags.OutOfBand) != 0 && buffer.Length == 0)
                _sendUrgent = _writeSeq;
            PushPending();
            return copied;
        }

        // sk_stream_error
        if (error == -(int)Errno.EPIPE && TakeError() is int pending and < 0)
            error = pending;
        if (error == -(int)Errno.EPIPE && (flags & MessageFlags.NoSignal) == 0)
            thread.Process.SendTo(thread, SignalNumbers.Pipe, new SignalInfo(SignalNumbers.Pipe, SignalInfo.FromUser, thread.Process.ProcessId));
        if (error == -(int)Errno.EAGAIN && _unacknowledged.IsEmpty)
            TellWritable(); // so that an edge comes to whoever waits for one
        return error;
    }

    // sk_stream_wait_connect
    private int WaitForConnection(SimThread thread, MessageFlags flags)
    {
        while (_state is not (TcpState.Established or TcpState.CloseWait))
        {
            if (PendingError != Errno.None)
                return TakeError();
            if (_state is not (TcpState.SynSent or TcpState.SynReceived))
                return -(int)Errno.EPIPE;
            if (!MayBlock(flags))
                return -(int)Errno.EAGAIN;
            int error = Wait(thread, EpollEvents.None, flags);
            if (error < 0)
                return error;
        }

        return 0;
    }

    private Packet? TailWithRoom()
        => _sendHead != null && _unacknowledged.Last is { } tail && tail.Length < _segmentSize && tail.Room > 0
            && (tail.Flags & TcpFlags.Fin) == 0 ? tail : null;

    private Packet AppendPacket(nuint bytes)
    {
        Packet packet = Network.Rent();
        int capacity = (int)Math.Min(bytes, (nuint)_segmentSize);
        if (_sendHead != null)
            capacity = Math.Max(capacity, Math.Min(SmallCapacity, _segmentSize));
        packet.Allocate(capacity);
        AppendPacket(packet);
        return packet;
    }

    private void AppendPacket(Packet packet)
    {
        packet.Seq = _writeSeq;
        _queuedMemory += PacketOverhead;
        _unacknowledged.Add(packet);
        _sendHead ??= packet;
    }

    // tcp_remove_empty_skb. Only a fault leaves one, and it is the last.
    private void RemoveEmptyTail()
    {
        if (_unacknowledged.Last is not { Length: 0, Flags: TcpFlags.None } tail)
            return;
        var kept = default(PacketQueue);
        while (_unacknowledged.Take() is { } packet)
        {
            if (packet != tail)
                kept.Add(packet);
        }

        _unacknowledged = kept;
        if (_sendHead == tail)
            _sendHead = null;
        _queuedMemory -= PacketOverhead;
        Network.Free(tail);
    }

    // tcp_send_fin: on the last segment, if that has not left yet.
    private void SendFin()
    {
        Packet? tail = _sendHead == null ? null : _unacknowledged.Last;
        if (tail == null)
        {
            tail = Network.Rent();
            AppendPacket(tail);
        }

        tail.Flags |= TcpFlags.Fin;
        _writeSeq++;
        PushPending();
    }

    /// <summary>Sends what the peer's window takes: tcp_write_xmit.</summary>
    private void PushPending()
    {
        while (_sendHead is { } packet)
        {
            long room = _sendUnacknowledged + _sendWindow - packet.Seq;
            if (room <= 0)
                break;
            if (packet.Length > room)
                Split(packet, (int)room);
            bool isLast = packet.Next == null;
            // Nagle's algorithm, as tcp_minshall_check refines it: one small segment at a time.
            if (isLast && !_noDelay && packet.Length < _segmentSize && (packet.Flags & TcpFlags.Fin) == 0 && _sendUrgent != _writeSeq
                && _smallSeq > _sendUnacknowledged && _smallSeq <= _sendNext && HasUnacknowledged)
            {
                break;
            }

            _sendHead = packet.Next;
            if (packet.Length < _segmentSize)
                _smallSeq = packet.EndSeq;
            if (!HasUnacknowledged)
                _retransmitAt = World.Now + _retransmitTimeout;
            _sendNext = packet.EndSeq;
            packet.SentAt = World.Now;
            Transmit(packet);
        }

        ConsiderProbing();
    }

    // tcp_fragment
    private void Split(Packet packet, int length)
    {
        Packet rest = Network.Rent();
        rest.ShareBytesOf(packet);
        rest.TrimFront(length);
        rest.Seq = packet.Seq + length;
        rest.Flags = packet.Flags;
        rest.Next = packet.Next;
        packet.Length = length;
        packet.Flags &= ~TcpFlags.Fin;
        packet.Next = rest;
        if (_unacknowledged.Last == packet)
            _unacknowledged.Last = rest;
        _queuedMemory += PacketOverhead;
    }

    // Segments on their way: tcp_transmit_skb

    private void Transmit(Packet packet)
    {
        Packet segment = Network.Rent();
        segment.ShareBytesOf(packet);
        segment.Flags = packet.Flags | TcpFlags.Ack;
        segment.Seq = packet.Seq;
        if (_sendUrgent > packet.Seq && _sendUrgent > _sendUnacknowledged)
        {
            segment.Flags |= TcpFlags.Urgent;
            segment.Urgent = _sendUrgent;
        }

        Transmit(segment, hasAck: true);
    }

    private void TransmitControl(TcpFlags flags, long seq)
    {
        Packet segment = Network.Rent();
        segment.Flags = flags;
        segment.Seq = seq;
        if (_sendUrgent > _sendNext && (flags & TcpFlags.Syn) == 0)
        {
            // What is urgent is announced, though the window lets none of it through yet.
            segment.Flags |= TcpFlags.Urgent;
            segment.Urgent = _sendUrgent;
        }

        Transmit(segment, (flags & TcpFlags.Ack) != 0);
    }

    private void Transmit(Packet segment, bool hasAck)
    {
        segment.Kind = PacketKind.Tcp;
        segment.Source = LocalEnd;
        segment.Destination = RemoteEnd;
        segment.Ack = hasAck ? _receiveNext : 0;
        segment.Window = SelectWindow();
        if (hasAck)
            _owesAck = false;
        long arrival = Stack.Transmit(segment, _lastArrival);
        _lastArrival = Math.Max(_lastArrival, arrival);
    }

    private void SendSyn() => TransmitControl(_state == TcpState.SynSent ? TcpFlags.Syn : TcpFlags.Syn | TcpFlags.Ack, _sendNext - 1);

    private void SendAck() => TransmitControl(TcpFlags.Ack, _sendNext);

    // tcp_send_active_reset
    private void SendActiveReset() => TransmitControl(TcpFlags.Reset | TcpFlags.Ack, _sendNext);

    // tcp_retransmit_skb: what was sent first and not acknowledged.
    private void Retransmit()
    {
        if (_unacknowledged.First is not { } packet || packet == _sendHead)
            return;
        packet.WasRetransmitted = true;
        Transmit(packet);
    }

    // tcp_clean_rtx_queue
    private void FreeAcknowledged()
    {
        while (_unacknowledged.First is { } packet && packet != _sendHead && packet.EndSeq <= _sendUnacknowledged)
        {
            if (!packet.WasRetransmitted)
                Measure(World.Now - packet.SentAt);
            _unacknowledged.Take();
            _queuedMemory -= packet.Length + PacketOverhead;
            Network.Free(packet);
        }

        LetGo();
        OnProgress();
    }

    private void FreeUnsent()
    {
        Network.Free(ref _unacknowledged);
        _sendHead = null;
        _queuedMemory = 0;
        LetGo();
    }

    // What was sent without a copy: by the end of it, what is to be told when no packet with bytes of it is in the queue (skb_zcopy_clear).
    private readonly Queue<(long End, Action Release)> _uncopied = new();

    internal override bool TryTellWhenLetGo(Action release)
    {
        _uncopied.Enqueue((_writeSeq, release));
        LetGo();
        return true;
    }

    private void LetGo()
    {
        long first = _unacknowledged.First?.Seq ?? _writeSeq;
        while (_uncopied.TryPeek(out var next) && next.End <= first)
            _uncopied.Dequeue().Release();
    }

    // tcp_check_space: only who has found the buffer full is told.
    private void TellOfSpace()
    {
        if (_runsOutOfSpace)
            TellWritable();
    }

    // sk_stream_write_space
    private void TellWritable()
    {
        if (_isOrphan || !IsWritable)
            return;
        _runsOutOfSpace = false;
        WaitQueue.Wake(Writable);
    }
}
