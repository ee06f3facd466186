namespace Weir.Tests;

/// <summary>
/// A kernel whose monotonic clock stands still until it is advanced. Waits take the real time they are given, so a loop that waits for a
/// deadline looks at the clock now and then; nothing that a test says about timers depends on how fast the machine is.
/// </summary>
public sealed unsafe class ManualClockKernel(Kernel inner) : CountingKernel(inner)
{
    private long _now = 1_000_000_000;

    /// <summary>Moves the clock. Any thread; a loop learns of it when it looks.</summary>
    public void Advance(TimeSpan time) => Interlocked.Add(ref _now, time.Ticks * 100);

    public override long ClockGetTime(ClockId clock) => clock == ClockId.Monotonic ? Interlocked.Read(ref _now) : base.ClockGetTime(clock);

    // What is a deadline on this clock is none on the kernel's.
    public override int IoUringEnter(int fd, uint toSubmit, uint minComplete, IoUringEnterFlags flags, void* argument, nuint argumentSize)
    {
        if ((flags & IoUringEnterFlags.AbsoluteTimer) == 0)
            return base.IoUringEnter(fd, toSubmit, minComplete, flags, argument, argumentSize);
        IoUringWaitArgument wait = *(IoUringWaitArgument*)argument;
        TimeSpec left = TimeSpec.FromNanoseconds(Math.Max(0, wait.Timeout->Seconds * 1_000_000_000 + wait.Timeout->Nanoseconds - Interlocked.Read(ref _now)));
        wait.Timeout = &left;
        return base.IoUringEnter(fd, toSubmit, minComplete, flags & ~IoUringEnterFlags.AbsoluteTimer, &wait, argumentSize);
    }
}
