namespace Weir;

internal sealed partial class EpollDriver
{
    private static bool WatchesOutOnDemand(ref Slot slot) => slot.Kind is DescriptorKind.Other or DescriptorKind.Socket or DescriptorKind.Listener;

    protected override int Watch(ref Slot slot, ulong token, EpollEvents mask)
    {
        int result = _set.Control(EpollOp.Add, slot.Descriptor, mask | EpollEvents.EdgeTriggered, token);
        // It was lent before it was handed over: a one-shot registration that has fired stays, switched off, and is taken over.
        return result == -(int)Errno.EEXIST && !IsWatchedByAnother(slot.Descriptor, token)
            ? _set.Control(EpollOp.Modify, slot.Descriptor, mask | EpollEvents.EdgeTriggered, token)
            : result;
    }

    private bool IsWatchedByAnother(int fd, ulong token)
    {
        for (int i = 0; i < Slots.Extent; i++)
        {
            ref Slot slot = ref Slots.At(i);
            if (slot.Descriptor == fd && i != SlotTable.IndexOf(token) && (slot.Kind != DescriptorKind.Borrowed || slot.Registered != EpollEvents.None))
                return true;
        }

        return false;
    }

    // May fail when the owner of the number closed it already; nothing can be done then, and the generation guards us.
    protected override void Unwatch(ref Slot slot, ulong token) => _set.Control(EpollOp.Delete, slot.Descriptor, EpollEvents.None, 0);

    protected override int WatchRoom(ref Slot slot, ulong token)
        => WatchesOutOnDemand(ref slot) && (slot.Registered & EpollEvents.Out) == 0
            ? Change(ref slot, token, slot.Registered | EpollEvents.Out)
            : 0;

    private int Change(ref Slot slot, ulong token, EpollEvents mask)
    {
        int result = _set.Control(EpollOp.Modify, slot.Descriptor, mask | EpollEvents.EdgeTriggered, token);
        if (result == 0)
            slot.Registered = mask;
        return result;
    }

    protected override int Parked(IoOperation operation, ref Slot slot)
        => slot.Kind == DescriptorKind.Borrowed ? Arm(ref slot, operation.Token) : 0;

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
    }

    private static EpollEvents Waiting(IoOperation? operation) => operation is { HasResult: false } ? operation.Interest : EpollEvents.None;

    protected override int Narrow(ref Slot slot, ulong token)
    {
        EpollEvents wanted = Waiting(slot.Reader) | Waiting(slot.Writer);
        if (wanted != EpollEvents.None)
            return slot.Registered == wanted ? 0 : Arm(ref slot, token);
        // An event has disarmed the registration already; after a cancelled wait it is still armed and must not fire at a stranger.
        if (slot.Registered != EpollEvents.None)
            _set.Control(EpollOp.Delete, slot.Descriptor, EpollEvents.None, 0);
        return 0;
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

    /// <summary>
    /// Builds a fresh epoll set and closes the old one: the only cure for a registration whose descriptor number is gone while a duplicate
    /// keeps the file alive (epoll(7), "Questions and answers", 6).
    /// </summary>
    private void Rebuild()
    {
        _ghosts.Clear();
        _ghostRepeats = 0;
        EpollSet? fresh = null;
        try
        {
            fresh = new EpollSet(Kernel, EventCapacity);
            RegisterWake(fresh);
        }
        catch (KernelException)
        {
            // No descriptor for it now: the old set still serves, and after as many repeats again there is another try.
            fresh?.Dispose();
            return;
        }

        bool isDeaf = false;
        for (int i = 0; i < Slots.Extent; i++)
        {
            ref Slot slot = ref Slots.At(i);
            if (slot.Descriptor < 0 || (slot.Kind == DescriptorKind.Borrowed && slot.Registered == EpollEvents.None))
                continue;
            EpollEvents mode = slot.Kind == DescriptorKind.Borrowed ? EpollEvents.OneShot : EpollEvents.EdgeTriggered;
            int result = fresh.Control(EpollOp.Add, slot.Descriptor, slot.Registered | mode, Slots.TokenOf(i));
            if (result is -(int)Errno.ENOSPC or -(int)Errno.ENOMEM)
            {
                // No room for all of them at once, where the old set has room for each.
                fresh.Dispose();
                return;
            }

            if (result < 0)
            {
                slot.Reader?.End(result);
                slot.Writer?.End(result);
                isDeaf |= _ring != null && slot.Descriptor == _ring.FileDescriptor;
            }
        }

        _rebuilds++;
        EpollSet old = _set;
        _set = fresh;
        old.Dispose();
        if (isDeaf)
            LoseRing();
    }
}
