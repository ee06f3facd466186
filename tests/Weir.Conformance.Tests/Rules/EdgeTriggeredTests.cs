namespace Weir.Conformance.Rules;

/// <summary>Edges as Linux has them.</summary>
public sealed class EdgeTriggeredTests : ConformanceTests
{
    [Fact, Rule(29)]
    public void Every_write_to_a_counter_is_an_edge() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In | EdgeTriggered);
        for (int i = 0; i < 3; i++)
        {
            m.WriteCount(fd);
            m.Wait(set).Is((fd, In));
            m.Wait(set).IsEmpty();
        }
    });

    [Fact, Rule(29)]
    public void Every_write_to_a_pipe_is_an_edge() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd read, Fd write) = m.Pipe();
        m.Add(set, read, In | EdgeTriggered);
        for (int i = 0; i < 3; i++)
        {
            m.Write(write, 3).Is(3);
            m.Wait(set).Is((read, In));
            m.Wait(set).IsEmpty();
        }
    });

    [Theory, Rule(29)]
    [InlineData(SocketKind.Stream)]
    [InlineData(SocketKind.Datagram)]
    [InlineData(SocketKind.SeqPacket)]
    public void Every_write_to_a_unix_socket_is_an_edge(SocketKind kind) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair(kind);
        m.Add(set, a, In | EdgeTriggered);
        for (int i = 0; i < 3; i++)
        {
            m.Write(b, 3).Is(3);
            m.Wait(set).Is((a, In));
            m.Wait(set).IsEmpty();
        }
    });

    [Fact, Rule(30)]
    public void The_whole_mask_is_reported_and_not_what_changed() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, In | Out | RdHup | EdgeTriggered);
        m.Wait(set).Is((a, Out));
        m.Write(b);
        m.Wait(set).Is((a, In | Out));
        m.Shutdown(b, ShutdownHow.Write);
        m.Wait(set).Is((a, In | Out | RdHup));
        m.Close(b);
        m.Wait(set).Is((a, In | Out | RdHup | Hup));
    });

    [Fact, Rule(31)]
    public void Several_wakes_become_one_event() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In | EdgeTriggered);
        for (int i = 0; i < 5; i++)
            m.WriteCount(fd);
        m.Wait(set).Is((fd, In));
        m.Wait(set).IsEmpty();
        m.ReadCount(fd).Is(5);
    });

    [Fact, Rule(31)]
    public void An_edge_that_has_vanished_is_not_reported() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In | EdgeTriggered);
        m.WriteCount(fd);
        m.ReadCount(fd).Is(1);
        m.Wait(set).IsEmpty();
        m.WriteCount(fd);
        m.Wait(set).Is((fd, In));
    });

    [Fact, Rule(32)]
    public void Modifying_arms_what_is_ready_again() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1);
        m.Add(set, fd, In | EdgeTriggered);
        m.Wait(set).Is((fd, In));
        m.Wait(set).IsEmpty();
        m.Mod(set, fd, In | EdgeTriggered);
        m.Wait(set).Is((fd, In));
        m.Wait(set).IsEmpty();
        m.ReadCount(fd).Is(1);
        m.Mod(set, fd, In | EdgeTriggered);
        m.Wait(set).IsEmpty();
    });

    [Fact, Rule(32)]
    public void Level_becomes_edge_and_back_by_modifying() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1);
        m.Add(set, fd, In);
        m.Wait(set).Is((fd, In));
        m.Mod(set, fd, In | EdgeTriggered);
        m.Wait(set).Is((fd, In));
        m.Wait(set).IsEmpty();
        m.Mod(set, fd, In);
        m.Wait(set).Is((fd, In));
        m.Wait(set).Is((fd, In));
    });

    [Fact, Rule(33)]
    public void What_there_was_no_room_for_stays_first() => Run(m =>
    {
        Fd set = m.Epoll(), a = m.EventFd(1), b = m.EventFd(1), c = m.EventFd();
        foreach (Fd fd in (Fd[])[a, b, c])
            m.Add(set, fd, In | EdgeTriggered);
        m.Wait(set, max: 1).Is((a, In));
        m.WriteCount(c);
        m.WriteCount(a);
        m.Wait(set).Is((b, In), (c, In), (a, In));
    });

    [Fact, Rule(33)]
    public void What_there_was_no_room_for_is_dropped_if_it_vanishes() => Run(m =>
    {
        Fd set = m.Epoll(), a = m.EventFd(1), b = m.EventFd(1);
        m.Add(set, a, In | EdgeTriggered);
        m.Add(set, b, In | EdgeTriggered);
        m.Wait(set, max: 1).Is((a, In));
        m.ReadCount(b).Is(1);
        m.Wait(set).IsEmpty();
    });

    [Fact, Rule(34)]
    public void Looking_by_poll_or_from_another_set_consumes_nothing() => Run(m =>
    {
        Fd set = m.Epoll(), other = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In | EdgeTriggered);
        m.WriteCount(fd);
        m.Poll(fd).Is(In | Out);
        m.Add(other, fd, In | EdgeTriggered);
        m.Wait(other).Is((fd, In));
        m.Poll(set).Is(In);
        m.Wait(set).Is((fd, In));
        m.Wait(set).IsEmpty();
    });
}
