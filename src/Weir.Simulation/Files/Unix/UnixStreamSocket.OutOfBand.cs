namespace Weir.Simulation;

// Urgent data (since Linux 5.15): one byte that stays where it was in the stream, and can be taken by itself.
internal sealed partial class UnixStreamSocket
{
    private UnixMessage? _urgent; // u->oob_skb

    private protected override void OnReleased() => _urgent = null;

    // SIOCATMARK: the next byte is the urgent one, or was it.
    private protected override bool IsAtMark
        => ReceiveQueue.First is { } first
            && (first == _urgent || (first.Unread == 0 && (_urgent == null || first.Next == _urgent)));

    // unix_stream_recv_urg: the byte is taken, its empty buffer stays as the mark.
    private int ReceiveUrgent(ref UserBuffer buffer, MessageFlags flags, MessageExtras? extras)
    {
        if (IsUrgentInline || _urgent is not { } urgent)
            return -(int)Errno.EINVAL;
        if ((flags & MessageFlags.Peek) == 0)
        {
            _urgent = null;
            _unread--;
            if (urgent.Previous is { Unread: 0 } mark)
            {
                ReceiveQueue.Remove(mark);
                Free(mark);
            }
        }

        bool copied = buffer.Put(urgent.Bytes(0, (int)Math.Min(1, buffer.Length)));
        if ((flags & MessageFlags.Peek) == 0)
            urgent.Consumed++;
        if (!copied)
            return -(int)Errno.EFAULT;
        if (extras != null)
            extras.Flags |= MessageFlags.OutOfBand;
        return 1;
    }

    /// <summary>manage_oob: a read ends before the urgent byte, and the next one passes over it. The buffer to read from, if any.</summary>
    private UnixMessage? SkipUrgent(UnixMessage message, bool peeks, bool copied)
    {
        UnixMessage? mark = null;
        UnixMessage? next = message;
        if (message.Unread == 0)
        {
            if (copied && (_urgent == null || message == _urgent))
            {
                return null;
            }

            next = message.Next;
            if (!peeks)
            {
                ReceiveQueue.Remove(message);
                mark = message;
            }
        }

        UnixMessage? unread = null;
        if (next != null && next == _urgent)
        {
            if (copied)
            {
                next = null;
            }
            else if (!peeks)
            {
                _urgent = null;
                if (!IsUrgentInline)
                {
                    ReceiveQueue.Remove(next);
                    unread = next;
                    next = ReceiveQueue.First;
                }
            }
            else if (!IsUrgentInline)
            {
                next = next.Next;
            }
        }

        if (mark != null)
            Free(mark);
        if (unread != null)
            Free(unread);
        return next;
    }
}
