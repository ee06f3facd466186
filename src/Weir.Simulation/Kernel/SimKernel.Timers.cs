namespace Weir.Simulation;

public sealed unsafe partial class SimKernel
{
    private const TimerFdSetFlags CancelOnSet = (TimerFdSetFlags)2; // the clock is never set here

    /// <inheritdoc/>
    public override int TimerFdCreate(ClockId clock)
    {
        using Call call = Begin(SystemCall.TimerFdCreate);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if (clock is not (ClockId.Monotonic or ClockId.Realtime))
        {
            const int BootTime = 7, RealtimeAlarm = 8, BootTimeAlarm = 9;
            return (int)clock is BootTime or RealtimeAlarm or BootTimeAlarm ? throw NotEmulated($"timerfd_create(clock {(int)clock})") : call.Returns(-(int)Errno.EINVAL);
        }

        return call.Returns(Install(new TimerFdFile(World, clock), closeOnExec: true));
    }

    /// <inheritdoc/>
    public override int TimerFdSetTime(int fd, TimerSpec* value, TimerFdSetFlags flags)
    {
        using Call call = Begin(SystemCall.TimerFdSetTime, fd);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if (!UserMemory.IsMapped(value, (nuint)sizeof(TimerSpec)))
            return call.Returns(-(int)Errno.EFAULT);
        if ((flags & ~(TimerFdSetFlags.Absolute | CancelOnSet)) != 0 || !IsValid(value->Value) || !IsValid(value->Interval))
            return call.Returns(-(int)Errno.EINVAL);
        int error = FindTimer(fd, out TimerFdFile? timer);
        timer?.Set(*value, flags);
        return call.Returns(error);
    }

    /// <inheritdoc/>
    public override int TimerFdGetTime(int fd, TimerSpec* value)
    {
        using Call call = Begin(SystemCall.TimerFdGetTime, fd);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        int error = FindTimer(fd, out TimerFdFile? timer);
        if (timer == null)
            return call.Returns(error);
        TimerSpec spec = timer.Get();
        if (!UserMemory.IsMapped(value, (nuint)sizeof(TimerSpec)))
            return call.Returns(-(int)Errno.EFAULT);
        *value = spec;
        return call.Returns(0);
    }

    private int FindTimer(int fd, out TimerFdFile? timer)
    {
        SimFile? file = Descriptors.Find(fd);
        timer = file as TimerFdFile;
        return timer != null ? 0 : file == null ? -(int)Errno.EBADF : -(int)Errno.EINVAL;
    }

    // timespec64_valid
    private static bool IsValid(TimeSpec time) => time.Seconds >= 0 && time.Nanoseconds is >= 0 and < 1_000_000_000;
}
