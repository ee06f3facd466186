namespace Weir.Simulation;

/// <summary>IORING_OP_POLL_ADD: waits for a file, once or until it is cancelled.</summary>
internal sealed class PollAddRequest : RingRequest
{
    private const EpollEvents Kept = EpollEvents.Exclusive | EpollEvents.OneShot | EpollEvents.EdgeTriggered;

    private EpollEvents _events;

    internal override int Prepare(in Submission entry)
    {
        var flags = (PollAddFlags)entry.Length;
        if (entry.BufferGroup != 0 || entry.Offset != 0 || entry.Address != 0 || (flags & ~PollAddFlags.Multishot) != 0)
            return -(int)Errno.EINVAL;
        if ((flags & PollAddFlags.Multishot) != 0 && SkipsCompletion)
            return -(int)Errno.EINVAL;
        _events = Parse(entry.OperationFlags, flags);
        return 0;
    }

    /// <summary>io_poll_parse_events.</summary>
    internal static EpollEvents Parse(uint mask, PollAddFlags flags)
    {
        var events = (EpollEvents)mask;
        if ((flags & PollAddFlags.Multishot) == 0)
            events |= EpollEvents.OneShot;
        if ((flags & PollAddFlags.Level) == 0)
            events |= EpollEvents.EdgeTriggered;
        return events & ((EpollEvents)0xFFFF | Kept);
    }

    internal override Issue Try(bool polled)
    {
        switch (Arm(_events, out EpollEvents found))
        {
            case Arming.Ready:
                return Completed((int)found);
            case Arming.Armed:
                return Issue.Pending;
            default:
                return Failed(Errno.EINVAL);
        }
    }

    /// <summary>Waits for other events, under other data, or both. False: it has completed instead.</summary>
    internal Issue Update(EpollEvents? events, ulong? userData)
    {
        // The bits above 16 say how it behaves and stay.
        if (events is { } mask)
            _events = (_events & ~(EpollEvents)0xFFFF) | (mask & (EpollEvents)0xFFFF);
        UserData = userData ?? UserData;
        return Try(polled: false);
    }
}

/// <summary>IORING_OP_POLL_REMOVE: ends a poll, or changes it.</summary>
internal sealed class PollRemoveRequest : RingRequest
{
    private ulong _target;
    private EpollEvents? _events;
    private ulong? _userData;

    internal override bool NeedsFile => false;

    internal override int Prepare(in Submission entry)
    {
        const PollAddFlags Known = PollAddFlags.UpdateEvents | PollAddFlags.UpdateUserData | PollAddFlags.Multishot;
        var flags = (PollAddFlags)entry.Length;
        if (entry.BufferGroup != 0 || entry.FileIndex != 0 || (flags & ~Known) != 0 || flags == PollAddFlags.Multishot)
            return -(int)Errno.EINVAL;
        _target = entry.Address;
        bool updatesData = (flags & PollAddFlags.UpdateUserData) != 0;
        if (!updatesData && entry.Offset != 0)
            return -(int)Errno.EINVAL;
        if (updatesData)
            _userData = entry.Offset;
        if ((flags & PollAddFlags.UpdateEvents) != 0)
            _events = PollAddRequest.Parse(entry.OperationFlags, flags);
        else if (entry.OperationFlags != 0)
            return -(int)Errno.EINVAL;
        return 0;
    }

    internal override Issue Try(bool polled)
    {
        if (Ring.TakePoll(_target, out int error) is not { } poll)
            return Failed((Errno)(-error));
        Issue updated = _events != null || _userData != null ? poll.Update(_events, _userData) : Issue.Fail;
        if (updated != Issue.Pending)
        {
            if (updated == Issue.Fail)
            {
                poll.Result = -(int)Errno.ECANCELED;
                poll.ResultFlags = CompletionFlags.None;
                poll.HasFailed = true;
            }

            Ring.AddWork(poll, RingWorkKind.Complete);
        }

        return Completed(0);
    }
}
