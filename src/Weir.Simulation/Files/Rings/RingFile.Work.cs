namespace Weir.Simulation;

/// <summary>What is to be worked out for a request on its submitter's thread.</summary>
internal enum RingWorkKind
{
    /// <summary>Its file has woken it, or it was cancelled (io_poll_task_func).</summary>
    Poll,

    /// <summary>It is tried again (io_req_task_submit).</summary>
    Submit,

    /// <summary>It completes with its result (io_req_task_complete).</summary>
    Complete,

    /// <summary>It completes with its result as an error (io_req_task_queue_fail).</summary>
    Fail,

    /// <summary>A timeout is over (io_timeout_complete).</summary>
    Expire,
}

// Work that completes requests: io_req_task_work_add and those who run it.
internal sealed unsafe partial class RingFile
{
    private const int MostAtOnce = 20; // IO_LOCAL_TW_DEFAULT_MAX
    private const int WakesAtOnce = int.MaxValue; // IO_CQ_WAKE_FORCE

    private readonly Queue<(RingRequest Request, RingWorkKind Kind)> _localWork = new(); // work_llist
    private readonly Queue<(RingRequest Request, RingWorkKind Kind)> _retries = new(); // retry_llist
    private int _workWeight; // nr_tw of the youngest in it

    internal bool HasLocalWork => _localWork.Count + _retries.Count > 0;

    /// <param name="request">The request.</param>
    /// <param name="kind">What is to be done.</param>
    /// <param name="lazy">One who waits for several completions is woken only when there is work for as many.</param>
    internal void AddWork(RingRequest request, RingWorkKind kind, bool lazy = false)
    {
        if (_closed)
            return;
        if (!Defers)
        {
            AddTaskWork(request, kind);
            return;
        }

        int before = _localWork.Count == 0 ? 0 : _workWeight;
        lazy &= (request.Flags & (SubmissionFlags.Link | SubmissionFlags.HardLink)) == 0;
        _workWeight = lazy && before != WakesAtOnce ? before + 1 : WakesAtOnce;
        bool isFirst = _localWork.Count == 0;
        _localWork.Enqueue((request, kind));
        if (isFirst)
            MarkTaskRun();
        if (_waitsFor is { } waitsFor && _workWeight >= waitsFor && before < waitsFor)
            _submitter!.Wake();
    }

    private void MarkTaskRun()
    {
        if ((SetupFlags & IoUringSetupFlags.TaskRunFlag) != 0)
            Memory.Flags |= SubmissionQueueFlags.TaskRun;
    }

    private void UnmarkTaskRun()
    {
        if ((SetupFlags & IoUringSetupFlags.TaskRunFlag) != 0)
            Memory.Flags &= ~SubmissionQueueFlags.TaskRun;
    }

    // On the thread that submitted it. If that is no more, a worker cancels what is left.
    private void AddTaskWork(RingRequest request, RingWorkKind kind)
    {
        if (request.Thread.State == ThreadState.Ended)
        {
            RunWork(request, kind, cancelled: true);
            return;
        }

        MarkTaskRun();
        bool urgent = (SetupFlags & IoUringSetupFlags.CooperativeTaskRun) == 0;
        request.Thread.AddTaskWork(this, cancelled =>
        {
            UnmarkTaskRun();
            if (!_closed)
                RunWork(request, kind, cancelled);
        }, urgent);
    }

    private void RunWork(RingRequest request, RingWorkKind kind, bool cancelled)
    {
        if (request.HasEnded)
            return;
        switch (kind)
        {
            case RingWorkKind.Poll:
                request.RunPoll(cancelled);
                break;
            case RingWorkKind.Submit when cancelled:
                Fail(request, -(int)Errno.ECANCELED);
                break;
            case RingWorkKind.Submit:
                Queue(request);
                break;
            case RingWorkKind.Complete:
                Complete(request);
                break;
            case RingWorkKind.Fail:
                Fail(request, request.Result);
                break;
            case RingWorkKind.Expire:
                request.Expire();
                break;
        }
    }

    // __io_run_local_work: so many at once, unless the caller waits for more.
    private void RunLocalWork(int wanted, int most)
    {
        UnmarkTaskRun();
        int done;
        do
        {
            done = RunQueue(_retries, most);
            if (_retries.Count == 0)
            {
                while (_localWork.TryDequeue(out var taken))
                    _retries.Enqueue(taken);
                done += RunQueue(_retries, most - done);
            }

            if (!HasLocalWork)
                return;
            wanted -= done;
        }
        while (wanted > 0);
        MarkTaskRun();
    }

    /// <summary>Before a wait for so many completions, on the thread that may.</summary>
    internal void RunLocalWork(uint least)
    {
        if (HasLocalWork)
            RunLocalWork((int)Math.Min(least, int.MaxValue), (int)Math.Clamp(least, MostAtOnce, int.MaxValue));
    }

    private int RunQueue(Queue<(RingRequest Request, RingWorkKind Kind)> queue, int most)
    {
        int done = 0;
        while (done < most && queue.TryDequeue(out var work))
        {
            RunWork(work.Request, work.Kind, cancelled: false);
            done++;
        }

        return done;
    }
}
