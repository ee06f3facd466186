namespace Weir;

public sealed unsafe partial class Poller
{
    /// <summary>Guards user events, timers and the queue. Never held while waiting, and nothing of the caller's runs under it.</summary>
    private readonly Lock _sources = new();

    private readonly Dictionary<nint, UserEvent> _userEvents = [];
    private readonly Dictionary<nint, PollerTimer> _timers = [];
    private readonly PollerTimerHeap _deadlines = new();

    /// <summary>Events that exist in user space only: triggered user events, and halves of descriptor events that found no room.</summary>
    private readonly Queue<Queued> _queue = [];

    /// <summary>
    /// One timerfd for all timers, set to the earliest deadline, edge-triggered and never read: setting it again clears it. That the
    /// kernel picks the one waiter who hears of it is why it is a descriptor and not a shorter wait: with several waiters, one of them
    /// would have to keep the time, and hand that duty on whenever it leaves.
    /// </summary>
    private int _timerDescriptor = -1;

    private long _timerSetFor = long.MaxValue;

    /// <summary>
    /// Makes an event that <see cref="Trigger"/> fires: a way to tell a waiter something, without a descriptor. EVFILT_USER of kqueue(2).
    /// </summary>
    /// <exception cref="ArgumentException">There is one with that key.</exception>
    /// <exception cref="ObjectDisposedException">The poller is disposed.</exception>
    public void AddUserEvent(nint key)
    {
        Enter();
        try
        {
            lock (_sources)
            {
                if (!_userEvents.TryAdd(key, new UserEvent(key)))
                    throw new ArgumentException($"There is a user event with the key {key} already.", nameof(key));
            }
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Ends a user event; what it has pending is dropped.</summary>
    /// <returns>False when there is none with that key.</returns>
    /// <exception cref="ObjectDisposedException">The poller is disposed.</exception>
    public bool RemoveUserEvent(nint key)
    {
        Enter();
        try
        {
            lock (_sources)
            {
                if (!_userEvents.Remove(key, out UserEvent? removed))
                    return false;
                removed.Triggers = 0; // it may be in the queue still, and is passed over there
                return true;
            }
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>
    /// Fires a user event: one wait reports it once, with the number of triggers since it was last reported, and it is clear again.
    /// Wakes a waiter as <see cref="Wake"/> does, and costs the same.
    /// </summary>
    /// <returns>False when there is no user event with that key.</returns>
    /// <exception cref="ObjectDisposedException">The poller is disposed.</exception>
    public bool Trigger(nint key)
    {
        Enter();
        try
        {
            lock (_sources)
            {
                if (!_userEvents.TryGetValue(key, out UserEvent? found))
                    return false;
                if (++found.Triggers > 1)
                    return true;
                _queue.Enqueue(new Queued(found, 0, 0));
            }

            Signal(WorkQueued, ownWaits: 0);
            return true;
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>
    /// Starts a timer, or starts it anew if there is one with that key, dropping what it has pending. EVFILT_TIMER of kqueue(2).
    /// </summary>
    /// <remarks>
    /// Never early on the kernel's monotonic clock. Expirations that no wait has reported yet come as one event with their number in
    /// <see cref="PollerEvent.Count"/>. A timer that fires once is gone when it is reported. Periods are counted from the first deadline,
    /// so they do not drift. All timers share one timerfd, made by the first; setting one costs a system call when it becomes the earliest.
    /// </remarks>
    /// <param name="key">What its events will carry.</param>
    /// <param name="dueTime">Until the first expiration.</param>
    /// <param name="period">Between further ones; zero for none.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative time.</exception>
    /// <exception cref="KernelException">No descriptor for the timerfd: timerfd_create(2).</exception>
    /// <exception cref="ObjectDisposedException">The poller is disposed.</exception>
    public void SetTimer(nint key, TimeSpan dueTime, TimeSpan period = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dueTime, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(period, TimeSpan.Zero);
        Enter();
        try
        {
            lock (_sources)
            {
                OpenTimerDescriptor();
                if (!_timers.TryGetValue(key, out PollerTimer? timer))
                    _timers.Add(key, timer = new PollerTimer(key));
                timer.Deadline = DeadlineIn(Nanoseconds(dueTime));
                timer.Period = Nanoseconds(period);
                _deadlines.Set(timer);
                if (_deadlines.Earliest < _timerSetFor)
                    SetTimerDescriptor();
            }
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Stops a timer; what it has pending is dropped.</summary>
    /// <returns>False when there is none with that key, or it has fired for the only time.</returns>
    /// <exception cref="ObjectDisposedException">The poller is disposed.</exception>
    public bool RemoveTimer(nint key)
    {
        Enter();
        try
        {
            lock (_sources)
            {
                // The timerfd stays set: it may wake a waiter for nothing once, which is cheaper than a system call now.
                if (!_timers.Remove(key, out PollerTimer? timer))
                    return false;
                _deadlines.Remove(timer);
                return true;
            }
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Fills <paramref name="events"/> from the queue and the timers; what finds no room is left with a signal of its own.</summary>
    private int TakeQueued(Span<PollerEvent> events, bool timersDue, int ownWaits)
    {
        int count = 0;
        bool more = false;
        lock (_sources)
        {
            if (timersDue)
                count = TakeDueTimers(events);
            while (!more && _queue.TryPeek(out Queued queued))
            {
                if (count == events.Length)
                {
                    more = true;
                }
                else
                {
                    _queue.Dequeue();
                    if (TryTake(queued, out PollerEvent taken))
                        events[count++] = taken;
                }
            }
        }

        if (more)
            Signal(WorkQueued, ownWaits);
        return count;
    }

    private bool TryTake(Queued queued, out PollerEvent taken)
    {
        taken = default;
        if (queued.Source is { } source)
        {
            if (source.Triggers == 0)
                return false; // removed
            taken = new PollerEvent(source.Key, 0, PollerEventKind.User, source.Triggers);
            source.Triggers = 0;
            return true;
        }

        if (!_table.TryFind(queued.Token, out nint key, out _, out _))
            return false; // removed, or modified and so reported afresh
        taken = new PollerEvent(key, queued.Events, PollerEventKind.Descriptor, 1);
        return true;
    }

    private int TakeDueTimers(Span<PollerEvent> events)
    {
        int count = 0;
        long now = _kernel.ClockGetTime(ClockId.Monotonic);
        while (count < events.Length && _deadlines.Earliest <= now)
        {
            PollerTimer timer = _deadlines.Top;
            long expirations = 1;
            if (timer.Period == 0)
            {
                _deadlines.Remove(timer);
                _timers.Remove(timer.Key);
            }
            else
            {
                expirations += (now - timer.Deadline) / timer.Period;
                timer.Deadline = timer.Period > (long.MaxValue - timer.Deadline) / expirations
                    ? long.MaxValue
                    : timer.Deadline + expirations * timer.Period;
                _deadlines.Set(timer);
            }

            events[count++] = new PollerEvent(timer.Key, 0, PollerEventKind.Timer, expirations);
        }

        // The edge is used up. If a timer is due that found no room, this sets the timerfd into the past, which gives the next edge at once.
        _timerSetFor = long.MaxValue;
        if (_deadlines.Earliest != long.MaxValue)
            SetTimerDescriptor();
        return count;
    }

    private void OpenTimerDescriptor()
    {
        if (_timerDescriptor >= 0)
            return;
        int fd = KernelException.Check(_kernel.TimerFdCreate(ClockId.Monotonic), "timerfd_create");
        int added = _set.Control(EpollOp.Add, fd, EpollEvents.In | EpollEvents.EdgeTriggered, TimerToken);
        if (added < 0)
        {
            _kernel.Close(fd);
            throw new KernelException("epoll_ctl(ADD)", fd, (Errno)(-added));
        }

        _timerDescriptor = fd;
    }

    private void SetTimerDescriptor()
    {
        TimerSpec spec = new() { Value = TimeSpec.FromNanoseconds(_deadlines.Earliest) };
        KernelException.Check(_kernel.TimerFdSetTime(_timerDescriptor, &spec, TimerFdSetFlags.Absolute), "timerfd_settime", _timerDescriptor);
        _timerSetFor = _deadlines.Earliest;
    }

    private void Owe(ulong token, EpollEvents mask, int ownWaits)
    {
        lock (_sources)
            _queue.Enqueue(new Queued(null, token, mask));
        Signal(WorkQueued, ownWaits);
    }

    private sealed class UserEvent(nint key)
    {
        internal nint Key { get; } = key;

        /// <summary>Since it was last reported. More than zero: it is in the queue.</summary>
        internal long Triggers { get; set; }
    }

    /// <summary>A user event, or what is owed to the registration under a token.</summary>
    private readonly record struct Queued(UserEvent? Source, ulong Token, EpollEvents Events);
}
