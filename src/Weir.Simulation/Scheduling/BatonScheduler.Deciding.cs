namespace Weir.Simulation;

internal sealed partial class BatonScheduler
{
    private readonly List<SimThread> _runnable = [];
    private bool _hasSpinners; // threads that wait for somebody else's store
    private SimThread? _sliceOf;
    private int _sliceUsed;

    /// <summary>It looks who goes on.</summary>
    internal bool IsDeciding { get; private set; }

    /// <summary>Something has changed: those who spin may find what they wait for, and are picked again.</summary>
    internal void Progress()
    {
        if (!_hasSpinners)
            return;
        _hasSpinners = false;
        foreach (SimThread thread in _world.Threads)
            thread.IsSpinning = false;
    }

    /// <summary>Who goes on. Null: all have ended, or none ever will go on.</summary>
    private SimThread? PickNext(SimThread? running)
    {
        IsDeciding = true;
        try
        {
            return Decide(running);
        }
        finally
        {
            IsDeciding = false;
        }
    }

    private SimThread? Decide(SimThread? running)
    {
        while (!_ended)
        {
            _world.Clock.FireDue();
            Collect(running);
            bool preempts = running is { State: ThreadState.Runnable, IsSpinning: false };
            if (preempts && _runnable.Count > 1 && HasUsedItsSlice(running!))
            {
                preempts = false;
                _runnable.RemoveAt(0);
            }

            if (_runnable.Count > 0)
                return _runnable[_world.Choices.Thread(_runnable, preempts)];

            if (MoveClock())
            {
                Progress();
                continue;
            }

            if (_world.Threads.All(thread => thread.State == ThreadState.Ended))
                return null;
            throw _world.Detectors.Stuck();
        }

        return null;
    }

    // One that makes so many calls in a row waits for somebody else, by trying again and again: others get a turn, whatever the strategy.
    private bool HasUsedItsSlice(SimThread running)
    {
        const int Slice = 500;
        if (running != _sliceOf)
        {
            _sliceOf = running;
            _sliceUsed = 0;
        }

        if (++_sliceUsed < Slice)
            return false;
        _sliceUsed = 0;
        return true;
    }

    // Nobody can run: time passes until the next event. False: there is none, or nobody left for whom it could matter.
    private bool MoveClock()
    {
        long next = _world.Clock.NextTime;
        if (next == World.Never || !_world.Threads.Any(thread => thread.State == ThreadState.Blocked))
            return false;
        if (_world.Detectors.BeforeJump() is { } finding)
            throw finding;
        _world.Clock.AdvanceTo(next);
        return true;
    }

    // The running one first, then in turn from the one after it.
    private void Collect(SimThread? running)
    {
        _runnable.Clear();
        IReadOnlyList<SimThread> threads = _world.Threads;
        int start = (running ?? _running)?.Id ?? -1;
        if (running is { State: ThreadState.Runnable, IsSpinning: false })
            _runnable.Add(running);
        for (int i = 1; i <= threads.Count; i++)
        {
            SimThread thread = threads[(start + i) % threads.Count];
            if (thread is { State: ThreadState.Runnable, IsSpinning: false } && thread != running)
                _runnable.Add(thread);
        }
    }
}
