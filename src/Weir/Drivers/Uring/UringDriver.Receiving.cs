using System.Runtime.CompilerServices;

namespace Weir;

// Connections: what they receive comes by itself.
internal sealed partial class UringDriver
{
    /// <summary>
    /// So many buffers, or bytes in them, one connection may hold that does not read; then its receive is stopped until they are read. The others
    /// need some too, and a turn.
    /// </summary>
    private const int MostHeld = 16, MostHeldBytes = 256 * 1024;

    private static bool IsStream(ref Slot slot) => slot.Kind is DescriptorKind.Tcp or DescriptorKind.Socket;

    /// <summary>Sees to it that there is news when there is something to read.</summary>
    private void TakeFrom(ref UringSlot line)
    {
        if (line.Has(UringState.TakingOrStopping | UringState.PollingIn | UringState.Ended) || line.Held >= MostHeld / 2)
            return;
        if (line.Has(UringState.LeavesInKernel) || !_receivePool.HasFree)
        {
            PollOnce(UringRequest.PollIn, ref line, ReadInterest);
            return;
        }

        ref Submission entry = ref Submit(UringRequest.Receive, IoUringOp.Receive, ref line);
        entry.Flags = SubmissionFlags.BufferSelect;
        entry.Priority = IoUringPriority.ReceiveMultishot;
        entry.BufferGroup = _receivePool.Group;
        line.State |= UringState.Taking;
    }

    protected override void Wanted(ref Slot slot, ulong token)
    {
        if (IsStream(ref slot))
            TakeFrom(ref _lines.At(SlotTable.IndexOf(token)));
    }

    private void Received(ref Slot slot, ref UringSlot line, bool live, in Completion completion, bool more)
    {
        if (!live)
        {
            if ((completion.Flags & CompletionFlags.Buffer) != 0)
                _receivePool.Return(completion.BufferId);
            return;
        }

        if (!more)
            line.State &= ~UringState.TakingOrStopping;
        int result = completion.Result;
        if (result > 0)
        {
            _receivePool.Append(ref line, completion.BufferId, result);
            if (more && (line.Held >= MostHeld || line.HeldBytes >= MostHeldBytes) && line.Has(UringState.Taking))
            {
                line.State = (line.State & ~UringState.Taking) | UringState.StoppingTaking;
                Cancel(UringRequest.Receive, ref line);
            }

            Deliver(ref slot, EpollEvents.In);
            return;
        }

        if ((completion.Flags & CompletionFlags.Buffer) != 0)
            _receivePool.Return(completion.BufferId);
        switch (result)
        {
            // The kernel tells the reason of an end once, and a send may have asked first: to a reader it is no orderly end all the same.
            case 0 when line.SendError is (short)Errno.ECONNRESET or (short)Errno.ETIMEDOUT:
                line.ReceiveError = line.SendError;
                Deliver(ref slot, EpollEvents.In);
                break;
            case 0:
                line.State |= UringState.Ended;
                Deliver(ref slot, EpollEvents.In | EpollEvents.RdHup);
                break;
            case -(int)Errno.ENOBUFS:
                _receivePool.Lacking();
                goto case -(int)Errno.ECANCELED;
            case -(int)Errno.ECANCELED:
            case -(int)Errno.EINTR:
                // Stopped, or no buffer was left: whoever waits gets another, or a poll.
                if (slot.Reader is { HasResult: false })
                    TakeFrom(ref line);
                break;
            default:
                line.ReceiveError = (short)-result;
                Deliver(ref slot, EpollEvents.In);
                break;
        }
    }

    protected override unsafe nint ReadOnce(ref Slot slot, ulong token, byte* bytes, int length)
    {
        if (!IsStream(ref slot))
            return base.ReadOnce(ref slot, token, bytes, length);
        ref UringSlot line = ref _lines.At(SlotTable.IndexOf(token));
        if (line.FirstReceived < 0)
            return ReadFromEmpty(ref slot, ref line, token, bytes, length);
        int taken = _receivePool.Take(ref line, bytes, length);
        if (line.FirstReceived < 0)
            NothingReceived(ref slot, ref line);
        return taken;
    }

    // All is read: unless the end, or a failure, is still to be told.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void NothingReceived(ref Slot slot, ref UringSlot line)
    {
        if (!line.Has(UringState.Ended) && line.ReceiveError == 0)
            slot.Ready &= ~EpollEvents.In;
    }

    private unsafe nint ReadFromEmpty(ref Slot slot, ref UringSlot line, ulong token, byte* bytes, int length)
    {
        if (line.ReceiveError != 0)
        {
            // As the kernel has it: the reason once, then the end, and EPIPE for writes.
            int error = line.ReceiveError;
            line.ReceiveError = 0;
            line.SendError = (short)Errno.EPIPE;
            line.State |= UringState.Ended;
            return -error;
        }

        if (line.Has(UringState.Ended))
            return 0;
        if (line.Has(UringState.TakingOrStopping))
        {
            slot.Ready &= ~EpollEvents.In;
            return -(int)Errno.EAGAIN;
        }

        return base.ReadOnce(ref slot, token, bytes, length); // a poll has said that there is something
    }

    protected override nint ReceiveOnce(ref Slot slot, ulong token, int most, out Lease lease)
    {
        ref UringSlot line = ref _lines.At(SlotTable.IndexOf(token));
        if (line.FirstReceived < 0)
            return base.ReceiveOnce(ref slot, token, most, out lease);
        lease = default;
        lease.Id = _receivePool.Lend(ref line, out lease.Offset, out lease.Length);
        if (line.FirstReceived < 0)
            NothingReceived(ref slot, ref line);
        return lease.Length;
    }

    internal override unsafe ReadOnlySpan<byte> BytesOf(Lease lease)
    {
        if (lease.Array != null || lease.Length == 0)
            return base.BytesOf(lease);
        ObjectDisposedException.ThrowIf(_disposed, typeof(EventLoop)); // its memory is gone
        return new ReadOnlySpan<byte>(_receivePool.At(lease.Id) + lease.Offset, lease.Length);
    }

    internal override void Return(ref Lease lease)
    {
        if (lease.Array == null && lease.Length > 0 && !_disposed)
            _receivePool.ReturnLent(lease.Id);
        base.Return(ref lease);
    }

    protected override unsafe nint PeekOnce(ref Slot slot, ulong token, byte* bytes, int length)
    {
        ref UringSlot line = ref _lines.At(SlotTable.IndexOf(token));
        if (line.FirstReceived >= 0)
            return _receivePool.Peek(ref line, bytes, length);
        if (line.ReceiveError != 0)
            return -line.ReceiveError;
        if (line.Has(UringState.Ended))
            return 0;
        return line.Has(UringState.TakingOrStopping) ? -(int)Errno.EAGAIN : base.PeekOnce(ref slot, token, bytes, length);
    }

    protected override unsafe nint SpliceOnce(ref Slot slot, ulong token, int pipe, nuint length)
    {
        ref UringSlot line = ref _lines.At(SlotTable.IndexOf(token));
        LeaveInKernel(ref line);
        byte* first = _receivePool.First(ref line, out int available);
        if (first == null)
            return line.ReceiveError != 0 || line.Has(UringState.Ended) ? ReadFromEmpty(ref slot, ref line, token, null, 0) : base.SpliceOnce(ref slot, token, pipe, length);
        nint count = Kernel.Write(pipe, first, Math.Min((nuint)available, length));
        if (count > 0)
            _receivePool.Consume(ref line, (int)count);
        if (line.FirstReceived < 0)
            NothingReceived(ref slot, ref line); // the kernel may have more: a poll tells
        return count;
    }

    internal override int LeaveInKernel(ulong token)
    {
        ref Slot slot = ref Slots.Find(token);
        if (Unsafe.IsNullRef(ref slot) || !IsStream(ref slot))
            return 0;
        ref UringSlot line = ref _lines.At(SlotTable.IndexOf(token));
        if (HasUnsent(ref line))
        {
            FlushAll(); // as a rule the kernel has room for it
            Dispatch(int.MaxValue);
        }

        LeaveInKernel(ref line);
        return line.HeldBytes;
    }

    private void LeaveInKernel(ref UringSlot line)
    {
        if (line.Has(UringState.LeavesInKernel))
            return;
        line.State |= UringState.LeavesInKernel;
        if (!line.Has(UringState.TakingOrStopping))
            return;
        // What it brings until it has stopped goes before what the kernel keeps.
        Cancel(UringRequest.Receive, ref line);
        while (line.Has(UringState.TakingOrStopping))
            AwaitCompletions();
    }
}
