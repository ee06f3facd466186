namespace Weir.Conformance.Scenarios;

/// <summary>Threads that block in a wait: each once edge-triggered and once level-triggered.</summary>
public sealed class BlockingScenarios : ConformanceTests
{
    private const EpollEvents Level = 0;
    private const EpollEvents All = In | Out | RdHup;

    public static TheoryData<EpollEvents> Modes => [EdgeTriggered, Level];

    [Theory, MemberData(nameof(Modes))]
    public void A_wait_times_out(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In | mode);
        long start = m.Now;
        m.Wait(set, 10).IsEmpty();
        m.ExpectNotEarly(start, 10);
    });

    [Theory, MemberData(nameof(Modes))]
    public void An_event_ends_a_wait(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, All & ~Out | mode);
        MachineThread thread = m.StartBlocked("waiter", () => m.Wait(set, Machine.Forever).Is((a, In)));
        m.Write(b, 5).Is(5);
        m.Join(thread);
    });

    [Theory, MemberData(nameof(Modes))]
    public void An_event_after_a_timeout_is_found_by_the_next_wait(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, All & ~Out | mode);
        m.Wait(set, 5).IsEmpty();
        m.Write(b, 5).Is(5);
        m.Wait(set, Machine.Forever).Is((a, In));
    });

    [Theory, MemberData(nameof(Modes))]
    public void What_happened_before_the_event_is_seen_after_it(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        int value = 0;
        m.Add(set, fd, In | mode);
        MachineThread thread = m.StartBlocked("waiter", () =>
        {
            m.Wait(set, Machine.Forever).Is((fd, In));
            m.Expect(value == 42, "the value is seen");
        });
        value = 42;
        m.WriteCount(fd);
        m.Join(thread);
    });

    [Theory, MemberData(nameof(Modes))]
    public void A_new_interest_wakes_a_waiter(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, In | mode);
        MachineThread thread = m.StartBlocked("waiter", () => m.Wait(set, Machine.Forever).Is((b, Out)));
        m.Add(set, b, All | mode);
        m.Join(thread);
        m.Del(set, b);
        thread = m.StartBlocked("again", () => m.Wait(set, Machine.Forever).Is((a, Out)));
        m.Mod(set, a, In | Out | mode);
        m.Join(thread);
    });

    [Theory, MemberData(nameof(Modes))]
    public void Two_events_wake_two_threads(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), a = m.EventFd(), b = m.EventFd();
        m.Add(set, a, In | OneShot | mode); // so that one event is nobody's but its receiver's
        m.Add(set, b, In | OneShot | mode);
        MachineThread first = m.StartBlocked("first", () => m.Wait(set, Machine.Forever, max: 1).Is((b, In)));
        MachineThread second = m.StartBlocked("second", () => m.Wait(set, Machine.Forever, max: 1).Is((a, In)));
        m.WriteCount(a);
        m.Join(second);
        m.ExpectBlocked(first);
        m.WriteCount(b);
        m.Join(first);
    });

    [Theory, MemberData(nameof(Modes))]
    public void A_set_may_be_closed_under_its_waiter(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, In | mode);
        MachineThread thread = m.StartBlocked("waiter", () => m.Wait(set, Machine.Forever).Is((a, In)));
        m.Close(set);
        m.ExpectBlocked(thread);
        m.Write(b).Is(1);
        m.Join(thread);
    });

    [Theory, MemberData(nameof(Modes))]
    public void A_pair_may_be_closed_under_a_waiter(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, In | RdHup | mode);
        MachineThread thread = m.StartBlocked("waiter", () => m.Wait(set, Machine.Forever).Is((a, In | RdHup | Hup)));
        m.Close(b);
        m.Join(thread);
        m.Close(a);
        m.Wait(set).IsEmpty();
    });

    [Theory, MemberData(nameof(Modes))]
    public void Closing_a_watched_descriptor_lets_the_wait_time_out(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In | mode);
        long start = m.Now;
        MachineThread thread = m.Start("waiter", () => m.Wait(set, 200).IsEmpty());
        m.UntilQuiet(); // waits, or has waited already
        m.Close(fd);
        m.Join(thread);
        m.ExpectNotEarly(start, 200);
    });

    [Fact]
    public void One_edge_wakes_one_of_two_threads() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In | EdgeTriggered);
        MachineThread first = m.StartBlocked("first", () => m.Wait(set, Machine.Forever).Is((fd, In)));
        MachineThread second = m.StartBlocked("second", () => m.Wait(set, Machine.Forever).Is((fd, In)));
        m.WriteCount(fd);
        m.Join(second);
        m.ExpectBlocked(first);
        m.WriteCount(fd);
        m.Join(first);
    });
}
