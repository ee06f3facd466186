namespace Weir.Simulation;

/// <summary>What has become of a request that was tried.</summary>
internal enum Issue
{
    /// <summary>It is done: <see cref="RingRequest.Result"/> goes into its completion (IOU_COMPLETE).</summary>
    Complete,

    /// <summary>It is under way, and completes by other means (IOU_ISSUE_SKIP_COMPLETE).</summary>
    Pending,

    /// <summary>It would block (-EAGAIN): the file is polled, or a worker does it.</summary>
    Again,

    /// <summary>A multishot that has had its share: the rest comes later (IOU_REQUEUE).</summary>
    Requeue,

    /// <summary>It failed; the errno is in <see cref="RingRequest.Result"/>.</summary>
    Fail,
}

/// <summary>A submission that was taken: struct io_kiocb of io_uring.h. Derived classes are the kinds of operation.</summary>
internal abstract unsafe partial class RingRequest
{
    internal RingFile Ring { get; private set; } = null!;

    /// <summary>The thread that submitted it, on which its completion is worked out.</summary>
    internal SimThread Thread { get; private set; } = null!;

    internal IoUringOp Op { get; private set; }

    internal ulong UserData { get; set; }

    internal SubmissionFlags Flags { get; private set; }

    internal int Descriptor { get; private set; }

    /// <summary>Held from the first try to the last completion, whatever becomes of the descriptor.</summary>
    internal SimFile? File { get; set; }

    internal int Result { get; set; }

    internal CompletionFlags ResultFlags { get; set; }

    /// <summary>REQ_F_FAIL: what is linked to it is cancelled.</summary>
    internal bool HasFailed { get; set; }

    /// <summary>REQ_F_CQE_SKIP: success is not reported.</summary>
    internal bool SkipsCompletion { get; set; }

    /// <summary>REQ_F_NOWAIT: EAGAIN is its result.</summary>
    protected bool MayNotWait { get; set; }

    internal bool IsNoWait => MayNotWait;

    /// <summary>It has given its last completion.</summary>
    internal bool HasEnded { get; private set; }

    /// <summary>The request that begins when this one has succeeded.</summary>
    internal RingRequest? Next { get; set; }

    internal World World => Ring.World;

    protected SimKernel Process => Thread.Process;

    /// <summary>Whether <see cref="Submission.Descriptor"/> names a file that it works on.</summary>
    internal virtual bool NeedsFile => true;

    /// <summary>Whether the submission may have flags in its priority.</summary>
    internal virtual bool UsesPriority => false;

    internal virtual bool MaySelectBuffer => false;

    /// <summary>REQ_F_FORCE_ASYNC: never done at once.</summary>
    internal virtual bool IsForWorkers => false;

    /// <summary>What its file is polled for when it would block; nothing: a worker does it instead.</summary>
    internal virtual EpollEvents WaitsFor => EpollEvents.None;

    /// <summary>Whether of several that wait for one event one is told (EPOLLEXCLUSIVE).</summary>
    internal virtual bool WaitsExclusively => false;

    /// <summary>REQ_F_APOLL_MULTISHOT: it stays and completes again and again.</summary>
    internal bool IsMultishot { get; set; }

    internal void Take(RingFile ring, SimThread thread, in Submission entry)
    {
        Ring = ring;
        Thread = thread;
        Op = entry.Op;
        UserData = entry.UserData;
        Flags = entry.Flags;
        Descriptor = entry.Descriptor;
        SkipsCompletion = (entry.Flags & SubmissionFlags.SkipSuccess) != 0;
    }

    /// <summary>Reads what the submission asks for: 0, or the negated errno that it completes with.</summary>
    internal abstract int Prepare(in Submission entry);

    /// <summary>Tries it, without blocking. <paramref name="polled"/>: because its file has become ready (IO_URING_F_MULTISHOT).</summary>
    internal abstract Issue Try(bool polled);

    /// <summary>What a worker that may block does when there is nothing to poll. A worker that cannot go on tries again for ever.</summary>
    internal virtual Issue TryBlocking() => Try(polled: false);

    /// <summary>It completes with an error that did not come from <see cref="Try"/>: what was done by then counts (io_sendrecv_fail).</summary>
    internal virtual void OnFailure()
    {
    }

    /// <summary>Its last completion is out: memory is the program's again.</summary>
    internal virtual void OnEnd()
    {
    }

    internal void End()
    {
        HasEnded = true;
        OnEnd();
        GiveBack();
        File?.Drop();
        File = null;
    }

    /// <summary>What a worker is to do for it and has not done yet.</summary>
    internal SimClock.TimedEvent? WorkerEvent { get; set; }

    /// <summary>A worker is at it: too late to cancel.</summary>
    internal bool IsBegun { get; set; }

    /// <summary>Its time is over. For those that have one.</summary>
    internal virtual void Expire()
    {
    }

    /// <summary>The ring or the process is gone: it ends without a completion.</summary>
    internal void Abandon()
    {
        LeaveQueues();
        WorkerEvent?.Cancel();
        OnAbandoned();
        End();
    }

    protected virtual void OnAbandoned()
    {
    }

    protected Issue Completed(nint result, CompletionFlags flags = CompletionFlags.None)
    {
        Result = (int)result;
        ResultFlags = flags;
        if (result < 0)
            HasFailed = true;
        return Issue.Complete;
    }

    /// <summary>Fails before anything was done, as a negated errno that comes out of the issue function does.</summary>
    protected Issue Failed(Errno error)
    {
        Result = -(int)error;
        return Issue.Fail;
    }

    public override string ToString() => NeedsFile ? $"{RingNames.Of(Op)} on {((Flags & SubmissionFlags.FixedFile) != 0 ? "registered file" : "fd")} {Descriptor}" : RingNames.Of(Op);
}

internal static class RingNames
{
    /// <summary>What findings call an operation.</summary>
    internal static string Of(IoUringOp op) => op switch
    {
        IoUringOp.Receive => "recv",
        IoUringOp.Send => "send",
        IoUringOp.ReceiveMessage => "recvmsg",
        IoUringOp.SendMessage => "sendmsg",
        IoUringOp.SendZeroCopy => "send_zc",
        IoUringOp.PollAdd => "poll_add",
        _ => op.ToString().ToLowerInvariant(),
    };
}
