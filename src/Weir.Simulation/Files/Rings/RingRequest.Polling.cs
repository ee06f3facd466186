namespace Weir.Simulation;

// Waiting for a file: io_uring/poll.c. A wake leaves its key as the result and has the rest worked out on the submitter's thread; only where
// more than one came, or one without a key, is the file asked again.
internal abstract unsafe partial class RingRequest
{
    /// <summary>EPOLL_URING_WAKE: a wake that a ring's own completions made.</summary>
    internal const EpollEvents RingWake = (EpollEvents)(1u << 27);

    private const EpollEvents Always = EpollEvents.Err | EpollEvents.Hup | (EpollEvents)0x20 | EpollEvents.RdHup; // IO_POLL_UNMASK
    private const EpollEvents DefaultMask = EpollEvents.In | EpollEvents.Out | EpollEvents.RdNorm | EpollEvents.WrNorm;
    private const int MostRetries = 128; // APOLL_MAX_RETRY

    private PollEntry? _first;
    private PollEntry? _second;
    private int _pollReferences;
    private bool _pollCancelled;
    private int _retries;

    /// <summary>What a wake is matched against.</summary>
    private protected EpollEvents PollEvents { get; set; }

    /// <summary>What the file is asked for.</summary>
    private EpollEvents _askedFor;

    /// <summary>In the ring's table of those that can be cancelled.</summary>
    internal LinkedListNode<RingRequest>? TablePlace { get; set; }

    /// <summary>The cancellation that has matched it last (cancel_seq).</summary>
    internal long CancelRound { get; set; }

    /// <summary>REQ_F_POLLED: it has waited for its file.</summary>
    protected bool HasPolled => _retries > 0;

    internal enum Arming
    {
        /// <summary>It waits.</summary>
        Armed,

        /// <summary>The file is ready.</summary>
        Ready,

        /// <summary>The file cannot be waited for.</summary>
        Refused,
    }

    /// <summary>io_arm_poll_handler: polls the file for what the operation waits for.</summary>
    internal Arming ArmForRetry()
    {
        if (WaitsFor == EpollEvents.None || File is not { CanPoll: true } || ++_retries > MostRetries)
            return Arming.Refused;
        EpollEvents mask = EpollEvents.Pri | EpollEvents.Err | EpollEvents.EdgeTriggered | WaitsFor;
        if (!IsMultishot)
            mask |= EpollEvents.OneShot;
        if (WaitsExclusively)
            mask |= EpollEvents.Exclusive;
        return Arm(mask, out _);
    }

    /// <summary>__io_arm_poll_handler.</summary>
    private protected Arming Arm(EpollEvents mask, out EpollEvents found)
    {
        SimFile file = File!;
        _pollReferences = 0;
        _pollCancelled = false;
        PollEvents = _askedFor = mask | Always;
        if (!file.CanPoll)
        {
            found = DefaultMask & PollEvents;
            return found != EpollEvents.None ? Arming.Ready : Arming.Refused;
        }

        bool exclusive = (mask & EpollEvents.Exclusive) != 0;
        _first = new PollEntry(this) { IsExclusive = exclusive };
        Join(file.WaitQueue, _first);
        if (file.SecondWaitQueue is { } second)
        {
            _second = new PollEntry(this) { IsExclusive = exclusive };
            Join(second, _second);
        }

        found = AskFile() & PollEvents;
        const EpollEvents Once = EpollEvents.EdgeTriggered | EpollEvents.OneShot;
        if (found != EpollEvents.None && (PollEvents & Once) == Once)
        {
            LeaveQueues();
            return Arming.Ready;
        }

        Ring.AddToTable(this);
        if (found != EpollEvents.None && _pollReferences++ == 0)
            Execute(found);
        return Arming.Armed;
    }

    private EpollEvents AskFile() => File!.PollFor(Thread) & ~File.Held;

    private static void Join(WaitQueue queue, PollEntry entry)
    {
        if (entry.IsExclusive)
            queue.AddLast(entry);
        else
            queue.AddFirst(entry);
    }

    private void LeaveQueues()
    {
        _first?.Leave();
        _second?.Leave();
        _first = _second = null;
    }

    // io_poll_wake
    private bool OnWake(PollEntry entry, EpollEvents key)
    {
        if (key != EpollEvents.None && (key & PollEvents & ~(EpollEvents.OneShot | EpollEvents.Pri)) == 0)
            return false;
        if (World.Faults.HoldsBack(File!, key))
            return false; // told again when the file is let go
        if (_pollReferences++ != 0)
            return true;
        if ((key & RingWake) != 0)
        {
            PollEvents |= EpollEvents.OneShot;
            _askedFor |= EpollEvents.OneShot;
        }

        if (key != EpollEvents.None && (PollEvents & EpollEvents.OneShot) != 0)
            entry.Leave();
        Execute(key);
        return true;
    }

    // __io_poll_execute
    private void Execute(EpollEvents mask)
    {
        Result = (int)mask;
        Ring.AddWork(this, RingWorkKind.Poll, lazy: true);
    }

    /// <summary>io_poll_cancel_req: the request completes with ECANCELED when its work is run, also if a wake was faster.</summary>
    internal void CancelPoll()
    {
        _pollCancelled = true;
        if (_pollReferences++ == 0)
            Execute(EpollEvents.None);
    }

    /// <summary>io_poll_disarm: 0, or EALREADY if a wake was faster.</summary>
    internal int DisarmPoll()
    {
        if (_pollReferences++ != 0)
            return -(int)Errno.EALREADY;
        LeaveQueues();
        Ring.RemoveFromTable(this);
        return 0;
    }

    private enum PollOutcome
    {
        Done,
        NoAction,
        UseResult,
        Reissue,
        Requeue,
        Failed,
    }

    /// <summary>io_poll_task_func. <paramref name="cancelled"/>: its thread is no more.</summary>
    internal void RunPoll(bool cancelled)
    {
        if (HasEnded)
            return;
        PollOutcome outcome = cancelled ? FailPoll(Errno.ECANCELED) : CheckEvents();
        if (outcome == PollOutcome.NoAction)
            return;
        if (outcome == PollOutcome.Requeue)
        {
            Execute(EpollEvents.None);
            return;
        }

        LeaveQueues();
        Ring.RemoveFromTable(this);
        switch (outcome)
        {
            case PollOutcome.Reissue or PollOutcome.Done when outcome == PollOutcome.Reissue || Op != IoUringOp.PollAdd:
                Ring.Queue(this);
                break;
            case PollOutcome.Done:
                Result = (int)((EpollEvents)Result & PollEvents & (EpollEvents)0xFFFF);
                ResultFlags = CompletionFlags.None;
                Ring.Complete(this);
                break;
            case PollOutcome.Failed:
                Ring.Fail(this, Result);
                break;
            default:
                Ring.Complete(this);
                break;
        }
    }

    private PollOutcome FailPoll(Errno error)
    {
        Result = -(int)error;
        return PollOutcome.Failed;
    }

    // io_poll_check_events
    private PollOutcome CheckEvents()
    {
        int references;
        do
        {
            references = _pollReferences;
            if (_pollCancelled)
                return FailPoll(Errno.ECANCELED);
            if (references != 1)
                Result = 0;
            if (Result == 0)
                Result = (int)(AskFile() & _askedFor);
            if (Result == 0)
            {
                if ((_askedFor & EpollEvents.OneShot) != 0)
                    return PollOutcome.Reissue;
                continue;
            }

            if ((_askedFor & EpollEvents.OneShot) != 0)
                return PollOutcome.Done;
            if (Op == IoUringOp.PollAdd)
            {
                int mask = (int)((EpollEvents)Result & _askedFor & (EpollEvents)0xFFFF);
                if (World.Faults.EndsMultishot(Thread, File) || !Ring.TryPost(UserData, mask, CompletionFlags.More))
                {
                    Result = mask;
                    ResultFlags = CompletionFlags.None;
                    return PollOutcome.UseResult;
                }
            }
            else
            {
                // An end that came together with data makes no wake of its own any more: looked at once more.
                if (references != 1 && ((EpollEvents)Result & (EpollEvents.Hup | EpollEvents.RdHup)) != 0)
                    references--;
                switch (Try(polled: true))
                {
                    case Issue.Complete:
                        return PollOutcome.UseResult;
                    case Issue.Requeue:
                        return PollOutcome.Requeue;
                    case Issue.Fail:
                        return PollOutcome.Failed;
                }
            }

            Result = 0; // asked again in the next round
        }
        while ((_pollReferences -= references) != 0);
        return PollOutcome.NoAction;
    }

    private sealed class PollEntry(RingRequest request) : WaitEntry
    {
        internal override bool OnWake(EpollEvents key) => request.OnWake(this, key);
    }
}
