using System.Runtime.CompilerServices;

namespace Weir;

public sealed unsafe partial class Poller
{
    /// <summary>How many events one call takes from the kernel at most: its buffer is on the stack, 8 KiB at the largest.</summary>
    private const int MaxBatch = 512;

    // Whether the next wait with room for a single event looks at user space first; flipped by each. A race only costs a turn.
    private volatile bool _queueGoesFirst = true;

    /// <summary>Waits for at least one event, without limit of time.</summary>
    /// <inheritdoc cref="Wait(Span{PollerEvent}, TimeSpan)"/>
    public int Wait(Span<PollerEvent> events) => WaitNanoseconds(events, -1);

    /// <summary>Waits until there is an event, until <see cref="Wake"/>, or until the time has passed.</summary>
    /// <remarks>
    /// <para>
    /// Several threads may wait at once; blocked ones are woken last come, first served, as the kernel does. Signals do not end a wait. No
    /// lock is taken for events of descriptors, a short one for user events and timers.
    /// </para>
    /// <para>At most 512 events are returned by one call, however long the span is.</para>
    /// </remarks>
    /// <param name="events">Where the events go; room for one at least.</param>
    /// <param name="timeout">
    /// Zero: only looks (and meets only stale events, if those fill the span). <see cref="Timeout.InfiniteTimeSpan"/>: for ever. Never
    /// returns before it has passed on the kernel's monotonic clock.
    /// </param>
    /// <returns>How many events; 0 when the time has passed or <see cref="Wake"/> was called.</returns>
    /// <exception cref="ArgumentException">No room for an event.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A negative timeout other than the infinite one.</exception>
    /// <exception cref="ObjectDisposedException">The poller is disposed, or was while this call waited.</exception>
    public int Wait(Span<PollerEvent> events, TimeSpan timeout)
    {
        if (timeout == Timeout.InfiniteTimeSpan)
            return WaitNanoseconds(events, -1);
        ArgumentOutOfRangeException.ThrowIfLessThan(timeout, TimeSpan.Zero);
        return WaitNanoseconds(events, Nanoseconds(timeout));
    }

    /// <summary>As <see cref="Wait(Span{PollerEvent}, TimeSpan)"/>, with the time in nanoseconds; negative: for ever.</summary>
    /// <inheritdoc cref="Wait(Span{PollerEvent}, TimeSpan)"/>
    public int WaitNanoseconds(Span<PollerEvent> events, long timeout)
    {
        if (events.IsEmpty)
            throw new ArgumentException("There must be room for one event.", nameof(events));
        bool blocks = timeout != 0;
        Enter(blocks);
        try
        {
            long deadline = timeout > 0 ? DeadlineIn(timeout) : 0;
            long remaining = timeout;
            while (true)
            {
                int count = WaitOnce(events, remaining, blocks ? 1 : 0, out bool woken);
                ObjectDisposedException.ThrowIf(_gate.IsClosed, this);
                if (count > 0 || woken || !blocks)
                    return count;
                if (timeout < 0)
                    continue;

                // Too early: a signal, a stale event, a wake that another waiter took, a kernel that cuts long waits short.
                remaining = deadline - _kernel.ClockGetTime(ClockId.Monotonic);
                if (remaining <= 0)
                    return 0;
            }
        }
        finally
        {
            Leave(blocks);
        }
    }

    // Uninitialised on purpose: the kernel fills in the buffer, and only what it filled in is read.
    [SkipLocalsInit]
    private int WaitOnce(Span<PollerEvent> events, long timeout, int ownWaits, out bool woken)
    {
        int count = 0;
        woken = false;
        bool timersDue = false;

        // Signals left while nobody slept. The caller has announced itself before (see Signal), so from here on whoever leaves one writes.
        if (Volatile.Read(ref _signal) != 0)
        {
            timeout = 0;
            int taken = Interlocked.Exchange(ref _signal, 0); // taken by one waiter, whoever comes first
            woken = (taken & WakeRequested) != 0;
            if ((taken & WorkQueued) != 0)
                count = TakeQueued(events[..QueueShare(events.Length)], timersDue: false, ownWaits);
        }

        int room = Math.Min(events.Length - count, MaxBatch);
        if (room > 0)
        {
            byte* buffer = stackalloc byte[room * EpollEventLayout.Size];
            int ready = _set.Wait(buffer, room, timeout);
            for (int i = 0; i < ready; i++)
            {
                ulong token = EpollEventLayout.Data(buffer, i);
                if (token == TimerToken)
                    timersDue = true;
                else if (token != WakeToken) // what that one is about is in _signal
                    Deliver(events, ref count, token, EpollEventLayout.Events(buffer, i), ownWaits);
            }
        }

        if (timersDue || Volatile.Read(ref _signal) != 0)
        {
            int taken = Interlocked.Exchange(ref _signal, 0);
            woken |= (taken & WakeRequested) != 0;
            if (timersDue || (taken & WorkQueued) != 0)
                count += TakeQueued(events[count..], timersDue, ownWaits);
        }

        return count;
    }

    // Of a span that both could fill, user space gets half, so that neither starves the other; a single place goes to each in turn.
    private int QueueShare(int length)
    {
        if (length > 1)
            return length / 2;
        bool first = _queueGoesFirst;
        _queueGoesFirst = !first;
        return first ? 1 : 0;
    }

    private void Deliver(Span<PollerEvent> events, ref int count, ulong token, EpollEvents mask, int ownWaits)
    {
        if (!_table.TryFind(token, out nint key, out EpollEvents interest, out PollerMode mode))
        {
            Interlocked.Increment(ref _staleEvents); // any waiter
            return;
        }

        if ((mode & PollerMode.SeparateDirections) == 0)
        {
            Put(events, ref count, token, key, mask, ownWaits);
            return;
        }

        EpollEvents read = mask & ReadSide;
        EpollEvents write = mask & WriteSide;
        EpollEvents ended = mask & BothSides;
        if (ended != 0 && (interest & WriteSide) != 0)
            write |= ended;
        if (ended != 0 && ((interest & ReadSide) != 0 || write == 0))
            read |= ended;
        if (read != 0)
            Put(events, ref count, token, key, read, ownWaits);
        if (write != 0)
            Put(events, ref count, token, key, write, ownWaits);
    }

    // The kernel was asked for as many events as there is room for; when some became two, the last ones do not fit. The kernel reports an
    // edge only once (and a level it would report in the same order again), so they are kept here for the next wait.
    private void Put(Span<PollerEvent> events, ref int count, ulong token, nint key, EpollEvents mask, int ownWaits)
    {
        if (count < events.Length)
            events[count++] = new PollerEvent(key, mask, PollerEventKind.Descriptor, 1);
        else
            Owe(token, mask, ownWaits);
    }

    private long DeadlineIn(long nanoseconds)
    {
        long now = _kernel.ClockGetTime(ClockId.Monotonic);
        return nanoseconds > long.MaxValue - now ? long.MaxValue : now + nanoseconds;
    }

    // TimeSpan counts 100 ns and reaches further than 64 bits of nanoseconds do (292 years).
    private static long Nanoseconds(TimeSpan time) => time.Ticks > long.MaxValue / 100 ? long.MaxValue : time.Ticks * 100;
}
