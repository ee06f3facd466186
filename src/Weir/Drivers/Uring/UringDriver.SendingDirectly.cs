using System.Buffers;

namespace Weir;

// Large writes: sent from the writer's own memory.
internal sealed partial class UringDriver
{
    private readonly Dictionary<int, DirectSend> _direct = [];
    private readonly Stack<DirectSend> _idleDirect = new();

    /// <summary>A send from memory that is not ours: pinned, and its operation unfinished, until the kernel's last word.</summary>
    private sealed class DirectSend
    {
        internal IoOperation? Operation;
        internal MemoryHandle Pin;
        internal int EndsWith; // what the operation is to end with if it does not succeed; 0: it goes on
    }

    protected override bool TryWrite(IoOperation operation, ref Slot slot)
    {
        int index = SlotTable.IndexOf(operation.Token);
        if (!IsStream(ref slot) || operation.Buffer.Length - operation.Done <= MostCopied)
            return base.TryWrite(operation, ref slot);
        ref UringSlot line = ref _lines.At(index);
        if (HasWriteError(ref line))
        {
            operation.SetResult(TakeSendError(ref line));
            return true;
        }

        // It goes behind what was written before, and whoever waits for room is told when it is through.
        slot.Ready &= ~EpollEvents.Out;
        if (line.Unsent == 0 && !line.Has(UringState.SendingDirectly))
        {
            if (!_idleDirect.TryPop(out DirectSend? direct))
                direct = new DirectSend();
            direct.Operation = operation;
            direct.Pin = operation.Buffer.Pin();
            _direct.Add(index, direct);
            SendRest(direct, ref line);
        }

        return false;
    }

    private unsafe void SendRest(DirectSend direct, ref UringSlot line)
    {
        IoOperation operation = direct.Operation!;
        ref Submission entry = ref Submit(UringRequest.SendDirectly, IoUringOp.Send, ref line);
        entry.Address = (ulong)((byte*)direct.Pin.Pointer + operation.Done);
        entry.Length = (uint)(operation.Buffer.Length - operation.Done);
        // Not the whole in one go: a worker of the kernel that has sent a part and waits to send the rest cannot be cancelled.
        entry.OperationFlags = (uint)MessageFlags.NoSignal;
        line.State |= UringState.SendingDirectly;
    }

    private void SentDirectly(int index, ref Slot slot, ref UringSlot line, int result)
    {
        DirectSend direct = _direct[index];
        IoOperation operation = direct.Operation!;
        if (result > 0)
            operation.Done += result;
        bool all = operation.Done == operation.Buffer.Length;
        if (!all && direct.EndsWith == 0 && (result >= 0 || IsPassing(result)))
        {
            SendRest(direct, ref line);
            return;
        }

        if (result < 0 && result != -(int)Errno.ECANCELED && !IsPassing(result) && line.SendError == 0)
            line.SendError = (short)-result;
        _direct.Remove(index);
        direct.Pin.Dispose();
        int end = all ? operation.Done : direct.EndsWith != 0 ? direct.EndsWith : result;
        (direct.Operation, direct.Pin, direct.EndsWith) = (null, default, 0);
        _idleDirect.Push(direct);
        line.State &= ~UringState.SendingDirectly;
        if (Slots.IsLive(operation.Token))
            slot.Ready |= EpollEvents.Out;
        operation.End(end);
    }

    protected override bool EndOperation(IoOperation operation, int result)
    {
        int index = SlotTable.IndexOf(operation.Token);
        if (!_direct.TryGetValue(index, out DirectSend? direct) || direct.Operation != operation)
            return base.EndOperation(operation, result);
        if (direct.EndsWith == 0)
        {
            direct.EndsWith = result;
            Cancel(UringRequest.SendDirectly, ref _lines.At(index));
        }

        return false;
    }

    internal override void EndAll()
    {
        base.EndAll();
        // Nobody waits in the kernel for the loop any more: their last words are waited for here.
        while (_direct.Count > 0)
            AwaitCompletions();
    }
}
