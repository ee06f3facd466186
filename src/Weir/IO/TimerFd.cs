namespace Weir;

/// <summary>
/// A timer as a descriptor: timerfd_create(2). For code that wants a descriptor to wait on, and for times of day; a wait of one's own is cheaper
/// as <see cref="EventLoop.Delay(TimeSpan, CancellationToken)"/>, which opens nothing.
/// </summary>
/// <remarks>For its loop's thread; Dispose for any. Times have the resolution of <see cref="TimeSpan"/>, 100 ns. It is never early.</remarks>
public sealed class TimerFd : IDisposable
{
    private readonly EventLoop _loop;
    private readonly CounterStream _source;

    /// <summary>A timer on the current loop, not armed.</summary>
    /// <param name="clock">
    /// <see cref="ClockId.Monotonic"/> (the default) runs evenly and stands still while the machine sleeps; <see cref="ClockId.Realtime"/> is the
    /// time of day, and jumps when that is set: what waits for an absolute time then waits for the time as set.
    /// </param>
    /// <exception cref="KernelException">No descriptors left.</exception>
    public TimerFd(ClockId clock = ClockId.Monotonic)
    {
        _loop = EventLoop.Required;
        Clock = clock;
        int fd = KernelException.Check(_loop.Kernel.TimerFdCreate(clock), $"timerfd_create({clock})");
        _source = new CounterStream(_loop, fd);
    }

    /// <summary>The clock it goes by.</summary>
    public ClockId Clock { get; }

    /// <summary>The descriptor, readable once the timer has expired; -1 once disposed. It stays this timer's own: do not close it.</summary>
    public int FileDescriptor => _source.FileDescriptor;

    /// <summary>The time left to the next expiration; zero if it is not armed. timerfd_gettime(2).</summary>
    public TimeSpan Remaining => ToTimeSpan(Get().Value);

    /// <summary>The time between expirations; zero for a timer that expires once.</summary>
    public TimeSpan Period => ToTimeSpan(Get().Interval);

    /// <summary>Expires once <paramref name="due"/> has passed, and then every <paramref name="period"/>. Expirations not yet taken are forgotten.</summary>
    /// <param name="due">Zero: at once.</param>
    /// <param name="period">Zero, the default: only once.</param>
    /// <exception cref="ArgumentOutOfRangeException">Negative.</exception>
    public void Set(TimeSpan due, TimeSpan period = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(due, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(period, TimeSpan.Zero);
        Set(Armed(due), ToTimeSpec(period), TimerFdSetFlags.None);
    }

    /// <summary>Expires at a time of day, and then every <paramref name="period"/>; at once if that has passed.</summary>
    /// <exception cref="InvalidOperationException">The timer does not go by <see cref="ClockId.Realtime"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A time before 1970, or a negative period.</exception>
    public void SetAt(DateTimeOffset time, TimeSpan period = default)
    {
        if (Clock != ClockId.Realtime)
            throw new InvalidOperationException("A time of day needs a timer by ClockId.Realtime.");
        ArgumentOutOfRangeException.ThrowIfLessThan(time, DateTimeOffset.UnixEpoch);
        ArgumentOutOfRangeException.ThrowIfLessThan(period, TimeSpan.Zero);
        Set(Armed(time - DateTimeOffset.UnixEpoch), ToTimeSpec(period), TimerFdSetFlags.Absolute);
    }

    /// <summary>Expires when the clock shows so many nanoseconds, as clock_gettime(2) counts them; at once if it has shown them before.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative.</exception>
    public void SetAt(long nanoseconds, TimeSpan period = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(nanoseconds);
        ArgumentOutOfRangeException.ThrowIfLessThan(period, TimeSpan.Zero);
        Set(TimeSpec.FromNanoseconds(Math.Max(nanoseconds, 1)), ToTimeSpec(period), TimerFdSetFlags.Absolute);
    }

    /// <summary>It does not expire any more, and expirations not yet taken are forgotten.</summary>
    public void Disarm() => Set(default, default, TimerFdSetFlags.None);

    /// <summary>
    /// Waits until it has expired, and returns how often it has since it was set or last asked. One waiter at a time; setting the timer anew
    /// while somebody waits is how a wait is put off.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The timer was disposed, before or meanwhile.</exception>
    public ValueTask<long> WaitAsync(CancellationToken cancellationToken = default) => _source.WaitAsync(cancellationToken);

    /// <summary>Closes it; a wait ends with <see cref="ObjectDisposedException"/>. Any thread.</summary>
    public void Dispose() => _source.Dispose();

    private unsafe TimerSpec Get()
    {
        TimerSpec spec;
        KernelException.Check(_loop.Kernel.TimerFdGetTime(Open, &spec), "timerfd_gettime", FileDescriptor);
        return spec;
    }

    private unsafe void Set(TimeSpec value, TimeSpec interval, TimerFdSetFlags flags)
    {
        var spec = new TimerSpec { Value = value, Interval = interval };
        KernelException.Check(_loop.Kernel.TimerFdSetTime(Open, &spec, flags), "timerfd_settime", FileDescriptor);
    }

    private int Open
    {
        get
        {
            if (!_loop.IsCurrent)
                throw new InvalidOperationException("A timer is set on the thread of its loop; post to the loop from elsewhere.");
            int fd = FileDescriptor;
            ObjectDisposedException.ThrowIf(fd < 0, this);
            return fd;
        }
    }

    // Zero would disarm.
    private static TimeSpec Armed(TimeSpan time) => time == TimeSpan.Zero ? new TimeSpec { Nanoseconds = 1 } : ToTimeSpec(time);

    private static TimeSpec ToTimeSpec(TimeSpan time)
    {
        (long seconds, long ticks) = Math.DivRem(time.Ticks, TimeSpan.TicksPerSecond);
        return new TimeSpec { Seconds = seconds, Nanoseconds = ticks * TimeSpan.NanosecondsPerTick };
    }

    // Rounded up: what is left is left.
    private static TimeSpan ToTimeSpan(TimeSpec time)
        => new(time.Seconds * TimeSpan.TicksPerSecond + (time.Nanoseconds + TimeSpan.NanosecondsPerTick - 1) / TimeSpan.NanosecondsPerTick);
}
