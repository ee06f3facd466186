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

    // The wait that this turn has come to.
    private WaitKind _wait;
    private long _timeout;
    private long _deadline; // of a timeout above zero
    private long _spinEnd;

    /// <summary>
    /// The loop's life, one wait after the other: gives the timeout (nanoseconds; 0: a mere look, negative: for ever) right before each, and
    /// waits when it is asked to go on. <see cref="CloseDown"/> must follow in any case. One object for the loop; a turn allocates nothing.
    /// </summary>
    internal IEnumerator<long> Life()
    {
        _queue.Enqueue(new RunEntry(() => _main = StartMain()));
        while (TakesAnotherTurn())
        {
            BeginTurn();
            while (_wait != WaitKind.None)
            {
                if (IsStepped)
                {
                    _driver.BeforeWait(); // whoever steps it waits outside
                    if (_queue.RunCount > 0)
                        _timeout = 0; // something has completed on the way
                    _driver.WaitsElsewhere = _timeout != 0;
                }

                yield return _timeout;
                Wait(IsStepped ? 0 : _timeout); // whoever steps it has waited already
            }
        }
    }

    /// <summary>
    /// A turn up to its wait: take what others left, fire due timers, run the entries that are there. What entries add runs in the next turn,
    /// so that no task starves the descriptors. Then wait for events (without blocking if there is more to run) and queue what they made ready.
    /// </summary>
    private void BeginTurn()
    {
        _turns++;
        _queue.State.BeginTurn();
        Call(Hook.TurnStarting);
        _queue.TakeInbox(MostPostsPerTurn);
        if (_timers.Count != 0)
            FireTimers();

        int entries = RunEntries();
        Call(Hook.TurnEnded, entries);
        if (_queue.RunCount == 0 && _isEnding && OperationsInFlight > 0)
            PrepareLastWait();
        else if (_queue.RunCount > 0 || _isEnding || !GoesOn)
            PrepareLook();
        else if (_spin > 0)
            PrepareSpin();
        else
            PrepareSleep();
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

    /// <summary>The second part of a turn, as it was prepared; only a spinning loop comes by here several times in one turn.</summary>
    private void Wait(long timeout)
    {
        int events = _driver.Wait(timeout, _deadline);
        switch (_wait)
        {
            case WaitKind.Sleep:
                _queue.State.Leave();
                _turnStart = Now;
                Call(Hook.WaitEnded, events);
                break;
            case WaitKind.Spin:
                Call(Hook.WaitEnded, events);
                _turnStart = Now;
                // What was posted meanwhile is not worth publishing a sleep for: its poster may still be on the way to look whether there is one.
                if (events > 0 || HookWantsTurn(_spinEnd) || !_queue.InboxIsEmpty(Mark.SpinLook))
                    break;
                if (_turnStart < _spinEnd)
                    Call(Hook.WaitStarting, 0);
                else
                    PrepareSleep();
                return;
            default:
                Call(Hook.WaitEnded, events);
                _turnStart = Now;
                break;
        }

        _wait = WaitKind.None;
        _driver.Dispatch(events);
    }

    private void Prepare(WaitKind wait, long timeout)
    {
        _wait = wait;
        _timeout = timeout;
        Call(Hook.WaitStarting, timeout);
    }

    /// <summary>Asks the kernel between turns, without waiting.</summary>
    private void PrepareLook()
    {
        _turnsWithoutLook = 0;
        EndTurnClock(Now);
        Prepare(WaitKind.Look, 0);
    }

    /// <summary>
    /// What is in flight has been cancelled and is all that is left. What the driver waits for ends the wait by itself; calls on threads are posted
    /// when they are done, so those must know that the loop sleeps.
    /// </summary>
    private void PrepareLastWait()
    {
        bool onThreads = _driver.OperationsInFlight < OperationsInFlight;
        if (onThreads && !TryPublishSleep(long.MaxValue))
            return;
        EndTurnClock(Now);
        Prepare(onThreads ? WaitKind.Sleep : WaitKind.Look, -1);
    }

    /// <summary>Says that the loop sleeps. False: there is something to do, and it does not.</summary>
    private bool TryPublishSleep(long deadline)
    {
        // Published first, looked after: a poster does it the other way round, so one of us sees the other.
        if (_queue.State.TrySleep(deadline))
        {
            if (_queue.InboxIsEmpty(Mark.LastLook))
                return true;
            _queue.State.Leave();
        }

        PrepareLookNowAndThen();
        return false;
    }

    /// <summary>
    /// There are posts to run first: a look at the descriptors each time would cost more than the posts do, and none at all would let threads
    /// that post without pause keep the descriptors waiting.
    /// </summary>
    private void PrepareLookNowAndThen()
    {
        if (++_turnsWithoutLook < MostTurnsWithoutLook)
            _wait = WaitKind.None;
        else
            PrepareLook();
    }

    private void PrepareSpin()
    {
        long start = Now;
        _spinEnd = TimerQueue.DeadlineAfter(start, _spin);
        if (_timers.Count != 0)
            _spinEnd = Math.Min(_spinEnd, _timers.NextDeadline);
        EndTurnClock(start);
        Prepare(WaitKind.Spin, 0);
    }

    private void PrepareSleep()
    {
        long deadline = _deadline = _timers.NextWake(_slack);
        if (!TryPublishSleep(deadline))
            return;
        long now = Now;
        EndTurnClock(now);
        long next = _instruments.Length != 0 ? _timers.NextDeadline : long.MaxValue;
        Prepare(WaitKind.Sleep, deadline == long.MaxValue ? -1 : Math.Max(0, deadline - now));
        if (HookWantsTurn(next))
            _timeout = 0;
        _sleeps++;
        _turnsWithoutLook = 0;
    }

    /// <summary>
    /// Whether a hook at this wait has posted, failed, or armed a timer that comes before <paramref name="next"/>, the first deadline when the wait
    /// was prepared.
    /// </summary>
    private bool HookWantsTurn(long next)
        => _queue.RunCount > 0 || !GoesOn || (_instruments.Length != 0 && _timers.NextDeadline < next);

    private void EndTurnClock(long now)
    {
        long length = now - _turnStart;
        if (length > _longestTurn && _turnStart != 0)
            _longestTurn = length;
    }

    /// <summary>Why the loop waits.</summary>
    private enum WaitKind
    {
        /// <summary>It does not: the turn is over.</summary>
        None,

        /// <summary>There is more to run.</summary>
        Look,

        /// <summary>It looks again and again before it sleeps.</summary>
        Spin,

        /// <summary>Nothing to run; that it sleeps is published.</summary>
        Sleep,
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
