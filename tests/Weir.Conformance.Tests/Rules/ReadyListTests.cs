namespace Weir.Conformance.Rules;

/// <summary>The order in which events come, and which do.</summary>
public sealed class ReadyListTests : ConformanceTests
{
    private const EpollEvents Level = 0;

    [Theory, Rule(21)]
    [InlineData(EdgeTriggered)]
    [InlineData(Level)]
    public void First_ready_first_served(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), a = m.EventFd(), b = m.EventFd(), c = m.EventFd();
        foreach (Fd fd in (Fd[])[a, b, c])
            m.Add(set, fd, In | mode);
        m.WriteCount(c);
        m.WriteCount(a);
        m.WriteCount(b);
        m.WriteCount(c); // is in its place already
        m.Wait(set).Is((c, In), (a, In), (b, In));
    });

    [Fact, Rule(21)]
    public void Adding_a_ready_descriptor_appends_it() => Run(m =>
    {
        Fd set = m.Epoll(), a = m.EventFd(), b = m.EventFd(1), c = m.EventFd(1);
        m.Add(set, c, In);
        m.Add(set, a, In);
        m.WriteCount(a);
        m.Add(set, b, In);
        m.Wait(set).Is((c, In), (a, In), (b, In));
    });

    [Fact, Rule(22)]
    public void What_is_reported_is_what_holds_at_the_wait() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, In | Out | RdHup | EdgeTriggered);
        m.Write(b);
        m.Read(a);
        m.Wait(set).Is((a, Out));
        m.Write(b);
        m.Close(b);
        m.Wait(set).Is((a, In | Out | RdHup | Hup));
    });

    [Fact, Rule(22)]
    public void The_interest_and_the_data_are_those_of_the_newest_change() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, In | Out, 1);
        m.Write(b);
        m.Mod(set, a, In, 2);
        m.Wait(set).Is((2, In));
        m.Mod(set, a, Out, 3);
        m.Wait(set).Is((3, Out));
    });

    [Theory, Rule(22)]
    [InlineData(EdgeTriggered)]
    [InlineData(Level)]
    public void An_item_that_is_no_longer_ready_is_dropped_silently(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), a = m.EventFd(), b = m.EventFd();
        m.Add(set, a, In | mode);
        m.Add(set, b, In | mode);
        m.WriteCount(a);
        m.WriteCount(b);
        m.ReadCount(a).Is(1);
        m.Wait(set).Is((b, In));
        // It has lost its place, too.
        m.WriteCount(a);
        m.Wait(set).Is(mode == Level ? [(b, In), (a, In)] : [(a, In)]);
    });

    [Fact, Rule(23)]
    public void Items_not_scanned_stay_in_front_of_level_triggered_ones_that_were() => Run(m =>
    {
        Fd set = m.Epoll(), a = m.EventFd(1), b = m.EventFd(1), c = m.EventFd(1), d = m.EventFd();
        foreach (Fd fd in (Fd[])[a, b, c, d])
            m.Add(set, fd, In);
        m.Wait(set, max: 1).Is((a, In));
        m.WriteCount(d);
        m.Wait(set).Is((b, In), (c, In), (a, In), (d, In));
        m.Wait(set, max: 3).Is((b, In), (c, In), (a, In));
        m.Wait(set).Is((d, In), (b, In), (c, In), (a, In));
    });

    [Fact, Rule(24)]
    public void With_room_for_two_three_take_turns() => Run(m =>
    {
        Fd set = m.Epoll(), a = m.EventFd(1), b = m.EventFd(1), c = m.EventFd(1);
        foreach (Fd fd in (Fd[])[a, b, c])
            m.Add(set, fd, In);
        m.Wait(set, max: 2).Is((a, In), (b, In));
        m.Wait(set, max: 2).Is((c, In), (a, In));
        m.Wait(set, max: 2).Is((b, In), (c, In));
        m.Wait(set, max: 2).Is((a, In), (b, In));
    });

    [Fact, Rule(25)]
    public void Modifying_keeps_the_place() => Run(m =>
    {
        Fd set = m.Epoll(), a = m.EventFd(1), b = m.EventFd(1), c = m.EventFd(1);
        foreach (Fd fd in (Fd[])[a, b, c])
            m.Add(set, fd, In | EdgeTriggered);
        m.Mod(set, a, In);
        m.Mod(set, b, In | EdgeTriggered);
        m.Wait(set).Is((a, In), (b, In), (c, In));
    });

    [Fact, Rule(25)]
    public void Removing_and_adding_goes_to_the_end() => Run(m =>
    {
        Fd set = m.Epoll(), a = m.EventFd(1), b = m.EventFd(1), c = m.EventFd(1);
        foreach (Fd fd in (Fd[])[a, b, c])
            m.Add(set, fd, In | EdgeTriggered);
        m.Del(set, a);
        m.Add(set, a, In | EdgeTriggered);
        m.Wait(set).Is((b, In), (c, In), (a, In));
    });

    [Fact, Rule(25)]
    public void Removing_takes_an_item_off_the_list() => Run(m =>
    {
        Fd set = m.Epoll(), a = m.EventFd(1), b = m.EventFd(1);
        m.Add(set, a, In | EdgeTriggered);
        m.Add(set, b, In | EdgeTriggered);
        m.Del(set, a);
        m.Wait(set).Is((b, In));
        m.WriteCount(a);
        m.Wait(set).IsEmpty();
    });

    [Fact, Rule(26)]
    public void A_stale_item_does_not_cut_a_wait_short() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1);
        m.Add(set, fd, In);
        m.Wait(set).Is((fd, In)); // queued again behind the caller's back
        m.ReadCount(fd).Is(1);
        long start = m.Now;
        m.Wait(set, 20).IsEmpty();
        m.ExpectNotEarly(start, 20);
    });

    [Fact, Rule(26)]
    public void A_stale_item_does_not_end_a_wait_for_ever() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1);
        m.Add(set, fd, In);
        m.Wait(set).Is((fd, In));
        m.ReadCount(fd).Is(1);
        MachineThread thread = m.StartBlocked("waiter", () => m.Wait(set, Machine.Forever).Is((fd, In)));
        m.WriteCount(fd, 0); // a wake, and still nothing to read
        m.ExpectBlocked(thread);
        m.WriteCount(fd);
        m.Join(thread);
    });

    [Theory, Rule(27)]
    [InlineData(EdgeTriggered)]
    [InlineData(Level)]
    public void One_wake_queues_the_registrations_of_a_file_in_reverse_order(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        Fd second = m.Dup(fd), third = m.Dup(fd);
        m.Add(set, fd, In | mode);
        m.Add(set, second, In | mode);
        m.Add(set, third, In | mode);
        m.WriteCount(fd);
        m.Wait(set).Is((third, In), (second, In), (fd, In));
    });

    [Fact, Rule(28)]
    public void A_wake_for_something_else_queues_nothing() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, Out | EdgeTriggered);
        m.Wait(set).Is((a, Out));
        m.Write(b);
        m.Wait(set).IsEmpty();
        Fd counter = m.EventFd(5, semaphore: true);
        m.Add(set, counter, In | EdgeTriggered);
        m.Wait(set).Is((counter, In));
        m.ReadCount(counter).Is(1);
        m.Wait(set).IsEmpty();
    });

    [Fact, Rule(28)]
    public void A_change_of_state_queues_whatever_the_interest() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, Out | EdgeTriggered);
        m.Wait(set).Is((a, Out));
        m.Shutdown(b, ShutdownHow.Write);
        m.Wait(set).Is((a, Out));
        (Fd read, Fd write) = m.Pipe();
        m.Add(set, read, Pri | EdgeTriggered);
        m.Close(write);
        m.Wait(set).Is((read, Hup));
    });
}
