using System.Runtime.CompilerServices;

namespace Weir;

// Connections: what is written goes out with the rest of the turn.
internal sealed partial class UringDriver
{
    /// <summary>Bytes of a connection that wait to be sent; then there is no room until half of them are gone.</summary>
    private const int MostUnsent = 64 * 1024;

    /// <summary>Writes above this size are sent from the writer's own memory.</summary>
    private static int MostCopied => SendPool.Largest;

    /// <summary>
    /// Up to so many sends of a turn are made at once: the call that submits them waits on, where their completions would end it. With more, the
    /// next completions are there anyway, and their buffers would come back late.
    /// </summary>
    private const int MostAtOnce = 4;

    private readonly List<int> _sendsDue = [];
    private readonly List<int> _sentAtOnce = [];

    internal override int MostWrittenNow => MostCopied;

    internal override bool HasUnsent(ulong token) => Slots.IsLive(token) && HasUnsent(ref _lines.At(SlotTable.IndexOf(token)));

    private static bool HasUnsent(ref UringSlot line) => line.Unsent > 0 || line.Has(UringState.SendingDirectly);

    protected override unsafe nint WriteOnce(ref Slot slot, ulong token, byte* bytes, int length)
    {
        if (!IsStream(ref slot))
            return base.WriteOnce(ref slot, token, bytes, length);
        ref UringSlot line = ref _lines.At(SlotTable.IndexOf(token));
        if (HasWriteError(ref line))
            return TakeSendError(ref line);
        // What was passed on whole may have gone past the limit.
        int taken = Append(ref line, bytes, Math.Clamp(MostUnsent - line.Unsent, 0, length));
        if (taken < length)
            slot.Ready &= ~EpollEvents.Out;
        if (taken == 0)
            return line.Unsent == 0 ? -(int)Errno.ENOBUFS : -(int)Errno.EAGAIN;
        SendLater(ref line);
        return taken;
    }

    protected override unsafe nint WriteOnce(ref Slot slot, ulong token, IoVector* vectors, int count)
    {
        if (!IsStream(ref slot))
            return base.WriteOnce(ref slot, token, vectors, count);
        nint total = 0;
        for (int i = 0; i < count; i++)
        {
            int length = (int)Math.Min(vectors[i].Length, int.MaxValue);
            nint taken = WriteOnce(ref slot, token, (byte*)vectors[i].Base, length);
            if (taken < 0)
                return total > 0 ? total : taken;
            total += taken;
            if (taken < length)
                break;
        }

        return total;
    }

    internal override int ObstacleToWriting(ulong token)
    {
        ref Slot slot = ref Slots.Find(token);
        if (Unsafe.IsNullRef(ref slot) || !IsStream(ref slot))
            return 0;
        ref UringSlot line = ref _lines.At(SlotTable.IndexOf(token));
        return HasWriteError(ref line) ? TakeSendError(ref line) : HasUnsent(ref line) ? -(int)Errno.EAGAIN : 0;
    }

    private static bool HasWriteError(ref UringSlot line) => line.SendError != 0 || line.ReceiveError != 0 || line.Has(UringState.ShutdownDue);

    // The reason once, to the first who asks, reader or writer; then EPIPE and the end, as the kernel has it.
    private static int TakeSendError(ref UringSlot line)
    {
        if (line.ReceiveError != 0)
        {
            line.SendError = line.ReceiveError;
            line.ReceiveError = 0;
            line.State |= UringState.Ended;
        }

        int error = line.SendError == 0 ? (int)Errno.EPIPE : line.SendError;
        line.SendError = (short)Errno.EPIPE;
        return -error;
    }

    private unsafe int Append(ref UringSlot line, byte* bytes, int length)
    {
        int taken = 0;
        SendBuffer* last = line.LastUnsent;
        // What is being sent is not added to: the kernel has been told its length.
        if (last != null && (last != line.LastSending || !line.Has(UringState.Sending)))
            taken = Fill(last, bytes, length);
        while (taken < length)
        {
            SendBuffer* next = _sendPool.Rent(length - taken);
            if (next == null)
                break;
            taken += Fill(next, bytes + taken, length - taken);
            AddUnsent(ref line, next);
        }

        line.Unsent += taken;
        return taken;
    }

    private static unsafe void AddUnsent(ref UringSlot line, SendBuffer* buffer)
    {
        if (line.FirstUnsent == null)
            line.FirstUnsent = buffer;
        else
            line.LastUnsent->Next = buffer;
        line.LastUnsent = buffer;
    }

    private unsafe void Return(SendBuffer* buffer)
    {
        if (buffer->Received != SendBuffer.Own)
            _receivePool.ReturnSent(buffer->Received);
        _sendPool.Return(buffer);
    }

    // Sent from where it was received to: nothing is copied.
    protected override unsafe nint SendOnce(ref Slot slot, ulong token, ref Lease lease)
    {
        if (lease.Array != null || !IsStream(ref slot))
            return base.SendOnce(ref slot, token, ref lease);
        ref UringSlot line = ref _lines.At(SlotTable.IndexOf(token));
        if (HasWriteError(ref line))
            return TakeSendError(ref line);
        _receivePool.RequireLent(lease.Id);
        SendBuffer* buffer = line.Unsent < MostUnsent ? _sendPool.Rent(0) : null;
        if (buffer == null)
        {
            slot.Ready &= ~EpollEvents.Out;
            return line.Unsent == 0 ? -(int)Errno.ENOBUFS : -(int)Errno.EAGAIN;
        }

        _receivePool.Pass(lease.Id);
        buffer->Bytes = _receivePool.At(lease.Id) + lease.Offset;
        buffer->Received = lease.Id;
        buffer->Length = buffer->Capacity = lease.Length;
        AddUnsent(ref line, buffer);
        line.Unsent += lease.Length;
        SendLater(ref line);
        int taken = lease.Length;
        lease = default;
        return taken;
    }

    private static unsafe int Fill(SendBuffer* buffer, byte* bytes, int length)
    {
        int count = Math.Min(buffer->Capacity - buffer->Length, length);
        Unsafe.CopyBlockUnaligned(buffer->Bytes + buffer->Length, bytes, (uint)count);
        buffer->Length += count;
        return count;
    }

    private void SendLater(ref UringSlot line)
    {
        if (line.Has(UringState.Sending | UringState.SendDue))
            return;
        line.State |= UringState.SendDue;
        _sendsDue.Add(SlotTable.IndexOf(line.Token));
    }

    /// <summary>Submits what was written in this turn, one send for each connection.</summary>
    private unsafe void SubmitSends()
    {
        bool few = _sendsDue.Count <= MostAtOnce;
        foreach (int index in _sendsDue)
        {
            ref UringSlot line = ref _lines.At(index);
            if (!line.Has(UringState.SendDue))
                continue;
            line.State &= ~UringState.SendDue;
            if (line.FirstUnsent != null)
                SendUnsent(index, ref line, few);
        }

        _sendsDue.Clear();
    }

    /// <summary>
    /// Whether the next send is made without waiting for room, so that it is over when it is submitted, and has no completion unless it failed
    /// or was cut short. Not where somebody waits for the send: nothing would tell him before something else ends the loop's wait.
    /// </summary>
    private static bool CanSendAtOnce(ref readonly Slot slot, ref readonly UringSlot line)
        => (slot.Ready & EpollEvents.Out) != 0
            && !line.Has(UringState.Crowded | UringState.ShutdownDue | UringState.CloseDue | UringState.Retired);

    /// <summary>
    /// Sends that were submitted to be made at once, and of which the completions tell nothing, have succeeded. Once all completions that there
    /// are have been seen.
    /// </summary>
    private unsafe void ConcludeSends()
    {
        if (_sentAtOnce.Count == 0 || _ring.Unsubmitted > 0 || _ring.IsOverflowing)
            return;
        foreach (int index in _sentAtOnce)
        {
            ref UringSlot line = ref _lines.At(index);
            if (!line.Has(UringState.SendingAtOnce))
                continue;
            bool live = Slots.IsLive(line.Token);
            line.State &= ~UringState.SendingAtOnce;
            line.Pending--;
            Sent(ref Slots.At(index), ref line, live, line.FirstUnsent->Length - line.FirstUnsent->Sent);
            if (!live)
                ReleaseIfDone(index, ref line);
        }

        _sentAtOnce.Clear();
    }

    // A send that was made at once and tells of itself was cut short or refused.
    private static void NoteRoom(ref UringSlot line)
    {
        line.State = line.Has(UringState.SendingAtOnce)
            ? (line.State & ~UringState.SendingAtOnce) | UringState.Crowded
            : line.State & ~UringState.Crowded;
    }

    private unsafe void SendUnsent(int index, ref UringSlot line, bool atOnce)
    {
        SendBuffer* first = line.FirstUnsent;
        bool several = first->Next != null && (line.Gather = _sendPool.Rent(0)) != null;
        ref Submission entry = ref Submit(UringRequest.Send, several ? IoUringOp.SendMessage : IoUringOp.Send, ref line);
        if (several)
        {
            entry.Address = (ulong)Describe(ref line);
            entry.Length = 1;
        }
        else
        {
            entry.Address = (ulong)(first->Bytes + first->Sent);
            entry.Length = (uint)(first->Length - first->Sent);
            line.LastSending = first;
        }

        entry.OperationFlags = (uint)(MessageFlags.NoSignal | MessageFlags.WaitAll);
        line.State |= UringState.Sending;
        if (!atOnce || first->Next != null || !CanSendAtOnce(in Slots.At(index), in line))
            return;
        // With WAITALL a part of it is a failure, of which there is a completion.
        entry.OperationFlags |= (uint)MessageFlags.DontWait;
        entry.Flags = SubmissionFlags.SkipSuccess;
        line.State |= UringState.SendingAtOnce;
        _sentAtOnce.Add(index);
    }

    // The kernel reads it while the send is in progress, so it is in memory of the pool.
    private static unsafe MessageHeader* Describe(ref UringSlot line)
    {
        var message = (MessageHeader*)line.Gather->Bytes;
        var vectors = (IoVector*)(message + 1);
        int most = (line.Gather->Capacity - sizeof(MessageHeader)) / sizeof(IoVector), count = 0;
        for (SendBuffer* buffer = line.FirstUnsent; buffer != null && count < most; buffer = buffer->Next)
        {
            vectors[count++] = new IoVector { Base = buffer->Bytes + buffer->Sent, Length = (nuint)(buffer->Length - buffer->Sent) };
            line.LastSending = buffer;
        }

        *message = new MessageHeader { Vectors = vectors, VectorCount = (nuint)count };
        return message;
    }

    private unsafe void Sent(ref Slot slot, ref UringSlot line, bool live, int result)
    {
        line.State &= ~UringState.Sending;
        line.LastSending = null;
        if (line.Gather != null)
            _sendPool.Return(line.Gather);
        line.Gather = null;
        if (result >= 0)
            TakeSent(ref line, result);
        else if (!IsPassing(result) && line.SendError == 0)
            line.SendError = (short)-result;

        // Failed, or to be dropped: one that was cancelled may have sent a part.
        if (line.SendError != 0 || _disposed)
            LoseUnsent(ref line);
        else if (line.FirstUnsent != null && (live || line.Has(UringState.CloseDue)))
            SendLater(ref line);
        if (!live)
        {
            if (line.FirstUnsent == null)
                Stop(UringState.PollingIn, UringRequest.PollIn, ref line);
            return;
        }

        ShutdownIfDue(ref slot, ref line);
        if (line.Unsent <= MostUnsent / 2 && (slot.Ready & EpollEvents.Out) == 0)
            Deliver(ref slot, EpollEvents.Out);
    }

    // A signal, or a send that the kernel has polled for so often that it gives up: it is submitted again.
    private static bool IsPassing(int result) => result is -(int)Errno.EINTR or -(int)Errno.EAGAIN;

    private unsafe void TakeSent(ref UringSlot line, int count)
    {
        line.Unsent -= count;
        while (count > 0)
        {
            SendBuffer* first = line.FirstUnsent;
            int part = Math.Min(count, first->Length - first->Sent);
            first->Sent += part;
            count -= part;
            if (first->Sent < first->Length)
                return;
            line.FirstUnsent = first->Next;
            if (line.FirstUnsent == null)
                line.LastUnsent = null;
            Return(first);
        }
    }

    // Who wrote it was told that it is written: the peer must not take what it got for all there was.
    private unsafe void LoseUnsent(ref UringSlot line)
    {
        if (line.FirstUnsent == null)
            return;
        if (line.Has(UringState.ShutdownDue))
            ResetNow(line.Descriptor);
        else
            ResetAtClose(line.Descriptor);
        line.State &= ~UringState.ShutdownDue;
        DropUnsent(ref line);
    }

    private unsafe void DropUnsent(ref UringSlot line)
    {
        ReturnAll(ref line, line.FirstUnsent);
        line.FirstUnsent = line.LastUnsent = null;
        line.State &= ~UringState.SendDue;
    }

    private unsafe void ReturnAll(ref UringSlot line, SendBuffer* buffer)
    {
        while (buffer != null)
        {
            SendBuffer* next = buffer->Next;
            line.Unsent -= buffer->Length - buffer->Sent;
            Return(buffer);
            buffer = next;
        }
    }
}
