namespace Weir;

// Readiness by polls: descriptors that are no connections, and connections whose data is left in the kernel.
internal sealed partial class UringDriver
{
    protected override int Watch(ref Slot slot, ulong token, EpollEvents mask)
    {
        if (mask != EpollEvents.None && !IsStream(ref slot) && slot.Kind != DescriptorKind.Listener)
            WatchMask(ref slot, ref _lines.At(SlotTable.IndexOf(token)));
        return 0;
    }

    // A poll says of such files that they are ready, as poll(2) does, and no more than that.
    internal override unsafe int CannotWaitFor(int fd)
    {
        StatXResult status;
        byte nothing = 0;
        int result = Kernel.StatX(fd, &nothing, StatXFlags.EmptyPath, StatXMask.Type, &status);
        return result < 0 ? result : status.IsDirectory || status.IsRegularFile ? -(int)Errno.EPERM : 0;
    }

    private void WatchMask(ref Slot slot, ref UringSlot line)
    {
        ref Submission entry = ref Submit(UringRequest.Watch, IoUringOp.PollAdd, ref line);
        entry.Length = (uint)PollAddFlags.Multishot;
        entry.OperationFlags = (uint)slot.Registered;
        line.State |= UringState.Watching;
    }

    private void PollOnce(UringRequest request, ref UringSlot line, EpollEvents events)
    {
        if (!line.Has(StateOf(request)))
            Poll(request, ref line, events);
    }

    private ref Submission Poll(UringRequest request, ref UringSlot line, EpollEvents events)
    {
        line.State |= StateOf(request);
        ref Submission entry = ref Submit(request, IoUringOp.PollAdd, ref line);
        entry.OperationFlags = (uint)events;
        return ref entry;
    }

    protected override int WatchRoom(ref Slot slot, ulong token)
    {
        ref UringSlot line = ref _lines.At(SlotTable.IndexOf(token));
        // What is being sent says when it has been.
        if (line.Unsent == 0 && !line.Has(UringState.SendingDirectly) && slot.Kind != DescriptorKind.Borrowed)
            PollOnce(UringRequest.PollOut, ref line, EpollEvents.Out);
        return 0;
    }

    protected override int Parked(IoOperation operation, ref Slot slot)
    {
        ref UringSlot line = ref _lines.At(SlotTable.IndexOf(operation.Token));
        if (slot.Kind == DescriptorKind.Borrowed)
            PollOnce(operation.WritesDirection ? UringRequest.PollOut : UringRequest.PollIn, ref line, operation.Interest);
        else if (operation.WritesDirection)
            return slot.Kind is DescriptorKind.Watched or DescriptorKind.WatchedHandle ? 0 : WatchRoom(ref slot, operation.Token);
        else if (IsStream(ref slot))
            TakeFrom(ref line);
        else if (slot.Kind == DescriptorKind.Listener)
            AcceptFrom(ref line);
        return 0;
    }

    protected override int Narrow(ref Slot slot, ulong token)
    {
        ref UringSlot line = ref _lines.At(SlotTable.IndexOf(token));
        UringState before = line.State;
        if (line.Has(UringState.PollingIn) && slot.Reader is not { HasResult: false })
            Stop(UringState.PollingIn, UringRequest.PollIn, ref line);
        if (line.Has(UringState.PollingOut) && slot.Writer is not { HasResult: false })
            Stop(UringState.PollingOut, UringRequest.PollOut, ref line);
        // At once: the owner may close the descriptor in the next line. And what such a poll has told meanwhile is not to meet another one here.
        if (line.State != before)
        {
            FlushAll();
            Dispatch(int.MaxValue);
        }

        return 0;
    }

    private void Stop(UringState state, UringRequest request, ref UringSlot line)
    {
        if (!line.Has(state))
            return;
        line.State &= ~state;
        Cancel(request, ref line);
    }

    private unsafe void Polled(UringRequest request, ref Slot slot, ref UringSlot line, int result, bool more)
    {
        if (result == -(int)Errno.ECANCELED)
            return; // whoever cancelled it knows; another may be in progress by now
        if (!more)
            line.State &= ~StateOf(request);
        if (result < 0)
        {
            if (slot.Reader is { } reader)
                EndOperation(reader, result);
            if (slot.Writer is { } writer)
                EndOperation(writer, result);
            return;
        }

        var events = (EpollEvents)result;
        // A wake-up for data names urgent data as well; only the file knows (sock_def_readable).
        if ((events & EpollEvents.Pri) != 0)
        {
            EpollEvents asked = request == UringRequest.Watch ? slot.Registered : (request == UringRequest.PollOut ? slot.Writer : slot.Reader)?.Interest ?? EpollEvents.None;
            var entry = new PollEntry { Descriptor = slot.Descriptor, Events = (short)asked };
            events = Kernel.Poll(&entry, 1, 0) > 0 ? (EpollEvents)(ushort)entry.Returned : EpollEvents.None;
        }

        if (request != UringRequest.Watch)
            GoOnOrStop(request, ref slot, ref line, events, more);
        if (slot.Kind == DescriptorKind.Borrowed)
            Tell(request == UringRequest.PollOut ? slot.Writer : slot.Reader, events);
        else
            Deliver(ref slot, events);
        // The kernel may end it, for want of memory: what happened meanwhile shows at once when the next begins.
        if (request == UringRequest.Watch && !more)
            WatchMask(ref slot, ref line);
    }

    // A poll tells of the peer's end whether it is asked or not (IO_POLL_UNMASK of io_uring), and what it told of may have been read meanwhile, by who
    // found it without waiting. Who waits then is waited for by one that goes on, since one that looks once would tell the same again.
    private void GoOnOrStop(UringRequest request, ref Slot slot, ref UringSlot line, EpollEvents events, bool more)
    {
        IoOperation? waiting = request == UringRequest.PollOut ? slot.Writer : slot.Reader;
        if (waiting is { HasResult: false } && (events & (waiting.Interest | AlwaysReported)) == 0)
        {
            if (!more)
                Poll(request, ref line, waiting.Interest).Length = (uint)PollAddFlags.Multishot;
        }
        else if (more)
        {
            Stop(StateOf(request), request, ref line);
        }
    }

    private static UringState StateOf(UringRequest request) => request switch
    {
        UringRequest.Watch => UringState.Watching,
        UringRequest.PollIn => UringState.PollingIn,
        _ => UringState.PollingOut,
    };

    private static void Tell(IoOperation? operation, EpollEvents events)
    {
        EpollEvents seen = operation == null ? EpollEvents.None : events & (operation.Interest | AlwaysReported);
        if (seen != 0)
            operation!.End((int)seen);
    }

    protected override void Unwatch(ref Slot slot, ulong token)
    {
        int index = SlotTable.IndexOf(token);
        ref UringSlot line = ref _lines.At(index);
        Stop(UringState.PollingIn, UringRequest.PollIn, ref line);
        Stop(UringState.PollingOut, UringRequest.PollOut, ref line);
        Stop(UringState.Watching, UringRequest.Watch, ref line);
        Stop(UringState.Taking, slot.Kind == DescriptorKind.Listener ? UringRequest.Accept : UringRequest.Receive, ref line);
        _receivePool.DropAll(ref line);
        if (slot.Kind == DescriptorKind.Listener)
            CloseAccepted(index);
        FlushAll();
    }
}
