using System.Diagnostics;

namespace Weir;

/// <summary>
/// Operations over epoll: the call is tried first, parked when the kernel says EAGAIN, and tried again at the event.
/// </summary>
/// <remarks>
/// <para>Owned descriptors are registered once, edge-triggered. Readiness is remembered per slot and forgotten on EAGAIN, and on a short
/// read of a TCP connection that has announced neither urgent data nor its end: an edge that comes later sets it again, and since only
/// this thread reads events, none can fall between the look and the clearing.</para>
/// <para>Only TCP is watched for writability from the start. A unix socket or pipe would report each message it sends (its send buffer
/// is freed as the peer reads), so there OUT is asked for after an EAGAIN and given up at the first event that finds no writer.</para>
/// <para>Borrowed descriptors are registered one-shot for each wait: the owner may close them behind our back, and a registration that
/// can no longer be removed then fires at most once more.</para>
/// </remarks>
internal sealed partial class EpollDriver : IoDriver
{
    private const int EventCapacity = 512;
    private const ulong WakeToken = ulong.MaxValue;
    private const EpollEvents AlwaysReported = EpollEvents.Hup | EpollEvents.Err;
    private const EpollEvents ReadInterest = EpollEvents.In | EpollEvents.RdHup;
    private const EpollEvents EndAnnounced = EpollEvents.Pri | EpollEvents.RdHup;

    // So many events for dead tokens mean a registration that fires on and on and cannot be removed any more.
    private const int GhostLimit = 64;

    private readonly Kernel _kernel;
    private readonly WorkQueue _queue;
    private readonly SlotTable _slots = new();
    private readonly Dictionary<int, int> _borrowed = [];
    private EpollSet _set;
    private int _wakeFd = -1;
    private int _ghostRun;
    private long _events;
    private long _ghostEvents;
    private long _rebuilds;

    /// <exception cref="KernelException">No descriptors left.</exception>
    internal EpollDriver(Kernel kernel, WorkQueue queue)
    {
        _kernel = kernel;
        _queue = queue;
        _set = new EpollSet(kernel, EventCapacity);
        try
        {
            _wakeFd = KernelException.Check(kernel.EventFd(0, EventFdFlags.NonBlock | EventFdFlags.CloseOnExec), "eventfd");
            RegisterWake(_set);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    internal override string Name => "epoll";

    // Edge-triggered and never read: each write is an edge, and the counter has room for 2^64-2 of them.
    private void RegisterWake(EpollSet set)
        => KernelException.Check(set.Control(EpollOp.Add, _wakeFd, EpollEvents.In | EpollEvents.EdgeTriggered, WakeToken), "epoll_ctl(ADD)", _wakeFd);

    internal override ulong Register(int fd, DescriptorKind kind, EpollEvents mask, EpollEvents assumedReady)
    {
        Debug.Assert(_queue.IsCurrent, "Descriptors are registered on the loop's thread.");
        int index = _slots.Allocate(fd, kind);
        ref Slot slot = ref _slots.At(index);
        slot.Ready = assumedReady;
        slot.Registered = mask;
        ulong token = _slots.TokenOf(index);
        int result = _set.Control(EpollOp.Add, fd, mask | EpollEvents.EdgeTriggered, token);
        if (result < 0)
        {
            _slots.Free(index);
            throw new KernelException("epoll_ctl(ADD)", fd, (Errno)(-result));
        }

        // Whoever still waits for a lent descriptor of this number waits for one that was closed, and must not touch what is there now.
        if (_borrowed.TryGetValue(fd, out int stale))
            Drop(stale);
        return token;
    }

    internal override void Unregister(ulong token)
    {
        Debug.Assert(_queue.IsCurrent, "Descriptors are given back on the loop's thread.");
        if (!_slots.IsLive(token))
            return;
        int index = SlotTable.IndexOf(token);
        // May fail when the owner of the number closed it already; nothing can be done then, and the generation guards us.
        _set.Control(EpollOp.Delete, _slots.At(index).Descriptor, EpollEvents.None, 0);
        Drop(index);
    }

    /// <summary>Frees a slot and ends its waits; the kernel is not told.</summary>
    private void Drop(int index)
    {
        ref Slot slot = ref _slots.At(index);
        if (slot.Kind == DescriptorKind.Borrowed)
            _borrowed.Remove(slot.Descriptor);
        IoOperation? reader = slot.Reader, writer = slot.Writer;
        _slots.Free(index);
        reader?.End(-(int)Closed);
        writer?.End(-(int)Closed);
    }

    internal override int DescriptorOf(ulong token) => _slots.IsLive(token) ? _slots.At(SlotTable.IndexOf(token)).Descriptor : -1;

    internal override bool Start(IoOperation operation)
    {
        Debug.Assert(_queue.IsCurrent, "Operations start on the loop's thread.");
        if (!_slots.IsLive(operation.Token))
        {
            operation.SetResult(-(int)Closed);
            return true;
        }

        ref Slot slot = ref _slots.At(SlotTable.IndexOf(operation.Token));
        ref IoOperation? place = ref operation.WritesDirection ? ref slot.Writer : ref slot.Reader;
        if (place != null)
            throw IoOperation.Busy(operation.Kind, slot.Descriptor);
        if ((slot.Ready & (operation.Interest | AlwaysReported)) != 0)
        {
            if (!_queue.HasBudget)
            {
                _queue.BudgetYields++;
                place = operation;
                operation.Enqueue();
                return false;
            }

            if (TryCall(operation, ref slot))
            {
                _queue.Spend(operation.Result);
                return true;
            }
        }

        place = operation;
        operation.Park();
        if (slot.Kind == DescriptorKind.Borrowed)
        {
            int error = Arm(ref slot, operation.Token);
            if (error < 0)
            {
                // The other direction's waiter has the same dead descriptor: it is told too.
                IoOperation? other = operation.WritesDirection ? slot.Reader : slot.Writer;
                Forget(operation, ref slot);
                operation.SetResult(error);
                other?.End(error);
                return true;
            }
        }

        return false;
    }

    internal override bool Perform(IoOperation operation)
    {
        if (!_slots.IsLive(operation.Token))
        {
            operation.SetResult(-(int)Closed);
            return true;
        }

        ref Slot slot = ref _slots.At(SlotTable.IndexOf(operation.Token));
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
            _queue.Spend(operation.Result);
            return true;
        }

        operation.Park();
        return false;
    }

    internal override void Finished(IoOperation operation)
    {
        if (_slots.IsLive(operation.Token))
            Forget(operation, ref _slots.At(SlotTable.IndexOf(operation.Token)));
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

    internal override void Cancel(IoOperation operation) => Abandon(operation, -(int)Errno.ECANCELED);

    internal override void Abandon(IoOperation operation, int result)
    {
        operation.End(result);
        // At once, not when the queue comes to it: the owner of a lent descriptor may close it in the next line.
        Finished(operation);
    }

    internal override void EndAll()
    {
        for (int i = 0; i < _slots.Extent; i++)
        {
            ref Slot slot = ref _slots.At(i);
            slot.Reader?.End(-(int)Closed);
            slot.Writer?.End(-(int)Closed);
        }
    }

    internal override EpollEvents Readiness(ulong token, EpollEvents clear)
    {
        if (!_slots.IsLive(token))
            return EpollEvents.None;
        ref Slot slot = ref _slots.At(SlotTable.IndexOf(token));
        EpollEvents before = slot.Ready;
        slot.Ready = before & ~clear;
        return before;
    }

    internal override EpollEvents Awaited(ulong token)
    {
        if (!_slots.IsLive(token))
            return EpollEvents.None;
        ref Slot slot = ref _slots.At(SlotTable.IndexOf(token));
        return (slot.Reader?.Interest ?? 0) | (slot.Writer?.Interest ?? 0);
    }

    internal override int Wait(long timeout) => _set.Wait(timeout);

    // An epoll set may be polled like any other file. Rebuild makes another.
    internal override int WaitDescriptor => _set.FileDescriptor;

    internal override void Dispatch(int count)
    {
        for (int i = 0; i < count; i++)
        {
            EpollEvents events = _set.Event(i, out ulong token);
            if (token == WakeToken)
                continue;
            _events++;
            if (!_slots.IsLive(token))
            {
                _ghostEvents++;
                _ghostRun++;
                continue;
            }

            ref Slot slot = ref _slots.At(SlotTable.IndexOf(token));
            if (slot.Kind == DescriptorKind.Borrowed)
            {
                DispatchBorrowed(ref slot, events);
                continue;
            }

            slot.Ready |= events;
            IoOperation? reader = slot.Reader, writer = slot.Writer;
            if (reader != null && (events & (reader.Interest | AlwaysReported)) != 0)
                reader.Enqueue();
            if (writer != null && (events & (writer.Interest | AlwaysReported)) != 0)
                writer.Enqueue();
            else if ((events & EpollEvents.Out) != 0 && WatchesOutOnDemand(ref slot))
                Watch(ref slot, token, slot.Registered & ~EpollEvents.Out);
        }

        if (_ghostRun >= GhostLimit)
            Rebuild();
    }

    // Exactly one write, whatever it returns: EAGAIN would mean 2^64-2 unread wake-ups, and the edge is there all the same.
    internal override unsafe void Wake()
    {
        ulong one = 1;
        _kernel.Write(_wakeFd, &one, sizeof(ulong));
    }

    internal override DriverCounts Counts
    {
        get
        {
            int readers = 0, writers = 0;
            for (int i = 0; i < _slots.Extent; i++)
            {
                ref Slot slot = ref _slots.At(i);
                readers += slot.Reader != null ? 1 : 0;
                writers += slot.Writer != null ? 1 : 0;
            }

            return new DriverCounts(_events, _ghostEvents, readers, writers, _slots.Count, _rebuilds);
        }
    }

    /// <summary>Closes the descriptors still in care, the epoll set and the wake fd.</summary>
    public override void Dispose()
    {
        for (int i = 0; i < _slots.Extent; i++)
        {
            ref Slot slot = ref _slots.At(i);
            if (slot.Descriptor < 0)
                continue;
            int fd = slot.Descriptor;
            bool lent = slot.Kind is DescriptorKind.Borrowed or DescriptorKind.WatchedHandle;
            _slots.Free(i);
            if (!lent)
                _kernel.Close(fd);
        }

        _set.Dispose();
        int wake = _wakeFd;
        _wakeFd = -1;
        if (wake >= 0)
            _kernel.Close(wake);
    }
}
