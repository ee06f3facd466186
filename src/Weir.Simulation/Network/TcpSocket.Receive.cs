namespace Weir.Simulation;

/// <summary>The receiving side: the queue, the window, and the calls that read.</summary>
internal sealed partial class TcpSocket
{
    private PacketQueue _received; // sk_receive_queue: from _copiedSeq on
    private long _receiveNext; // rcv_nxt: what is expected next
    private long _copiedSeq; // copied_seq: what the program reads next
    private long _advertisedFrom; // rcv_wup, rcv_wnd: the window last told to the peer, and from where it counts
    private int _advertised;
    private int _largestReceived = 536; // rcv_mss

    /// <summary>Bytes to be read; the peer's FIN counts in sequence numbers, not here.</summary>
    private int Available => (int)(_receiveNext - _copiedSeq) - (_finReceived ? 1 : 0);

    // tcp_inq_hint: a FIN that was not read yet counts, and one that was, too.
    internal override int UnreadHint => _receiveNext == _copiedSeq && _finReceived ? 1 : (int)(_receiveNext - _copiedSeq);

    // tcp_receive_window: what the peer may still send.
    private int ReceiveWindow => (int)Math.Max(0, _advertisedFrom + _advertised - _receiveNext);

    // tcp_epollin_ready
    private bool IsReadable(int target)
    {
        int available = Available;
        return available > 0 && (available >= target || ReceiveWindow <= _largestReceived);
    }

    // __tcp_select_window: half the buffer is for bytes, the other half for what it takes to keep them. Small windows are not worth telling.
    private int FreeWindow()
    {
        int all = _segmentSize == LoopbackSegment && ReceiveBufferSize == InitialReceiveBuffer ? 2 * LoopbackSegment : ReceiveBufferSize / 2;
        int free = Math.Max(0, all - (int)(_receiveNext - _copiedSeq));
        int least = Math.Min(_largestReceived, all);
        return free < all / 2 && (free < all / 16 || free < least) ? 0 : free;
    }

    // tcp_select_window: what was granted once is not taken back.
    private int SelectWindow()
    {
        _advertised = Math.Max(FreeWindow(), ReceiveWindow);
        _advertisedFrom = _receiveNext;
        return _advertised;
    }

    // tcp_recvmsg
    internal override nint Receive(SimThread thread, ref UserBuffer buffer, MessageFlags flags, MessageExtras? extras)
    {
        if (_state == TcpState.Listen)
            return Error(Errno.ENOTCONN);
        Own();
        nint result = (flags & MessageFlags.OutOfBand) != 0
            ? ReceiveUrgent(ref buffer, flags, extras)
            : ReceiveOwned(thread, ref buffer, flags);
        Disown();
        return result;
    }

    // tcp_recvmsg_locked
    private nint ReceiveOwned(SimThread thread, ref UserBuffer buffer, MessageFlags flags)
    {
        bool peeks = (flags & MessageFlags.Peek) != 0, discards = (flags & Truncated) != 0;
        long wanted = (long)Math.Min(buffer.Length, int.MaxValue);
        long target = Math.Max(1, (flags & MessageFlags.WaitAll) != 0 ? wanted : Math.Min(ReceiveLowWatermark, wanted));
        long copied = 0, seq = _copiedSeq;
        nint error = 0;
        do
        {
            bool atMark = _urgent != UrgentState.None && _urgentSeq == seq;
            if (atMark && copied > 0)
                break; // what comes before urgent data is read by itself
            Packet? packet = PacketAt(seq);
            if (packet != null)
            {
                int offset = (int)(seq - packet.Seq);
                int used = (int)Math.Min(packet.Length - offset, wanted - copied);
                if (_urgent != UrgentState.None && _urgentSeq - seq < used && _urgentSeq >= seq)
                {
                    if (!atMark)
                    {
                        used = (int)(_urgentSeq - seq);
                    }
                    else if (!KeepsUrgentInline)
                    {
                        // The urgent byte is not part of the stream.
                        seq++;
                        offset++;
                        used--;
                    }
                }

                if (used > 0 && !discards && !buffer.Put(packet.Data.Slice(offset, used)))
                {
                    error = Error(Errno.EFAULT);
                    break;
                }

                seq += used;
                copied += used;
                if (!peeks)
                    Consume(seq);
                continue;
            }

            if (copied >= target)
                break;
            bool waits = MayBlock(flags);
            if (copied > 0)
            {
                if (!waits || PendingError != Errno.None || _state == TcpState.Closed || (_shutdown & Shut.Receive) != 0 || thread.HasSignal)
                    break;
            }
            else
            {
                if (_finReceived)
                    break;
                error = TakeError();
                if (error != 0 || (_shutdown & Shut.Receive) != 0)
                    break;
                if (_state == TcpState.Closed)
                    error = Error(Errno.ENOTCONN);
                else if (!waits)
                    error = Error(Errno.EAGAIN);
                if (error != 0)
                    break;
            }

            UpdateWindow();
            error = Wait(thread, EpollEvents.In | EpollEvents.Err, flags);
            if (seq < _copiedSeq)
                seq = _copiedSeq; // another thread has read meanwhile
        }
        while (copied < wanted && error == 0);
        if (!peeks && copied > 0)
            UpdateWindow();
        return copied > 0 ? (nint)copied : error;
    }

    // The packet that a sequence number lies in.
    private Packet? PacketAt(long seq)
    {
        Packet? packet = _received.First;
        while (packet != null && packet.Seq + packet.Length <= seq)
            packet = packet.Next;
        return packet;
    }

    // The program has read up to there.
    private void Consume(long seq)
    {
        _copiedSeq = seq;
        if (_urgent != UrgentState.None && _copiedSeq > _urgentSeq)
            _urgent = UrgentState.None;
        while (_received.First is { } packet && packet.Seq + packet.Length <= seq)
            Network.Free(_received.Take()!);
    }

    // tcp_cleanup_rbuf: tells the peer of new room, once it is twice what he knows of.
    private void UpdateWindow()
    {
        if ((_shutdown & Shut.Receive) != 0 || _state is TcpState.Closed or TcpState.SynSent)
            return;
        int now = ReceiveWindow;
        int fresh = FreeWindow();
        if (fresh > 0 && fresh >= 2L * now)
            SendAck();
    }

    private void FreeReceived()
    {
        Network.Free(ref _received);
        Network.Free(ref _outOfOrder);
        _copiedSeq = _receiveNext - (_finReceived ? 1 : 0);
    }

    // Options that concern reading

    protected override void OnBufferOptionChanged(SocketOption option)
    {
        base.OnBufferOptionChanged(option);
        switch (option)
        {
            case SocketOption.SocketSendBuffer:
                TellWritable();
                break;
            case SocketOption.SocketReceiveBuffer:
                _isReceiveBufferSet = true;
                break;
            case SocketOption.SocketReceiveLowWatermark:
                SetLowWatermark();
                break;
        }
    }

    private bool _isReceiveBufferSet;

    // tcp_set_rcvlowat
    private void SetLowWatermark()
    {
        const int LargestBuffer = 6_291_456; // net.ipv4.tcp_rmem[2]
        ReceiveLowWatermark = Math.Min(ReceiveLowWatermark, (_isReceiveBufferSet ? ReceiveBufferSize : LargestBuffer) / 2);
        if (!_isReceiveBufferSet && ReceiveLowWatermark * 2 > ReceiveBufferSize)
            ReceiveBufferSize = ReceiveLowWatermark * 2;
        TellReadable();
    }

    // tcp_data_ready
    private void TellReadable()
    {
        if (!_isOrphan && (IsReadable(ReceiveLowWatermark) || _finReceived))
            WaitQueue.Wake(Readable);
    }
}
