namespace Weir;

public sealed partial class EventLoop
{
    private const int MostPostsPerTurn = 4096;
    private const int MostTurnsWithoutLook = 16;

    private readonly long _slack;
    private readonly long _spin;
    private int _turnsWithoutLook;
    private long _turnStart;
    private long _turns;
    private long _sleeps;
    private long _entries;
    private long _longestTurn;
    private Exception? _fatal;

    /// <summary>
    /// One turn: take what others left, fire due timers, run the entries that are there, then wait for events (without blocking if there is
    /// more to run) and queue what they made ready. What entries add runs in the next turn, so that no task starves the descriptors.
    /// </summary>
    internal void Turn()
    {
        _turns++;
        _queue.State.BeginTurn();
        Call(Hook.TurnStarting);
        _queue.TakeInbox(MostPostsPerTurn);
        if (_timers.Count != 0)
            FireTimers();

        int entries = RunEntries();
        Call(Hook.TurnEnded, entries);
        WaitForEvents();
    }

    private void FireTimers()
    {
        long now = Now;
        // What is armed for "now" while these fire is due in the next turn: as many as were armed when it began bounds this one.
        for (int left = _timers.Count; left > 0 && _timers.PopExpired(now) is { } timer; left--)
            timer.OnDeadline(now);
    }

    private int RunEntries()
    {
        int count = _queue.RunCount, done = 0;
        while (done < count)
        {
            try
            {
                _queue.Run(count, ref done);
            }
            catch (Exception exception)
            {
                // The entry is gone from the queue, the others are not touched.
                OnUnhandled(exception);
            }
        }

        _entries += done;
        return done;
    }

    private void WaitForEvents()
    {
        int events = 0;
        if (_queue.RunCount > 0 || _isEnding || !GoesOn)
        {
            events = LookBetweenTurns();
        }
        else
        {
            if (_spin > 0)
                events = Spin();
            if (events == 0)
                events = Sleep();
        }

        _driver.Dispatch(events);
    }

    /// <summary>
    /// There are posts to run first: a look at the descriptors each time would cost more than the posts do, and none at all would let threads
    /// that post without pause keep the descriptors waiting.
    /// </summary>
    private int LookNowAndThen() => ++_turnsWithoutLook < MostTurnsWithoutLook ? 0 : LookBetweenTurns();

    private int LookBetweenTurns()
    {
        _turnsWithoutLook = 0;
        EndTurnClock(Now);
        int events = Look();
        _turnStart = Now;
        return events;
    }

    /// <summary>Asks the kernel without waiting.</summary>
    private int Look()
    {
        Call(Hook.WaitStarting, 0);
        int events = _driver.Wait(0);
        Call(Hook.WaitEnded, events);
        return events;
    }

    private int Spin()
    {
        long start = Now, end = start + _spin;
        if (_timers.Count != 0)
            end = Math.Min(end, _timers.NextDeadline);
        EndTurnClock(start);
        int events;
        do
            events = Look();
        while (events == 0 && _queue.InboxIsEmpty && Now < end);
        _turnStart = Now;
        return events;
    }

    private int Sleep()
    {
        long deadline = _timers.NextWake(_slack);
        // Published first, looked after: a poster does it the other way round, so one of us sees the other.
        if (!_queue.State.TrySleep(deadline))
            return LookNowAndThen();
        if (!_queue.InboxIsEmpty)
        {
            _queue.State.Leave();
            return LookNowAndThen();
        }

        long now = Now;
        EndTurnClock(now);
        long timeout = deadline == long.MaxValue ? -1 : Math.Max(0, deadline - now);
        Call(Hook.WaitStarting, timeout);
        if (_queue.RunCount > 0 || !GoesOn)
            timeout = 0; // the hook has posted, or failed
        _sleeps++;
        _turnsWithoutLook = 0;
        int events = _driver.Wait(timeout);
        _queue.State.Leave();
        _turnStart = Now;
        Call(Hook.WaitEnded, events);
        return events;
    }

    private void EndTurnClock(long now)
    {
        long length = now - _turnStart;
        if (length > _longestTurn && _turnStart != 0)
            _longestTurn = length;
    }

    private enum Hook
    {
        TurnStarting,
        TurnEnded,
        WaitStarting,
        WaitEnded,
        TaskSpawned,
        TaskEnded,
    }

    /// <summary>Calls a hook of every instrument; none can unwind the turn, or spoil it for the next.</summary>
    private void Call(Hook hook, long number = 0, LoopTask? task = null)
    {
        foreach (LoopInstrument instrument in _instruments)
        {
            try
            {
                switch (hook)
                {
                    case Hook.TurnStarting:
                        instrument.TurnStarting(this);
                        break;
                    case Hook.TurnEnded:
                        instrument.TurnEnded(this, (int)number);
                        break;
                    case Hook.WaitStarting:
                        instrument.WaitStarting(this, number);
                        break;
                    case Hook.WaitEnded:
                        instrument.WaitEnded(this, (int)number);
                        break;
                    case Hook.TaskSpawned:
                        instrument.TaskSpawned(this, task!);
                        break;
                    default:
                        instrument.TaskEnded(this, task!);
                        break;
                }
            }
            catch (Exception exception)
            {
                OnUnhandled(exception);
            }
        }
    }

    /// <summary>An exception that no caller can observe.</summary>
    internal void OnUnhandled(Exception exception)
    {
        if (SynchronizationContext.Current != _queue.Context)
            SynchronizationContext.SetSynchronizationContext(_queue.Context);
        bool handled = false;
        try
        {
            handled = Options.UnhandledException?.Invoke(exception) ?? false;
        }
        catch (Exception fromHandler)
        {
            exception = new AggregateException("The unhandled-exception callback failed as well.", exception, fromHandler);
        }

        if (!handled)
            _fatal ??= exception;
    }
}
