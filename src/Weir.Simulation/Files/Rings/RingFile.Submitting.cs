namespace Weir.Simulation;

// From the submission queue to the first try: io_submit_sqes and io_queue_sqe of io_uring.c.
internal sealed unsafe partial class RingFile
{
    private const SubmissionFlags AllFlags = (SubmissionFlags)0x7F;

    // The chain of links that is being put together (submit_state.link).
    private RingRequest? _chain;
    private RingRequest? _chainEnd;

    internal RingRequest? ChainEnd => _chainEnd;

    /// <summary>Takes up to <paramref name="most"/> submissions. How many were taken, or -EEXIST for a thread that may not.</summary>
    internal int Submit(SimThread thread, uint most)
    {
        if (_submitter != null && _submitter != thread)
            return -(int)Errno.EEXIST;
        foreach (BufferGroup group in _groups.Values)
            group.Notice();
        uint taken = 0, available = Math.Min(Memory.Tail - _head, most);
        while (taken < available)
        {
            if (!Memory.TryGet(_head++, out Submission entry))
            {
                Memory.CountDropped();
                break;
            }

            taken++;
            if (SubmitOne(thread, entry) < 0 && (SetupFlags & IoUringSetupFlags.SubmitAll) == 0)
                break;
        }

        if (_chain is { } chain)
        {
            _chain = _chainEnd = null;
            QueueFallback(chain);
        }

        Memory.ShowHead(_head);
        return (int)taken;
    }

    // io_submit_sqe. Negative: it was refused, and has a completion that says why.
    private int SubmitOne(SimThread thread, in Submission entry)
    {
        RingRequest? known = RingOperations.Make(entry.Op);
        RingRequest request = known ?? new UnknownRequest();
        request.Take(this, thread, entry);
        _requests.Add(request);
        int error = known == null ? -(int)Errno.EINVAL : Check(request, entry);
        if (error == 0)
            error = request.Prepare(entry);
        bool links = (entry.Flags & (SubmissionFlags.Link | SubmissionFlags.HardLink)) != 0;
        if (error < 0)
        {
            request.HasFailed = true;
            request.Result = error;
            if (_chain is { HasFailed: false } head)
            {
                head.HasFailed = true;
                head.Result = -(int)Errno.ECANCELED;
            }
        }

        if (_chain != null)
        {
            _chainEnd!.Next = request;
            _chainEnd = request;
            if (links)
                return 0;
            request = _chain;
            _chain = _chainEnd = null;
        }
        else if (links)
        {
            _chain = _chainEnd = request;
            return 0;
        }

        if (request.HasFailed || (request.Flags & SubmissionFlags.Async) != 0)
            QueueFallback(request);
        else
            Queue(request);
        return error;
    }

    // io_init_req
    private static int Check(RingRequest request, in Submission entry)
    {
        const SubmissionFlags NotHere = SubmissionFlags.Drain;
        if ((entry.Flags & ~AllFlags) != 0)
            return -(int)Errno.EINVAL;
        if ((entry.Flags & NotHere) != 0)
            throw new NotSupportedException("not emulated: IOSQE_IO_DRAIN");
        if ((entry.Flags & SubmissionFlags.BufferSelect) != 0 && !request.MaySelectBuffer)
            return -(int)Errno.EOPNOTSUPP;
        if (entry.Priority != 0 && !request.UsesPriority)
            return -(int)Errno.EINVAL;
        return entry.Personality != 0 ? -(int)Errno.EINVAL : 0;
    }

    // io_queue_sqe_fallback
    private void QueueFallback(RingRequest request)
    {
        if (request.HasFailed)
            Fail(request, request.Result);
        else
            QueueToWorker(request);
    }

    /// <summary>io_queue_sqe: tries it, and lets it wait if it would block.</summary>
    internal void Queue(RingRequest request)
    {
        if (!TryFile(request))
        {
            Fail(request, -(int)Errno.EBADF);
            return;
        }

        if (request.IsForWorkers || (request.Flags & SubmissionFlags.Async) != 0)
        {
            QueueToWorker(request);
            return;
        }

        request.GiveBack();
        switch (request.Try(polled: false))
        {
            case Issue.Complete:
                Complete(request);
                break;
            case Issue.Fail:
                Fail(request, request.Result);
                break;
            case Issue.Pending:
                request.LendMemory();
                ArmLinkedTimeout(request);
                break;
            default:
                QueueLater(request);
                break;
        }
    }

    // io_queue_async
    private void QueueLater(RingRequest request)
    {
        if (request.IsNoWait)
        {
            Fail(request, -(int)Errno.EAGAIN);
            return;
        }

        switch (request.ArmForRetry())
        {
            case RingRequest.Arming.Armed:
                request.LendMemory();
                break;
            case RingRequest.Arming.Ready:
                request.LendMemory();
                AddWork(request, RingWorkKind.Submit);
                break;
            default:
                QueueToWorker(request);
                return;
        }

        ArmLinkedTimeout(request);
    }

    // io_assign_file
    private bool TryFile(RingRequest request)
    {
        if (!request.NeedsFile || request.File != null)
            return true;
        bool isFixed = (request.Flags & SubmissionFlags.FixedFile) != 0;
        if ((isFixed ? FindRegistered(request.Descriptor) : request.Thread.Process.Descriptors.Find(request.Descriptor)) is not { } file)
            return false;
        file.Acquire();
        request.File = file;
        return true;
    }

    // Workers

    /// <summary>io_queue_iowq: a worker does it, after a time that the strategy chooses.</summary>
    internal void QueueToWorker(RingRequest request)
    {
        if (!TryFile(request))
        {
            Fail(request, -(int)Errno.EBADF);
            return;
        }

        request.LendMemory();
        request.WorkerEvent = World.Clock.At(World.Now + World.Faults.WorkerDelay(request), () => RunOnWorker(request));
        ArmLinkedTimeout(request);
    }

    // io_wq_submit_work
    private void RunOnWorker(RingRequest request)
    {
        const long Retry = 1_000_000;
        request.WorkerEvent = null;
        if (_closed || request.HasEnded)
            return;
        request.GiveBack();
        switch (request.TryBlocking())
        {
            case Issue.Complete when Defers:
                AddWork(request, RingWorkKind.Complete);
                break;
            case Issue.Complete:
                Complete(request);
                break;
            case Issue.Fail:
                AddWork(request, RingWorkKind.Fail);
                break;
            case Issue.Pending:
                request.LendMemory();
                break;
            default:
                request.LendMemory();
                switch (request.ArmForRetry())
                {
                    case RingRequest.Arming.Armed:
                        break;
                    case RingRequest.Arming.Ready:
                        AddWork(request, RingWorkKind.Submit);
                        break;
                    default:
                        request.WorkerEvent = World.Clock.At(World.Now + Retry, () => RunOnWorker(request));
                        break;
                }

                break;
        }
    }

    // The end of a request

    /// <summary>io_req_defer_failed.</summary>
    internal void Fail(RingRequest request, int error)
    {
        request.Result = error;
        request.ResultFlags = CompletionFlags.None;
        request.HasFailed = true;
        request.OnFailure();
        Complete(request);
    }

    /// <summary>io_req_complete_defer: posts its completion, and begins what is linked to it or cancels that.</summary>
    internal void Complete(RingRequest request)
    {
        if (!request.SkipsCompletion || request.HasFailed)
            Post(request.UserData, request.Result, request.ResultFlags);
        RingRequest? next = TakeNext(request);
        End(request);
        if (next != null)
            AddWork(next, RingWorkKind.Submit);
    }

    private void End(RingRequest request)
    {
        _requests.Remove(request);
        request.End();
        _cancelWaiters.Wake(EpollEvents.None, 0);
    }

    // io_disarm_next, and what io_queue_next then begins.
    private RingRequest? TakeNext(RingRequest request)
    {
        if (request.Next is LinkTimeoutRequest timeout)
        {
            request.Next = timeout.Next;
            timeout.Next = null;
            if (timeout.Disarm())
            {
                timeout.Result = -(int)Errno.ECANCELED;
                AddWork(timeout, RingWorkKind.Complete);
            }
        }

        RingRequest? next = request.Next;
        request.Next = null;
        if (next == null || !request.HasFailed || (request.Flags & SubmissionFlags.HardLink) != 0)
            return next;
        for (; next != null; next = Detach(next))
        {
            if (!next.HasFailed)
                next.Result = -(int)Errno.ECANCELED;
            next.HasFailed = true;
            AddWork(next, RingWorkKind.Complete);
        }

        return null;
    }

    private static RingRequest? Detach(RingRequest request)
    {
        RingRequest? next = request.Next;
        request.Next = null;
        return next;
    }

    private static void ArmLinkedTimeout(RingRequest request)
    {
        if (request is { HasEnded: false, Next: LinkTimeoutRequest timeout })
            timeout.Arm(request);
    }
}
