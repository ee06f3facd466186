namespace Weir.Simulation;

/// <summary>Urgent data: one byte beside the stream, and its mark in it.</summary>
internal sealed partial class TcpSocket
{
    /// <summary>The state of the urgent byte: the upper bits of urg_data.</summary>
    private enum UrgentState : byte
    {
        None,

        /// <summary>Announced; the byte is still to come.</summary>
        NotYet,

        /// <summary>It can be read.</summary>
        Valid,

        /// <summary>It has been read; the mark stays until the program has read past it.</summary>
        Read,
    }

    private UrgentState _urgent;
    private long _urgentSeq; // urg_seq
    private byte _urgentByte;

    // tcp_inq
    private int AvailableToMark
        => KeepsUrgentInline || _urgent == UrgentState.None || _urgentSeq < _copiedSeq || _urgentSeq >= _receiveNext
            ? Available
            : (int)(_urgentSeq - _copiedSeq);

    // tcp_urg
    private void ProcessUrgent(Packet packet)
    {
        if ((packet.Flags & TcpFlags.Urgent) != 0)
            NoteMark(packet.Urgent - 1);
        if (_urgent != UrgentState.NotYet)
            return;
        long offset = _urgentSeq - packet.Seq;
        if (offset < 0 || offset >= packet.Length)
            return;
        _urgentByte = packet.Data[(int)offset];
        _urgent = UrgentState.Valid;
        if (!_isOrphan)
            WaitQueue.Wake(Readable);
    }

    // tcp_check_urg
    private void NoteMark(long seq)
    {
        if (seq < _copiedSeq || seq < _receiveNext || (_urgent != UrgentState.None && seq <= _urgentSeq))
            return;
        // The old urgent byte has not been stepped over yet, and will not be any more.
        if (_urgentSeq == _copiedSeq && _urgent != UrgentState.None && !KeepsUrgentInline && _copiedSeq != _receiveNext)
            Consume(_copiedSeq + 1);
        _urgent = UrgentState.NotYet;
        _urgentSeq = seq;
    }

    // tcp_recv_urg
    private nint ReceiveUrgent(ref UserBuffer buffer, MessageFlags flags, MessageExtras? extras)
    {
        if (KeepsUrgentInline || _urgent is UrgentState.None or UrgentState.Read)
            return Error(Errno.EINVAL);
        if (_state == TcpState.Closed && !_finReceived)
            return Error(Errno.ENOTCONN);
        if (_urgent != UrgentState.Valid)
            return _state == TcpState.Closed || (_shutdown & Shut.Receive) != 0 ? 0 : Error(Errno.EAGAIN);
        if ((flags & MessageFlags.Peek) == 0)
            _urgent = UrgentState.Read;
        if (extras != null)
            extras.Flags |= MessageFlags.OutOfBand;
        if (buffer.Length == 0)
        {
            if (extras != null)
                extras.Flags |= Truncated;
            return 0;
        }

        return (flags & Truncated) != 0 || buffer.Put([_urgentByte]) ? 1 : Error(Errno.EFAULT);
    }
}
