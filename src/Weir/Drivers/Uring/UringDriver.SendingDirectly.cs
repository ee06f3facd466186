using System.Buffers;

namespace Weir;

// Large writes: sent from the writer's own memory.
//
// The kernel may send without a copy (IORING_OP_SEND_ZC). Then the memory is its own beyond the result of the send, until TCP has had the
// peer's acknowledgement of every byte and a second completion, the notification, says so. A write takes several sends as a rule, each with a
// notification of its own; the next send does not wait for it, the write's end does. What is cancelled keeps its memory as well: bytes in the
// socket's queue go when the peer acknowledges them or when the connection is reset, and a peer that does not read never does the first.
internal sealed partial class UringDriver
{
    /// <summary>The kernel counts all that a send without a copy names against RLIMIT_MEMLOCK, not only what it takes: no more is named than it may take.</summary>
    private const int MostUncopied = 1 << 20;

    private readonly int _zeroCopyThreshold;
    private readonly Dictionary<int, DirectSend> _direct = [];
    private readonly Stack<DirectSend> _idleDirect = new();

    /// <summary>A write from memory that is not ours: pinned, and its operation unfinished, until the kernel's last word.</summary>
    private sealed class DirectSend
    {
        internal IoOperation? Operation;
        internal MemoryHandle Pin;
        internal int EndsWith; // what the operation is to end with if it does not succeed; 0: it goes on
        internal int Outcome; // what it ends with, once the kernel has let go of its memory
        internal int Notifications; // that are still to come
        internal bool IsSending; // a result is still to come
        internal bool IsZeroCopy; // of a send without a copy
        internal bool Copies; // the rest of it: the kernel could not do without

        /// <summary>Whether the kernel needs the memory beyond the results of its sends.</summary>
        internal bool IsHeld => Notifications > 0 || (IsSending && IsZeroCopy);
    }

    protected override bool TryWrite(IoOperation operation, ref Slot slot)
    {
        int index = SlotTable.IndexOf(operation.Token);
        if (!IsStream(ref slot))
            return base.TryWrite(operation, ref slot);
        ref UringSlot line = ref _lines.At(index);
        if (line.Has(UringState.SendingDirectly))
            return false; // the kernel has its memory, whatever a poll has told meanwhile
        if (operation.Buffer.Length - operation.Done <= MostCopied)
            return base.TryWrite(operation, ref slot);
        if (HasWriteError(ref line))
        {
            operation.SetResult(TakeSendError(ref line));
            return true;
        }

        // It goes behind what was written before, and whoever waits for room is told when it is through.
        slot.Ready &= ~EpollEvents.Out;
        if (line.Unsent == 0)
        {
            if (!_idleDirect.TryPop(out DirectSend? direct))
                direct = new DirectSend();
            direct.Operation = operation;
            direct.Pin = operation.Buffer.Pin();
            _direct.Add(index, direct);
            SendRest(direct, ref slot, ref line);
        }

        return false;
    }

    private unsafe void SendRest(DirectSend direct, ref Slot slot, ref UringSlot line)
    {
        IoOperation operation = direct.Operation!;
        int left = operation.Buffer.Length - operation.Done;
        direct.IsSending = true;
        direct.IsZeroCopy = operation.Buffer.Length >= _zeroCopyThreshold && left > MostCopied
            && slot.Kind == DescriptorKind.Tcp && !direct.Copies && !line.Has(UringState.SendsCopies);
        ref Submission entry = ref Submit(UringRequest.SendDirectly, direct.IsZeroCopy ? IoUringOp.SendZeroCopy : IoUringOp.Send, ref line);
        entry.Address = (ulong)((byte*)direct.Pin.Pointer + operation.Done);
        entry.Length = (uint)(direct.IsZeroCopy ? Math.Min(left, MostUncopied) : left);
        // Not the whole in one go: a worker of the kernel that has sent a part and waits to send the rest cannot be cancelled.
        entry.OperationFlags = (uint)MessageFlags.NoSignal;
        line.State |= UringState.SendingDirectly;
    }

    private void SentDirectly(int index, ref Slot slot, ref UringSlot line, in Completion completion)
    {
        DirectSend direct = _direct[index];
        if ((completion.Flags & CompletionFlags.Notification) != 0)
        {
            direct.Notifications--;
        }
        else
        {
            direct.IsSending = false;
            int before = direct.Notifications;
            if ((completion.Flags & CompletionFlags.More) != 0)
                direct.Notifications++;
            // The notification of a send that has sent nothing comes by itself.
            TakeResult(direct, ref slot, ref line, completion.Result, isHeld: (completion.Result > 0 ? direct.Notifications : before) > 0);
        }

        if (!direct.IsSending && direct.Notifications == 0)
            Finish(index, direct, ref slot, ref line);
    }

    private void TakeResult(DirectSend direct, ref Slot slot, ref UringSlot line, int result, bool isHeld)
    {
        IoOperation operation = direct.Operation!;
        if (result > 0)
            operation.Done += result;
        bool all = operation.Done == operation.Buffer.Length;
        if (!all && direct.EndsWith == 0 && (result >= 0 || IsPassing(result) || (direct.IsZeroCopy && GoesWithCopies(direct, ref line, result))))
        {
            SendRest(direct, ref slot, ref line);
            return;
        }

        if (result < 0 && result != -(int)Errno.ECANCELED && !IsPassing(result) && line.SendError == 0)
            line.SendError = (short)-result;
        direct.Outcome = all ? operation.Done : direct.EndsWith != 0 ? direct.EndsWith : result;
        if (direct.EndsWith != 0 && isHeld && Slots.IsLive(operation.Token)) // else it was closed, and reset before that
            TakeBack(direct, ref line);
    }

    // EOPNOTSUPP: no protocol of this socket can. ENOMEM, ENOBUFS: it would pin more than the process may (RLIMIT_MEMLOCK), or has memory for.
    private static bool GoesWithCopies(DirectSend direct, ref UringSlot line, int result)
    {
        if (result == -(int)Errno.EOPNOTSUPP)
            line.State |= UringState.SendsCopies;
        direct.Copies = result is -(int)Errno.EOPNOTSUPP or -(int)Errno.ENOMEM or -(int)Errno.ENOBUFS;
        return direct.Copies;
    }

    private void Finish(int index, DirectSend direct, ref Slot slot, ref UringSlot line)
    {
        IoOperation operation = direct.Operation!;
        MemoryHandle pin = direct.Pin;
        int outcome = direct.Outcome;
        _direct.Remove(index);
        (direct.Operation, direct.Pin, direct.EndsWith, direct.Copies) = (null, default, 0, false);
        _idleDirect.Push(direct);
        line.State &= ~UringState.SendingDirectly;
        if (Slots.IsLive(operation.Token))
        {
            ShutdownIfDue(ref slot, ref line);
            slot.Ready |= EpollEvents.Out;
        }

        operation.End(outcome);
        pin.Dispose(); // the last: it may be the writer's own code
    }

    protected override bool EndOperation(IoOperation operation, int result)
    {
        int index = SlotTable.IndexOf(operation.Token);
        if (!_direct.TryGetValue(index, out DirectSend? direct) || direct.Operation != operation)
            return base.EndOperation(operation, result);
        if (direct.EndsWith != 0)
            return false;
        direct.EndsWith = result;
        ref UringSlot line = ref _lines.At(index);
        if (direct.IsSending)
            Cancel(UringRequest.SendDirectly, ref line);
        else
            TakeBack(direct, ref line);
        return false;
    }

    /// <summary>The kernel is to let go of a write's memory now, not when the peer has acknowledged what is in it.</summary>
    private void TakeBack(DirectSend direct, ref UringSlot line)
    {
        direct.Outcome = direct.EndsWith;
        line.SendError = (short)Errno.EPIPE;
        ResetNow(line.Descriptor);
    }

    // connect(2) with AF_UNSPEC drops the socket's queue at once, whoever else has the socket open; where a filter forbids it, closing does.
    private unsafe void ResetNow(int fd)
    {
        ResetAtClose(fd);
        ushort unspecified = (ushort)SocketDomain.Unspecified;
        Kernel.Connect(fd, &unspecified, sizeof(ushort));
    }

    /// <summary>A connection whose descriptor is about to be closed: nothing of a write keeps its memory with the kernel.</summary>
    private void ResetIfHeld(int index)
    {
        if (_direct.TryGetValue(index, out DirectSend? direct) && direct.IsHeld)
            ResetNow(_lines.At(index).Descriptor);
    }

    internal override void EndAll()
    {
        base.EndAll();
        foreach (DirectSend direct in _direct.Values.ToArray())
        {
            if (direct.IsHeld)
                Close(direct.Operation!.Token);
        }

        // Nobody waits in the kernel for the loop any more: their last words are waited for here.
        while (_direct.Count > 0)
            AwaitCompletions();
    }
}
