namespace Weir;

/// <summary>
/// All that is to run on one loop: the run queue, which only the loop's thread touches, and the inbox, where other threads leave
/// entries, with the protocol that wakes the loop for them.
/// </summary>
internal sealed class LoopWorkQueue : WorkQueue
{
    // How many timers may wait in the inbox for a loop to wake by itself: each is kept alive by it, also when it is disposed of.
    private const int MostTimersLeft = 256;

    private readonly RunQueue _run = new();
    private readonly Inbox _inbox;
    private readonly int _operationBudget;
    private readonly int _byteBudget;
    private readonly Lock _claiming = new();
    private readonly List<RunEntry> _leftBehind = []; // what was still in the inbox when it was sealed
    private MarkedInt64 _isSealed; // 0 or 1
    private int _timersLeft; // since the loop last took the inbox; approximate, for threads count it without a lock

    internal LoopWorkQueue(LoopOptions options)
    {
        _operationBudget = options.TaskOperationBudget;
        _byteBudget = options.TaskByteBudget;
        Context = new LoopSynchronizationContext(this);
        _inbox = new Inbox(this);
        _isSealed = new MarkedInt64(this, 0);
    }

    internal override SynchronizationContext Context { get; }

    internal LoopState State { get; } = new();

    /// <summary>Entries that wait for their turn, this loop's own.</summary>
    internal int RunCount => _run.Count;

    internal bool InboxIsEmpty(Mark site) => _inbox.IsEmpty(site);

    /// <summary>Whether the inbox holds anything that a sleeping loop is to be woken for. Timers need not be: it may wake by then anyway.</summary>
    internal bool HasPostThatWakes
    {
        get
        {
            foreach (RunEntry entry in _inbox.Entries)
            {
                if (entry.Target is not LoopWork { IsTimer: true })
                    return true;
            }

            return false;
        }
    }

    /// <summary>Entries that came from other threads.</summary>
    internal long Posts { get; private set; }

    internal override void Enqueue(LoopWork work) => _run.Enqueue(new RunEntry(work));

    internal void Enqueue(in RunEntry entry) => _run.Enqueue(entry);

    internal override bool Post(LoopWork work) => Post(new RunEntry(work));

    /// <summary>From any thread, the loop's own included.</summary>
    internal bool Post(in RunEntry entry)
    {
        if (IsCurrent)
        {
            if (State.Phase == LoopPhase.Stopped)
                return false;
            _run.Enqueue(entry);
            return true;
        }

        if (State.Phase == LoopPhase.Stopped)
            return false;
        _inbox.Enqueue(Mark.InboxPut, entry);
        return Pay(State.Wake()) || WasTaken(entry);
    }

    internal override bool PostFor(long deadline, LoopWork work)
    {
        if (State.Phase == LoopPhase.Stopped)
            return false;
        var entry = new RunEntry(work);
        _inbox.Enqueue(Mark.InboxPut, entry);
        return Pay(++_timersLeft < MostTimersLeft ? State.WakeFor(deadline) : State.Wake()) || WasTaken(entry);
    }

    /// <summary>What was posted for a later time, or is about to be, is due at <paramref name="deadline"/> now. False: the loop has stopped.</summary>
    internal bool WakeFor(long deadline) => Pay(State.WakeFor(deadline));

    private bool Pay(WakeDebt debt)
    {
        if (debt == WakeDebt.Owed)
        {
            Driver.Wake();
            State.WakeDelivered();
        }

        return debt != WakeDebt.Stopped;
    }

    // The loop stopped between the entry and the look at its phase. It takes up what was there at that moment; whether that includes this
    // entry is known once it has sealed the inbox, which is moments away.
    private bool WasTaken(in RunEntry entry)
    {
        SpinWait spin = default;
        while (_isSealed.Read(Mark.SealLook) == 0)
            Marks.Spin(Mark.SealLook, ref spin);
        using (Marks.Enter(Mark.ClaimLock, _claiming))
        {
            while (_inbox.TryDequeue(Mark.ClaimTake, out RunEntry left))
                _leftBehind.Add(left);
            for (int i = 0; i < _leftBehind.Count; i++)
            {
                if (!_leftBehind[i].IsSameAs(entry))
                    continue;
                // Claimed: of several posters of the same delegate and state, as many hear false as there are entries left.
                _leftBehind.RemoveAt(i);
                return false;
            }
        }

        return true;
    }

    /// <summary>Nothing is taken from the inbox any more.</summary>
    internal void Seal() => _isSealed.Write(Mark.Seal, 1);

    /// <summary>Something had to run on the thread pool that belonged here. Any thread.</summary>
    internal void CountHop() => Interlocked.Increment(ref HopsOffLoop);

    /// <summary>
    /// Moves what other threads have left into the run queue, at most <paramref name="most"/> entries: those who post without pause must
    /// not keep a turn from ending.
    /// </summary>
    internal void TakeInbox(int most)
    {
        if (_timersLeft != 0)
            _timersLeft = 0; // before they are taken: one that comes meanwhile is counted twice rather than not at all
        for (int left = most; left > 0 && _inbox.TryDequeue(Mark.InboxTake, out RunEntry entry); left--)
        {
            _run.Enqueue(entry);
            Posts++;
        }
    }

    /// <summary>Runs entries until <paramref name="done"/> reaches <paramref name="count"/>; if one throws, it has been counted.</summary>
    internal void Run(int count, ref int done)
    {
        while (done < count)
        {
            RunEntry entry = _run.Dequeue();
            _run.PrefetchNext();
            done++;
            RefillBudget(_operationBudget, _byteBudget);
            entry.Invoke();
            // What it set must not reach the next, whose awaits would not come back here. One that throws: OnUnhandled does the same.
            if (SynchronizationContext.Current != Context)
                SynchronizationContext.SetSynchronizationContext(Context);
        }
    }
}
