namespace Weir.Simulation;

/// <summary>
/// A ring of submissions and completions: io_uring(7), built as io_uring/*.c is. Requests that cannot be done at once wait on their files'
/// queues (<see cref="RingRequest"/>), are done by workers after a time of the simulation's choosing, or run on the clock; what comes of them is
/// worked out on the thread that submitted them, when that passes through the kernel, or with DEFER_TASKRUN when it enters the ring.
/// </summary>
internal sealed unsafe partial class RingFile : SimFile
{
    internal const uint MostEntries = 32768;
    internal const uint MostCompletions = 2 * MostEntries;

    private readonly HashSet<RingRequest> _requests = [];
    private readonly LinkedList<RingRequest> _table = new(); // those that poll, the youngest first (cancel_table)
    private readonly Dictionary<ushort, BufferGroup> _groups = [];
    private readonly SimThread? _submitter;
    private uint _head; // of the submissions, as the kernel counts
    private uint _tail; // of the completions
    private bool _closed;

    /// <param name="process">Who makes it.</param>
    /// <param name="thread">The thread that does.</param>
    /// <param name="flags">How.</param>
    /// <param name="submissions">Entries of the queues, powers of two.</param>
    /// <param name="completions">Entries of the queues, powers of two.</param>
    internal RingFile(SimKernel process, SimThread thread, IoUringSetupFlags flags, uint submissions, uint completions)
        : base(process.World, FileFlags.ReadWrite)
    {
        SetupFlags = flags;
        Memory = new RingMemory(submissions, completions, (flags & IoUringSetupFlags.NoSubmissionArray) == 0);
        _submitter = (flags & IoUringSetupFlags.SingleIssuer) != 0 ? thread : null;
        _pollActivated = !Defers;
    }

    internal const IoUringFeatures Features = IoUringFeatures.SingleMMap | IoUringFeatures.NoDrop | IoUringFeatures.SubmitStable
        | IoUringFeatures.FastPoll | IoUringFeatures.ExtendedArgument | IoUringFeatures.NativeWorkers | IoUringFeatures.CompletionSkip
        | IoUringFeatures.MinimumTimeout | IoUringFeatures.ReadWriteAttributes | IoUringFeatures.NoIoWait;

    internal override string Kind => "io_uring";

    internal IoUringSetupFlags SetupFlags { get; }

    internal RingMemory Memory { get; }

    internal bool Defers => (SetupFlags & IoUringSetupFlags.DeferTaskRun) != 0;

    /// <summary>Requests that have not ended.</summary>
    internal IReadOnlyCollection<RingRequest> Requests => _requests;

    /// <summary>Completions that the program has not taken.</summary>
    internal uint Ready => _closed ? 0 : _tail - Memory.SeenHead;

    /// <summary>Completions that were kept because there was no room for them.</summary>
    internal int Backlog => _overflow.Count;

    // Polled itself

    /// <summary>Those who poll the ring (poll_wq).</summary>
    internal override WaitQueue WaitQueue { get; } = new();

    // Wakes go out only once somebody has polled; with DEFER_TASKRUN that is arranged on the submitter's thread.
    private bool _pollActivated;
    private bool _pollIsBeingActivated;

    internal override EpollEvents Poll()
    {
        if (!_pollActivated && !_pollIsBeingActivated && _submitter is { State: not ThreadState.Ended } submitter)
        {
            _pollIsBeingActivated = true;
            submitter.AddTaskWork(this, ActivatePoll, urgent: true);
        }

        return Readiness;
    }

    private void ActivatePoll(bool cancelled)
    {
        _pollActivated = true;
        WaitQueue.Wake(EpollEvents.None, 0);
    }

    // io_uring_poll. It looks at work that waits, too, though nobody is woken for that.
    internal override EpollEvents Readiness
        => _closed ? EpollEvents.None : (Memory.Tail - _head < Memory.SubmissionEntries ? EpollEvents.Out | EpollEvents.WrNorm : EpollEvents.None)
            | (Ready > 0 || IsOverflowing || HasLocalWork ? EpollEvents.In | EpollEvents.RdNorm : EpollEvents.None);

    // Completions

    private readonly Queue<Completion> _overflow = new();

    private bool IsOverflowing { get; set; } // IO_CHECK_CQ_OVERFLOW_BIT

    /// <summary>A completion of a request that goes on. False: there is no room (or others wait for it), and the request has to end.</summary>
    internal bool TryPost(ulong userData, int result, CompletionFlags flags)
    {
        if (_closed || IsOverflowing || Ready >= Memory.CompletionEntries)
            return false;
        ref Completion place = ref Memory.Place(_tail);
        place.UserData = userData;
        place.Result = result;
        place.Flags = flags;
        Memory.ShowTail(++_tail);
        Posted++;
        World.Log.Completed(this, userData, result, flags);
        OnPosted();
        return true;
    }

    /// <summary>A completion that is kept if there is no room for it.</summary>
    internal void Post(ulong userData, int result, CompletionFlags flags)
    {
        if (TryPost(userData, result, flags))
            return;
        _overflow.Enqueue(new Completion { UserData = userData, Result = result, Flags = flags });
        IsOverflowing = true;
        Memory.Flags |= SubmissionQueueFlags.CompletionOverflow;
        OnPosted();
    }

    /// <summary>Completions posted so far.</summary>
    internal long Posted { get; private set; }

    // io_cq_unlock_post and __io_commit_cqring_flush
    private void OnPosted()
    {
        if (!Defers)
            _waiters.Wake(EpollEvents.None, 0);
        if (_pollActivated)
            WaitQueue.Wake(EpollEvents.In | RingRequest.RingWake, 0);
        FlushTimeouts();
    }

    // io_cqring_do_overflow_flush: as many as there is room for.
    private void FlushOverflow()
    {
        if (!IsOverflowing)
            return;
        IsOverflowing = false;
        while (_overflow.TryPeek(out Completion kept) && TryPost(kept.UserData, kept.Result, kept.Flags))
            _overflow.Dequeue();
        IsOverflowing = _overflow.Count > 0;
        if (!IsOverflowing)
            Memory.Flags &= ~SubmissionQueueFlags.CompletionOverflow;
    }

    // The end

    private bool _keepsMemory;

    /// <summary>Its process ends: threads of that may still look at what they had mapped. Their kernel keeps it.</summary>
    internal void KeepMemory() => _keepsMemory = true;

    /// <summary>The last descriptor and the last mapping are gone: all requests are cancelled (io_ring_exit_work).</summary>
    protected override void Release()
    {
        _closed = true;
        foreach (RingRequest request in _requests.ToArray())
        {
            request.ForgetMemory();
            request.Abandon();
        }

        _requests.Clear();
        _localWork.Clear();
        _retries.Clear();
        foreach (BufferGroup group in _groups.Values)
            group.Forget();
        ForgetRegisteredFiles();
        if (!_keepsMemory)
        {
            Memory.Rings.Free();
            Memory.Entries.Free();
        }
    }
}
