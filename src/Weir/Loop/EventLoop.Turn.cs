namespace Weir;

public sealed partial class EventLoop
{
    private readonly long _slack;
    private readonly long _spin;
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
        foreach (LoopInstrument instrument in _instruments)
            instrument.TurnStarting(this);
        _queue.TakeInbox();
        if (_timers.Count != 0)
            FireTimers();

        int entries = RunEntries();
        foreach (LoopInstrument instrument in _instruments)
            instrument.TurnEnded(this, entries);
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
            EndTurnClock(Now);
            events = Look();
            _turnStart = Now;
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

    /// <summary>Asks the kernel without waiting.</summary>
    private int Look()
    {
        foreach (LoopInstrument instrument in _instruments)
            instrument.WaitStarting(this, 0);
        int events = _driver.Wait(0);
        foreach (LoopInstrument instrument in _instruments)
            instrument.WaitEnded(this, events);
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
        long deadline = _timers.Count == 0 ? long.MaxValue : _timers.NextWake(_slack);
        // Published first, looked after: a poster does it the other way round, so one of us sees the other.
        if (!_queue.State.TrySleep(deadline))
            return 0;
        if (!_queue.InboxIsEmpty)
        {
            _queue.State.Leave();
            return 0;
        }

        long now = Now;
        EndTurnClock(now);
        long timeout = deadline == long.MaxValue ? -1 : Math.Max(0, deadline - now);
        foreach (LoopInstrument instrument in _instruments)
            instrument.WaitStarting(this, timeout);
        _sleeps++;
        int events = _driver.Wait(timeout);
        _queue.State.Leave();
        _turnStart = Now;
        foreach (LoopInstrument instrument in _instruments)
            instrument.WaitEnded(this, events);
        return events;
    }

    private void EndTurnClock(long now)
    {
        long length = now - _turnStart;
        if (length > _longestTurn && _turnStart != 0)
            _longestTurn = length;
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
