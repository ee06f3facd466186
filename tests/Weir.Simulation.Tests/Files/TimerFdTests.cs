namespace Weir.Simulation.Tests;

public unsafe class TimerFdTests
{
    private const long Millisecond = 1_000_000;

    [Fact]
    public void Its_arguments_are_checked_in_order()
        => TwoKernels.Agree(probe =>
        {
            Kernel kernel = probe.Kernel;
            int timer = probe.Keep(kernel.TimerFdCreate(ClockId.Monotonic), "timer");
            int counter = probe.Keep(kernel.EventFd(0, EventFdFlags.CloseOnExec), "counter");
            probe.StatusFlags(timer);
            probe.Log(kernel.TimerFdCreate((ClockId)3), "another clock");
            probe.Read(timer, 8);
            probe.Read(timer, 7);
            probe.Write(timer, 8);
            probe.Poll(timer);
            TimerSpec spec = default;
            probe.Log(kernel.TimerFdGetTime(timer, &spec), "gettime");
            probe.Log(kernel.TimerFdGetTime(counter, &spec), "gettime of a counter");
            probe.Log(kernel.TimerFdGetTime(-1, &spec), "gettime of nothing");
            probe.Log(kernel.TimerFdGetTime(timer, (TimerSpec*)Probe.Nowhere), "gettime to nowhere");
            probe.Log(kernel.TimerFdSetTime(-1, (TimerSpec*)Probe.Nowhere, (TimerFdSetFlags)8), "settime from nowhere");
            probe.Log(kernel.TimerFdSetTime(-1, &spec, (TimerFdSetFlags)8), "settime, bad flag");
            probe.Log(kernel.TimerFdSetTime(-1, &spec, 0), "settime of nothing");
            probe.Log(kernel.TimerFdSetTime(counter, &spec, 0), "settime of a counter");
            probe.Log(kernel.TimerFdSetTime(timer, &spec, (TimerFdSetFlags)3), "settime, cancel on set");
            Set(1, 1_000_000_000, 0, 0);
            Set(1, 0, 0, -1);
            Set(-1, 0, 0, 0);
            Set(0, 1, -1, 0);
            Set(long.MaxValue, 0, 0, 0);

            void Set(long seconds, long nanoseconds, long everySeconds, long everyNanoseconds)
            {
                var spec = new TimerSpec
                {
                    Value = new TimeSpec { Seconds = seconds, Nanoseconds = nanoseconds },
                    Interval = new TimeSpec { Seconds = everySeconds, Nanoseconds = everyNanoseconds },
                };
                probe.Log(kernel.TimerFdSetTime(timer, &spec, 0), $"settime({seconds} s {nanoseconds}, {everySeconds} s {everyNanoseconds})");
            }
        });

    [Theory]
    [InlineData(ClockId.Monotonic)]
    [InlineData(ClockId.Realtime)]
    public void A_moment_that_has_passed_fires_at_once_with_all_its_periods(ClockId clock)
        => TwoKernels.Agree(probe =>
        {
            Kernel kernel = probe.Kernel;
            int timer = probe.Keep(kernel.TimerFdCreate(clock), "timer");
            int epoll = probe.Epoll();
            probe.Add(epoll, timer, EpollEvents.In | EpollEvents.EdgeTriggered);
            SetPast(950, 300);
            probe.Poll(timer);
            probe.Events(epoll, "a time in the past");
            Ticks();
            SetPast(950, 0);
            Ticks();
            Ticks();
            SetPast(950, 300);
            probe.Events(epoll, "another");
            TimerSpec spec;
            probe.Log(kernel.TimerFdGetTime(timer, &spec), "gettime");
            probe.Note($"period {spec.Interval.ToNanoseconds()}, {(spec.Value.ToNanoseconds() is > 0 and <= 300 * Millisecond ? "time left" : "no time left")}");
            Ticks();
            SetPast(950, 300);
            spec = new TimerSpec { Value = TimeSpec.FromNanoseconds(0), Interval = TimeSpec.FromNanoseconds(5) };
            probe.Log(kernel.TimerFdSetTime(timer, &spec, 0), "disarming");
            probe.Events(epoll, "disarming");
            probe.Poll(timer);
            Ticks();
            probe.Log(kernel.TimerFdGetTime(timer, &spec), "gettime");
            probe.Note($"period {spec.Interval.ToNanoseconds()}, left {spec.Value.ToNanoseconds()}");
            SetPast(950, 300);
            probe.ReadNowhere(timer, 8);
            Ticks();
            kernel.Close(epoll);

            void SetPast(long ago, long period)
            {
                var spec = new TimerSpec
                {
                    Value = TimeSpec.FromNanoseconds(kernel.ClockGetTime(clock) - ago * Millisecond),
                    Interval = TimeSpec.FromNanoseconds(period * Millisecond),
                };
                probe.Log(kernel.TimerFdSetTime(timer, &spec, TimerFdSetFlags.Absolute), $"settime({ago} ms ago, every {period} ms)");
            }

            void Ticks()
            {
                ulong ticks = 0;
                nint result = kernel.Read(timer, &ticks, 8);
                probe.Note($"read = {Probe.Show(result)}, {ticks} ticks");
            }
        });

    [Fact]
    public void A_blocking_read_wakes_at_the_time_and_not_before()
        => Simulate(kernel =>
        {
            int timer = kernel.TimerFdCreate(ClockId.Monotonic);
            Assert.Equal(0, kernel.Fcntl(timer, FcntlCommand.SetStatusFlags, 0));
            long start = kernel.ClockGetTime(ClockId.Monotonic);
            Set(kernel, timer, 10 * Millisecond, 4 * Millisecond);
            Assert.Equal(1ul, Ticks(kernel, timer));
            Assert.Equal(10 * Millisecond, kernel.ClockGetTime(ClockId.Monotonic) - start);
            Assert.Equal(1ul, Ticks(kernel, timer));
            Assert.Equal(14 * Millisecond, kernel.ClockGetTime(ClockId.Monotonic) - start);
        });

    [Fact]
    public void A_day_of_an_unread_period_of_a_millisecond_is_one_event()
        => Simulate(kernel =>
        {
            World world = kernel.World;
            int timer = kernel.TimerFdCreate(ClockId.Monotonic), epoll = kernel.EpollCreate1(FileFlags.CloseOnExec);
            byte* entry = stackalloc byte[16];
            EpollEventLayout.Set(entry, 0, EpollEvents.In | EpollEvents.EdgeTriggered, 1);
            Assert.Equal(0, kernel.EpollCtl(epoll, EpollOp.Add, timer, entry));
            Set(kernel, timer, Millisecond, Millisecond);
            Assert.Equal(1, kernel.EpollWait(epoll, entry, 1, -1));
            long steps = world.Log.Count;
            Assert.Equal(0, kernel.EpollWait(epoll, entry, 1, 86_400_000));
            Assert.InRange(world.Log.Count - steps, 0, 2);
            Assert.Equal(86_400_001ul, Ticks(kernel, timer));
            Assert.Equal(1, kernel.EpollWait(epoll, entry, 1, -1)); // armed again
        });

    [Fact]
    public void Closing_it_takes_its_event_along()
        => Simulate(kernel =>
        {
            int timer = kernel.TimerFdCreate(ClockId.Monotonic);
            Set(kernel, timer, Millisecond, 0);
            kernel.Close(timer);
            Assert.Equal(World.Never, kernel.World.Clock.NextTime);
        });

    private static void Set(Kernel kernel, int timer, long first, long period)
    {
        var spec = new TimerSpec { Value = TimeSpec.FromNanoseconds(first), Interval = TimeSpec.FromNanoseconds(period) };
        Assert.Equal(0, kernel.TimerFdSetTime(timer, &spec, 0));
    }

    private static ulong Ticks(Kernel kernel, int timer)
    {
        ulong ticks;
        Assert.Equal(8, kernel.Read(timer, &ticks, 8));
        return ticks;
    }

    private static void Simulate(Action<SimKernel> body) => Threads.Simulate(1, kernel => [() => body(kernel)]);
}
