namespace Weir.Simulation;

// Waiting for completions: io_uring/wait.c.
internal sealed unsafe partial class RingFile
{
    private readonly WaitQueue _waiters = new(); // cq_wait
    private int? _waitsFor; // cq_wait_nr: so much work wakes the submitter of a DEFER_TASKRUN ring
    private long _timeouts; // cq_timeouts

    /// <summary>io_cqring_wait. 0, or a negated errno that is of interest only if there is no completion.</summary>
    internal int Wait(SimThread thread, uint least, long deadline)
    {
        int wanted = (int)Math.Min(least, Memory.CompletionEntries);
        if (Defers && thread != _submitter)
            return -(int)Errno.EEXIST;
        if (HasLocalWork)
            RunLocalWork(wanted, Math.Max(MostAtOnce, wanted));
        thread.RunTaskWork();
        FlushOverflow();
        if (Ready >= wanted)
            return 0;
        uint target = Memory.SeenHead + (uint)wanted;
        long timeouts = _timeouts;
        int result;
        do
        {
            result = WaitOnce(thread, wanted, target, timeouts, deadline);
            if (HasLocalWork)
                RunLocalWork(wanted, wanted);
            thread.RunTaskWork();
            if (result < 0)
                break;
            FlushOverflow();
        }
        while (!IsOver(target, timeouts));
        return Ready == 0 ? Math.Min(result, 0) : 0;
    }

    // io_should_wake: also a timeout ends a wait for more than there is.
    private bool IsOver(uint target, long timeouts) => (int)(_tail - target) >= 0 || timeouts != _timeouts;

    private int WaitOnce(SimThread thread, int wanted, uint target, long timeouts, long deadline)
    {
        if (IsOverflowing || HasLocalWork || thread.HasTaskWork)
            return 0;
        if (thread.HasSignal)
            return -(int)Errno.EINTR;
        if (IsOver(target, timeouts))
            return 0;
        if (thread.WaitIsOver)
            return deadline <= World.Now ? -(int)Errno.ETIME : -(int)Errno.EINTR; // a stepped loop has waited outside
        if (deadline <= World.Now)
            return -(int)Errno.ETIME;
        CompletionWait entry = BeginWait(thread, wanted, target, timeouts);
        bool woken;
        try
        {
            woken = World.Block(thread, deadline);
        }
        finally
        {
            EndWait(entry);
        }

        return woken ? 0 : -(int)Errno.ETIME;
    }

    private CompletionWait BeginWait(SimThread thread, int wanted, uint target, long timeouts)
    {
        var entry = new CompletionWait(this, thread, target, timeouts) { IsExclusive = true };
        if (Defers)
            _waitsFor = wanted;
        else
            _waiters.AddLast(entry);
        return entry;
    }

    private void EndWait(CompletionWait entry)
    {
        entry.Leave();
        _waitsFor = null;
    }

    /// <summary>Whether a wait for one completion would end at once.</summary>
    internal bool HasSomething(SimThread thread) => Ready > 0 || IsOverflowing || HasLocalWork || thread.HasSignal;

    /// <summary>Puts a thread that cannot block itself (a stepped loop) where one that waits for a completion would stand.</summary>
    internal WaitEntry Park(SimThread thread) => BeginWait(thread, 1, Memory.SeenHead + 1, _timeouts);

    internal void Unpark(WaitEntry entry) => EndWait((CompletionWait)entry);

    // io_wake_function
    private sealed class CompletionWait(RingFile ring, SimThread thread, uint target, long timeouts) : WaitEntry
    {
        internal override bool OnWake(EpollEvents key)
        {
            if (!ring.IsOver(target, timeouts) && !ring.IsOverflowing)
                return false;
            Leave();
            thread.Wake();
            return true;
        }
    }
}
