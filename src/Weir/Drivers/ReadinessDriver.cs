using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>
/// Operations on descriptors whose readiness is remembered: the call is tried first, the operation parked when the kernel says EAGAIN, and
/// tried again when the descriptor is ready. How readiness is learned of is the derived driver's part.
/// </summary>
/// <remarks>
/// Readiness is remembered per slot and forgotten on EAGAIN, and on a short read of a TCP connection that has announced neither urgent data
/// nor its end: news that come later set it again, and since only this thread takes news, none can fall between the look and the clearing.
/// </remarks>
internal abstract partial class ReadinessDriver(Kernel kernel, WorkQueue queue) : IoDriver
{
    protected const EpollEvents AlwaysReported = IoOperation.AlwaysReported;
    protected const EpollEvents ReadInterest = EpollEvents.In | EpollEvents.RdHup;
    private const EpollEvents EndAnnounced = EpollEvents.Pri | EpollEvents.RdHup;

    // MOVE is a hint that costs nothing. NONBLOCK is for the pipe's side; the socket's side is non-blocking by its own flag.
    private const SpliceFlags PassOn = SpliceFlags.Move | SpliceFlags.NonBlock;

    private readonly Dictionary<int, int> _borrowed = [];

    protected Kernel Kernel { get; } = kernel;

    protected WorkQueue Queue { get; } = queue;

    protected SlotTable Slots { get; } = new();

    /// <summary>
    /// The counter (eventfd) that other threads wake the loop by. Watched edge-triggered and never read: each write is an edge, and there is room for
    /// 2^64-2 of them.
    /// </summary>
    protected int WakeDescriptor { get; private set; } = -1;

    protected void OpenWake() => WakeDescriptor = KernelException.Check(Kernel.EventFd(0, EventFdFlags.NonBlock | EventFdFlags.CloseOnExec), "eventfd");

    protected void CloseWake()
    {
        int fd = WakeDescriptor;
        WakeDescriptor = -1;
        if (fd >= 0)
            Kernel.Close(fd);
    }

    // Exactly one write, whatever it returns: EAGAIN would mean 2^64-2 unread wake-ups, and the edge is there all the same.
    internal override unsafe void Wake()
    {
        ulong one = 1;
        Kernel.Write(WakeDescriptor, &one, sizeof(ulong));
    }

    // What a derived driver does about news.

    /// <summary>Begins to watch an owned descriptor for <paramref name="mask"/>. A negated errno if it cannot be watched.</summary>
    protected abstract int Watch(ref Slot slot, ulong token, EpollEvents mask);

    /// <summary>Stops watching a descriptor; it may have been closed already.</summary>
    protected abstract void Unwatch(ref Slot slot, ulong token);

    /// <summary>Sees to it that there is news when there is room to write again. A negated errno if that cannot be watched for.</summary>
    protected abstract int WatchRoom(ref Slot slot, ulong token);

    /// <summary>An operation waits for its descriptor from now on. A negated errno if the descriptor cannot be watched.</summary>
    protected abstract int Parked(IoOperation operation, ref Slot slot);

    /// <summary>Someone asked whether there is something to read and will ask again, perhaps without ever waiting for it.</summary>
    protected virtual void Wanted(ref Slot slot, ulong token)
    {
    }

    /// <summary>
    /// An operation on a lent descriptor does not wait any more; the other direction's may. Watches for what is still waited for, and for
    /// nothing else from here on: the owner may close the descriptor in the next line. A negated errno if it cannot be watched.
    /// </summary>
    protected abstract int Narrow(ref Slot slot, ulong token);

    /// <summary>A slot has been taken into use.</summary>
    protected virtual void Allocated(int index)
    {
    }

    /// <summary>Ends an operation, at once or as soon as the kernel is done with its buffer. False: it lives on until then.</summary>
    protected virtual bool EndOperation(IoOperation operation, int result)
    {
        operation.End(result);
        return true;
    }

    /// <summary>Gives a slot's place to the next who needs one.</summary>
    protected virtual void FreeSlot(int index) => Slots.Free(index);

    internal override ulong Register(int fd, DescriptorKind kind, EpollEvents mask, EpollEvents assumedReady)
    {
        if (!Queue.IsCurrent)
            throw new InvalidOperationException("A descriptor is registered on the thread of its loop; bring the call there with the loop's InvokeAsync.");
        int index = Slots.Allocate(fd, kind);
        Allocated(index);
        ref Slot slot = ref Slots.At(index);
        slot.Ready = assumedReady;
        slot.Registered = mask;
        ulong token = Slots.TokenOf(index);
        int result = Watch(ref slot, token, mask);
        if (result < 0)
        {
            FreeSlot(index);
            throw new KernelException("epoll_ctl(ADD)", fd, (Errno)(-result));
        }

        // Whoever still waits for a lent descriptor of this number waits for one that was closed, and must not touch what is there now.
        if (_borrowed.TryGetValue(fd, out int stale))
            Drop(stale);
        return token;
    }

    internal override void Unregister(ulong token)
    {
        Debug.Assert(Queue.IsCurrent, "Descriptors are given back on the loop's thread.");
        if (!Slots.IsLive(token))
            return;
        int index = SlotTable.IndexOf(token);
        Unwatch(ref Slots.At(index), token);
        Drop(index);
    }

    internal override void Close(ulong token)
    {
        int fd = DescriptorOf(token);
        if (fd < 0)
            return;
        Unregister(token);
        Kernel.Close(fd);
    }

    /// <summary>Frees a slot and ends its waits; the kernel is not told.</summary>
    protected void Drop(int index)
    {
        ref Slot slot = ref Slots.At(index);
        if (slot.Kind == DescriptorKind.Borrowed)
            _borrowed.Remove(slot.Descriptor);
        IoOperation? reader = slot.Reader, writer = slot.Writer;
        if (reader != null)
            Stop(reader, -(int)Closed);
        if (writer != null)
            Stop(writer, -(int)Closed);
        FreeSlot(index);
    }

    internal override int Shutdown(ulong token, ShutdownHow how)
    {
        int fd = DescriptorOf(token);
        return fd < 0 ? -(int)Closed : Kernel.Shutdown(fd, how);
    }

    internal override int DescriptorOf(ulong token) => Slots.IsLive(token) ? Slots.At(SlotTable.IndexOf(token)).Descriptor : -1;

    internal override ulong Borrow(int fd)
    {
        if (_borrowed.TryGetValue(fd, out int index))
            return Slots.TokenOf(index);
        index = Slots.Allocate(fd, DescriptorKind.Borrowed);
        Allocated(index);
        _borrowed.Add(fd, index);
        return Slots.TokenOf(index);
    }

    internal override bool TryFindBorrowed(int fd, out ulong token)
    {
        bool found = _borrowed.TryGetValue(fd, out int index);
        token = found ? Slots.TokenOf(index) : 0;
        return found;
    }

    internal override bool Start(IoOperation operation)
    {
        Debug.Assert(Queue.IsCurrent, "Operations start on the loop's thread.");
        ref Slot slot = ref Slots.Find(operation.Token);
        if (Unsafe.IsNullRef(ref slot))
        {
            operation.SetResult(-(int)Closed);
            return true;
        }

        ref IoOperation? place = ref operation.WritesDirection ? ref slot.Writer : ref slot.Reader;
        if (place != null)
            throw IoOperation.Busy(operation.Kind, slot.Descriptor);
        if ((slot.Ready & (operation.Interest | AlwaysReported)) != 0)
        {
            if (!Queue.HasBudget)
            {
                Queue.BudgetYields++;
                place = operation;
                operation.Enqueue();
                return false;
            }

            if (TryCall(operation, ref slot))
            {
                Queue.Spend(operation.Result);
                return true;
            }
        }

        place = operation;
        operation.Park();
        int error = Parked(operation, ref slot);
        if (error >= 0)
            return false;
        // The other direction's waiter has the same dead descriptor: it is told too.
        IoOperation? other = operation.WritesDirection ? slot.Reader : slot.Writer;
        Forget(operation, ref slot);
        operation.SetResult(error);
        other?.End(error);
        return true;
    }

    internal override bool Perform(IoOperation operation)
    {
        ref Slot slot = ref Slots.Find(operation.Token);
        if (Unsafe.IsNullRef(ref slot))
        {
            operation.SetResult(-(int)Closed);
            return true;
        }

        ref IoOperation? place = ref operation.WritesDirection ? ref slot.Writer : ref slot.Reader;
        if (place != operation)
        {
            // Carried over from another thread: this is its start.
            if (place != null)
            {
                operation.SetResult(-(int)Errno.EBUSY);
                return true;
            }

            return Start(operation);
        }

        if (TryCall(operation, ref slot))
        {
            Queue.Spend(operation.Result);
            return true;
        }

        operation.Park();
        int error = Parked(operation, ref slot);
        if (error >= 0)
            return false;
        operation.SetResult(error);
        return true;
    }

    internal override void Finished(IoOperation operation)
    {
        ref Slot slot = ref Slots.Find(operation.Token);
        if (!Unsafe.IsNullRef(ref slot))
            Forget(operation, ref slot);
    }

    private void Forget(IoOperation operation, ref Slot slot)
    {
        ref IoOperation? place = ref operation.WritesDirection ? ref slot.Writer : ref slot.Reader;
        if (place != operation)
            return;
        place = null;
        if (slot.Kind == DescriptorKind.Borrowed)
            Release(operation.Token, ref slot);
    }

    // A wait has consumed nothing: where it has succeeded and its caller has not been told yet, it can still end otherwise. Told that a lent descriptor
    // was ready, the caller would read from whoever has its number by then.
    private bool Stop(IoOperation operation, int result)
    {
        if (operation is not { Status: AwaitableStatus.Queued, HasResult: true, Result: >= 0, Kind: OperationKind.WaitToRead or OperationKind.WaitToWrite })
            return EndOperation(operation, result);
        operation.SetResult(result);
        return true;
    }

    internal override void Cancel(IoOperation operation) => Abandon(operation, -(int)Errno.ECANCELED);

    internal override void Abandon(IoOperation operation, int result)
    {
        if (!Stop(operation, result))
            return;
        // At once, not when the queue comes to it: the owner of a lent descriptor may close it in the next line.
        Finished(operation);
    }

    internal override void EndAll()
    {
        for (int i = 0; i < Slots.Extent; i++)
        {
            ref Slot slot = ref Slots.At(i);
            if (slot.Reader != null)
                EndOperation(slot.Reader, -(int)Closed);
            if (slot.Writer != null)
                EndOperation(slot.Writer, -(int)Closed);
        }
    }

    /// <summary>A wait on a lent descriptor has ended: watch on for the other direction, or let go of it.</summary>
    private void Release(ulong token, ref Slot slot)
    {
        if (slot.Reader is { HasResult: false } || slot.Writer is { HasResult: false })
        {
            int error = Narrow(ref slot, token);
            if (error < 0)
            {
                slot.Reader?.End(error);
                slot.Writer?.End(error);
            }

            return;
        }

        if (slot.Reader != null || slot.Writer != null)
            return; // its end is in the queue and comes by here
        Narrow(ref slot, token);
        _borrowed.Remove(slot.Descriptor);
        FreeSlot(SlotTable.IndexOf(token));
    }

    /// <summary>News of an owned descriptor: remembered, and passed on to whom they are for.</summary>
    protected static void Deliver(ref Slot slot, EpollEvents events)
    {
        slot.Ready |= events;
        if (slot.Reader is { } reader && (events & (reader.Interest | AlwaysReported)) is var seen and not EpollEvents.None)
        {
            // Who waits for a connection's data is told at once; it is not asked again whether there is some when the queue comes to him.
            if (reader.Kind == OperationKind.WaitToRead && IsSocket(ref slot))
            {
                slot.Reader = null;
                reader.EndDetached((int)seen);
            }
            else
            {
                reader.Enqueue();
            }
        }

        if (slot.Writer is { } writer && (events & (writer.Interest | AlwaysReported)) != 0)
            writer.Enqueue();
    }

    internal override EpollEvents Readiness(ulong token, EpollEvents clear)
    {
        if (!Slots.IsLive(token))
            return EpollEvents.None;
        ref Slot slot = ref Slots.At(SlotTable.IndexOf(token));
        EpollEvents before = slot.Ready;
        slot.Ready = before & ~clear;
        return before;
    }

    internal override EpollEvents Awaited(ulong token)
    {
        if (!Slots.IsLive(token))
            return EpollEvents.None;
        ref Slot slot = ref Slots.At(SlotTable.IndexOf(token));
        return (slot.Reader?.Interest ?? 0) | (slot.Writer?.Interest ?? 0);
    }

    private protected DriverCounts CountSlots(long events, long ghostEvents, long rebuilds)
    {
        int readers = 0, writers = 0;
        for (int i = 0; i < Slots.Extent; i++)
        {
            ref Slot slot = ref Slots.At(i);
            readers += slot.Reader != null ? 1 : 0;
            writers += slot.Writer != null ? 1 : 0;
        }

        return new DriverCounts(events, ghostEvents, readers, writers, Slots.Count, rebuilds);
    }

    /// <summary>Closes the descriptors that are still in care.</summary>
    private protected void CloseDescriptors()
    {
        for (int i = 0; i < Slots.Extent; i++)
        {
            ref Slot slot = ref Slots.At(i);
            if (slot.Descriptor < 0)
                continue;
            int fd = slot.Descriptor;
            bool lent = slot.Kind is DescriptorKind.Borrowed or DescriptorKind.WatchedHandle;
            Slots.Free(i);
            if (!lent)
                Kernel.Close(fd);
        }
    }
}
