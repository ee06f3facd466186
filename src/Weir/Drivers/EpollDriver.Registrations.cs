namespace Weir;

internal sealed partial class EpollDriver
{
    internal override ulong Borrow(int fd)
    {
        if (_borrowed.TryGetValue(fd, out int index))
            return _slots.TokenOf(index);
        index = _slots.Allocate(fd, DescriptorKind.Borrowed);
        _borrowed.Add(fd, index);
        return _slots.TokenOf(index);
    }

    internal override bool TryFindBorrowed(int fd, out ulong token)
    {
        bool found = _borrowed.TryGetValue(fd, out int index);
        token = found ? _slots.TokenOf(index) : 0;
        return found;
    }

    /// <summary>Asks for one event in the directions somebody waits in. Returns a negated errno if the descriptor cannot be watched.</summary>
    private int Arm(ref Slot slot, ulong token)
    {
        EpollEvents wanted = Waiting(slot.Reader) | Waiting(slot.Writer);
        slot.Registered = wanted;
        // Whoever waited once will wait again, and a one-shot registration stays: so MOD first. Whether the number still means the file it
        // meant last time only the kernel knows, hence no memory of ours decides between the two.
        int result = _set.Control(EpollOp.Modify, slot.Descriptor, wanted | EpollEvents.OneShot, token);
        return result == -(int)Errno.ENOENT
            ? _set.Control(EpollOp.Add, slot.Descriptor, wanted | EpollEvents.OneShot, token)
            : result;

        static EpollEvents Waiting(IoOperation? operation) => operation is { HasResult: false } ? operation.Interest : EpollEvents.None;
    }

    /// <summary>A wait on a lent descriptor has ended: watch on for the other direction, or let go of it.</summary>
    private void Release(ulong token, ref Slot slot)
    {
        bool waiting = slot.Reader is { HasResult: false } || slot.Writer is { HasResult: false };
        if (waiting)
        {
            if (slot.Registered == (slot.Reader?.Interest ?? slot.Writer!.Interest))
                return;
            int error = Arm(ref slot, token);
            if (error < 0)
            {
                slot.Reader?.End(error);
                slot.Writer?.End(error);
            }

            return;
        }

        if (slot.Reader != null || slot.Writer != null)
            return; // its end is in the queue and comes by here
        // An event has disarmed the registration already; after a cancelled wait it is still armed and must not fire at a stranger.
        if (slot.Registered != EpollEvents.None)
            _set.Control(EpollOp.Delete, slot.Descriptor, EpollEvents.None, 0);
        _borrowed.Remove(slot.Descriptor);
        _slots.Free(SlotTable.IndexOf(token));
    }

    private static void DispatchBorrowed(ref Slot slot, EpollEvents events)
    {
        slot.Registered = EpollEvents.None; // one-shot: the kernel has switched the whole mask off
        Complete(slot.Reader, events);
        Complete(slot.Writer, events);

        static void Complete(IoOperation? operation, EpollEvents events)
        {
            EpollEvents seen = operation == null ? EpollEvents.None : events & (operation.Interest | AlwaysReported);
            if (seen != 0)
                operation!.End((int)seen);
        }
    }

    private int Watch(ref Slot slot, ulong token, EpollEvents mask)
    {
        int result = _set.Control(EpollOp.Modify, slot.Descriptor, mask | EpollEvents.EdgeTriggered, token);
        if (result == 0)
            slot.Registered = mask;
        return result;
    }

    /// <summary>
    /// Builds a fresh epoll set and closes the old one: the only cure for a registration whose descriptor number is gone while a duplicate
    /// keeps the file alive (epoll(7), "Questions and answers", 6).
    /// </summary>
    private void Rebuild()
    {
        _ghostRun = 0;
        EpollSet? fresh = null;
        try
        {
            fresh = new EpollSet(_kernel, EventCapacity);
            RegisterWake(fresh);
        }
        catch (KernelException)
        {
            // No descriptor for it now: the old set still serves, and after as many ghosts again there is another try.
            fresh?.Dispose();
            return;
        }

        _rebuilds++;
        for (int i = 0; i < _slots.Extent; i++)
        {
            ref Slot slot = ref _slots.At(i);
            if (slot.Descriptor < 0 || (slot.Kind == DescriptorKind.Borrowed && slot.Registered == EpollEvents.None))
                continue;
            EpollEvents mode = slot.Kind == DescriptorKind.Borrowed ? EpollEvents.OneShot : EpollEvents.EdgeTriggered;
            int result = fresh.Control(EpollOp.Add, slot.Descriptor, slot.Registered | mode, _slots.TokenOf(i));
            if (result < 0)
            {
                slot.Reader?.End(result);
                slot.Writer?.End(result);
            }
        }

        EpollSet old = _set;
        _set = fresh;
        old.Dispose();
    }
}
