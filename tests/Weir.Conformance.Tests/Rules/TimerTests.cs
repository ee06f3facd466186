namespace Weir.Conformance.Rules;

/// <summary>timerfd.</summary>
public sealed unsafe class TimerTests : ConformanceTests
{
    private const int Hour = 3_600_000;

    [Fact, Rule(59)]
    public void A_timer_is_readable_when_it_has_fired_and_never_writable() => Run(m =>
    {
        Fd set = m.Epoll(), timer = m.TimerFd();
        m.Add(set, timer, In | Out | EdgeTriggered);
        m.Poll(timer).Is(0);
        m.ReadCount(timer).Is(EAGAIN);
        long start = m.Now;
        m.Arm(timer, 100).Is(0);
        m.Wait(set).IsEmpty();
        m.Wait(set, Machine.Forever).Is((timer, In));
        m.ExpectNotEarly(start, 100);
        m.Poll(timer).Is(In);
        m.ReadCount(timer).Is(1);
        m.Poll(timer).Is(0);
        m.ReadCount(timer).Is(EAGAIN);
    });

    [Fact, Rule(59)]
    public void A_timer_is_not_written_and_is_read_in_8_bytes() => Run(m =>
    {
        Fd timer = m.TimerFd();
        m.WriteCount(timer).Is(EINVAL);
        m.Write(timer, 1).Is(EINVAL);
        m.Read(timer, 7).Is(EINVAL);
    });

    [Fact, Rule(60)]
    public void A_periodic_timer_gives_one_edge_until_it_is_read() => Run(m =>
    {
        Fd set = m.Epoll(), timer = m.TimerFd();
        m.Add(set, timer, In | EdgeTriggered);
        m.Arm(timer, 5, 5).Is(0);
        m.Wait(set, Machine.Forever).Is((timer, In));
        m.Sleep(30);
        m.Wait(set).IsEmpty();
        m.Expect(m.Ticks(timer) >= 6, "all ticks are read");
        m.Wait(set, Machine.Forever).Is((timer, In));
        m.Sleep(20);
        m.Wait(set).IsEmpty();
    });

    [Fact, Rule(60)]
    public void Asking_a_periodic_timer_for_its_time_lets_it_give_an_edge_again() => Run(m =>
    {
        Fd set = m.Epoll(), timer = m.TimerFd();
        m.Add(set, timer, In | EdgeTriggered);
        m.Arm(timer, 5, 5).Is(0);
        m.Wait(set, Machine.Forever).Is((timer, In));
        m.Sleep(20);
        m.Wait(set).IsEmpty();
        m.GetTime(timer).Is(0);
        m.Wait(set, Machine.Forever).Is((timer, In));
        m.Wait(set, 20).IsEmpty();
        m.Expect(m.Ticks(timer) >= 8, "all ticks are read");
    });

    [Fact, Rule(61)]
    public void Setting_a_timer_again_forgets_what_has_passed() => Run(m =>
    {
        Fd set = m.Epoll(), timer = m.TimerFd();
        m.Add(set, timer, In);
        m.Arm(timer, 1).Is(0);
        m.Wait(set, Machine.Forever).Is((timer, In));
        m.Arm(timer, Hour).Is(0);
        m.Wait(set).IsEmpty();
        m.ReadCount(timer).Is(EAGAIN);
    });

    [Fact, Rule(61)]
    public void A_time_of_0_disarms() => Run(m =>
    {
        Fd set = m.Epoll(), timer = m.TimerFd();
        m.Add(set, timer, In);
        m.Arm(timer, 30).Is(0);
        m.Arm(timer, 0).Is(0);
        m.Wait(set, 60).IsEmpty();
        m.Arm(timer, 1).Is(0);
        m.Wait(set, Machine.Forever).Is((timer, In));
        m.Arm(timer, 0, 5).Is(0); // a period makes no difference
        m.Wait(set, 20).IsEmpty();
        m.ReadCount(timer).Is(EAGAIN);
    });

    [Fact, Rule(62)]
    public void A_moment_in_the_past_fires_at_once() => Run(m =>
    {
        Fd set = m.Epoll(), timer = m.TimerFd();
        m.Add(set, timer, In);
        m.Sleep(60);
        m.ArmInThePast(timer, 50).Is(0);
        m.Wait(set, Machine.Forever).Is((timer, In));
        m.ReadCount(timer).Is(1);
        m.Wait(set, 20).IsEmpty();
    });

    [Fact, Rule(62)]
    public void A_moment_in_the_past_counts_the_periods_since() => Run(m =>
    {
        Fd set = m.Epoll(), timer = m.TimerFd();
        m.Add(set, timer, In);
        m.Sleep(60);
        m.ArmInThePast(timer, 50, 5).Is(0);
        m.Wait(set, Machine.Forever).Is((timer, In));
        m.Expect(m.Ticks(timer) >= 11, "the periods that have passed count");
    });

    [Fact, Rule(62)]
    public void Times_flags_and_clocks_that_are_none_are_refused() => Run(m =>
    {
        Fd timer = m.TimerFd();
        Set(new TimerSpec { Value = new TimeSpec { Nanoseconds = 1_000_000_000 } }, "1000000000 ns", TimerFdSetFlags.None);
        Set(new TimerSpec { Value = new TimeSpec { Nanoseconds = -1 } }, "-1 ns", TimerFdSetFlags.None);
        Set(new TimerSpec { Value = new TimeSpec { Seconds = -1 } }, "-1 s", TimerFdSetFlags.None);
        Set(new TimerSpec { Value = new TimeSpec { Seconds = 1 }, Interval = new TimeSpec { Nanoseconds = 1_000_000_000 } }, "bad period", TimerFdSetFlags.None);
        Set(new TimerSpec { Value = new TimeSpec { Seconds = 1 } }, "1 s", (TimerFdSetFlags)8);
        m.Call("timerfd_create(99)", m.Kernel.TimerFdCreate((ClockId)99)).Is(EINVAL);
        m.Call("timerfd_create(-1)", m.Kernel.TimerFdCreate((ClockId)(-1))).Is(EINVAL);
        Fd counter = m.EventFd();
        m.Arm(counter, 1).Is(EINVAL);
        m.GetTime(counter).Is(EINVAL);

        void Set(TimerSpec spec, string what, TimerFdSetFlags flags)
            => m.Call($"timerfd_settime({what}, flags {(int)flags})", m.Kernel.TimerFdSetTime(timer.Number, &spec, flags)).Is(EINVAL);
    });
}
