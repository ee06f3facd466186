using System.Runtime.InteropServices;

namespace Weir.Simulation;

/// <summary>
/// A timer: timerfd_create(2), fs/timerfd.c. A periodic one that has expired is not started again before somebody reads it or asks for its
/// time, so that one which nobody looks at costs one event and no more.
/// </summary>
internal sealed class TimerFdFile : SimFile
{
    private readonly long _offset; // of its clock from the monotonic one
    private readonly Action _fire;
    private SimClock.TimedEvent? _timer;
    private long _expires; // by its clock
    private long _interval;
    private ulong _ticks;
    private bool _hasExpired;

    internal TimerFdFile(World world, ClockId clock)
        : base(world, FileFlags.ReadWrite | FileFlags.NonBlock)
    {
        _offset = clock == ClockId.Realtime ? SimClock.WallClockAtStart - SimClock.Start : 0;
        _fire = Fire;
    }

    internal override string Kind => "timerfd";

    internal override WaitQueue WaitQueue { get; } = new();

    private long Now => World.Now + _offset;

    internal override EpollEvents Poll() => _ticks > 0 ? EpollEvents.In : EpollEvents.None;

    /// <summary>do_timerfd_settime, with values that have been checked. What was pending is forgotten.</summary>
    internal void Set(in TimerSpec spec, TimerFdSetFlags flags)
    {
        _timer?.Cancel();
        _timer = null;
        _hasExpired = false;
        _ticks = 0;
        _interval = Saturated(spec.Interval);
        long value = Saturated(spec.Value);
        _expires = (flags & TimerFdSetFlags.Absolute) != 0 || value == 0 ? value : value > World.Never - Now ? World.Never : Now + value;
        if (value != 0)
            Start();
    }

    /// <summary>do_timerfd_gettime.</summary>
    internal TimerSpec Get()
    {
        if (_hasExpired && _interval > 0)
        {
            _ticks += Forward() - 1;
            _hasExpired = false;
            Start();
        }

        return new TimerSpec
        {
            Value = TimeSpec.FromNanoseconds(Math.Max(0, _expires - Now)),
            Interval = TimeSpec.FromNanoseconds(_interval),
        };
    }

    internal override nint Read(SimThread thread, ref UserBuffer buffer)
    {
        if (buffer.Length < sizeof(ulong))
            return Error(Errno.EINVAL);
        while (_ticks == 0)
        {
            int error = World.BlockOn(thread, this, EpollEvents.In);
            if (error < 0)
                return error;
        }

        ulong ticks = _ticks;
        _ticks = 0;
        if (_hasExpired && _interval > 0)
        {
            ticks += Forward() - 1;
            Start();
        }

        _hasExpired = false;
        return buffer.Put(MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in ticks))) ? sizeof(ulong) : Error(Errno.EFAULT);
    }

    private void Start()
    {
        if (_expires == World.Never)
            return;
        long time = _expires - _offset;
        if (time <= World.Now)
            Fire();
        else
            _timer = World.Clock.At(time, _fire);
    }

    // timerfd_tmrproc
    private void Fire()
    {
        _timer = null;
        _hasExpired = true;
        _ticks++;
        WaitQueue.Wake(EpollEvents.In);
    }

    // hrtimer_forward_now: moves the expiry on by periods until it lies ahead, and says by how many.
    private ulong Forward()
    {
        long late = Now - _expires;
        if (late < 0)
            return 0;
        long periods = late / _interval + 1;
        _expires = _interval > (World.Never - _expires) / periods ? World.Never : _expires + periods * _interval;
        return (ulong)periods;
    }

    private static long Saturated(TimeSpec time) => time.Seconds >= World.Never / 1_000_000_000 ? World.Never : time.ToNanoseconds();

    protected override void Release() => _timer?.Cancel();
}
