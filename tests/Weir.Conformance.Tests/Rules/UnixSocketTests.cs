namespace Weir.Conformance.Rules;

/// <summary>Unix stream sockets.</summary>
public sealed class UnixSocketTests : ConformanceTests
{
    private const EpollEvents All = In | Pri | Out | RdHup;

    // What net.core.wmem_default is where nobody has changed it; half of it as setsockopt takes it, for that doubles the value.
    private const int DefaultSendBuffer = 212_992;

    [Fact, Rule(68)]
    public void A_fresh_pair_is_writable() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, All);
        m.Wait(set).Is((a, Out));
        m.Poll(b).Is(Out);
    });

    [Fact, Rule(68)]
    public void An_unconnected_socket_is_writable_and_hung_up() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.UnixSocket();
        m.Add(set, fd, All);
        m.Wait(set).Is((fd, Out | Hup));
    });

    [Fact, Rule(68)]
    public void A_listener_is_readable_when_somebody_connects_and_never_writable() => Run(m =>
    {
        Fd set = m.Epoll(), listener = m.UnixListener(4), client = m.UnixSocket();
        m.Add(set, listener, All);
        m.Wait(set).IsEmpty();
        m.Connect(client, listener).Is(0);
        m.Wait(set).Is((listener, In));
        m.Poll(client).Is(Out);
        Fd server = m.Accept(listener);
        m.Wait(set).IsEmpty();
        m.Poll(server).Is(Out);
    });

    [Fact, Rule(69)]
    public void The_writer_hears_of_each_message_that_is_consumed() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, Out | EdgeTriggered);
        m.Wait(set).Is((a, Out));
        m.Write(a, 10).Is(10);
        m.Write(a, 10).Is(10);
        m.Wait(set).IsEmpty();
        m.Read(b, 9).Is(9);
        m.Wait(set).IsEmpty(); // a part of it
        m.Receive(b, 20, MessageFlags.Peek).Is(11);
        m.Wait(set).IsEmpty(); // only looked at
        m.Read(b, 1).Is(1);
        m.Wait(set).Is((a, Out)); // though another message is queued
        m.Read(b, 10).Is(10);
        m.Wait(set).Is((a, Out));
    });

    [Fact, Rule(69)]
    public void But_not_while_more_than_a_quarter_of_the_buffer_is_used() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.SetOption(a, SocketOption.SocketSendBuffer, 8192).Is(0);
        m.Add(set, a, Out | EdgeTriggered);
        m.Wait(set).Is((a, Out));
        int queued = 0;
        while (m.Write(a).Value == 1)
            queued++;
        m.Wait(set).IsEmpty();
        int read = 0;
        for (bool writable = false; !writable; read++)
        {
            m.Read(b).Is(1);
            writable = m.Wait(set).Events.Count > 0;
        }

        m.Expect(read > queued / 2 && read < queued, "most had to be read, and not all");
        m.Read(b).Is(1);
        m.Wait(set).Is((a, Out));
    });

    [Fact, Rule(70)]
    public void The_default_buffer_takes_278_single_bytes_and_shows_room_below_70() => Run(m =>
    {
        (Fd a, Fd b) = m.SocketPair();
        m.SetOption(a, SocketOption.SocketSendBuffer, DefaultSendBuffer / 2).Is(0);
        m.GetOption(a, SocketOption.SocketSendBuffer).Is(DefaultSendBuffer);
        for (int i = 0; i < 70; i++)
        {
            m.Poll(a).Is(Out);
            m.Write(a).Is(1);
        }

        m.Poll(a).Is(0);
        for (int i = 70; i < 278; i++)
            m.Write(a).Is(1);
        m.Write(a).Is(EAGAIN);
        for (int i = 0; i < 209; i++)
        {
            m.Poll(a).Is(0);
            m.Read(b).Is(1);
        }

        m.Poll(a).Is(Out);
    });

    [Fact, Rule(70)]
    public void Long_writes_are_cut_into_buffers_of_36544_bytes() => Run(m =>
    {
        const int buffer = 36_544;
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.SetOption(a, SocketOption.SocketSendBuffer, DefaultSendBuffer / 2).Is(0);
        m.Add(set, a, Out | EdgeTriggered);
        m.Wait(set).Is((a, Out));
        m.Write(a, 2 * buffer).Is(2 * buffer);
        m.Poll(a).Is(0);
        m.Read(b, buffer - 1).Is(buffer - 1);
        m.Wait(set).IsEmpty();
        m.Read(b, 1).Is(1);
        m.Wait(set).Is((a, Out));
        m.Read(b, buffer - 1).Is(buffer - 1);
        m.Wait(set).IsEmpty();
        m.Read(b, 1).Is(1);
        m.Wait(set).Is((a, Out));
    });

    [Fact, Rule(70)]
    public void A_write_that_does_not_fit_is_taken_in_part() => Run(m =>
    {
        (Fd a, Fd b) = m.SocketPair();
        m.SetOption(a, SocketOption.SocketSendBuffer, DefaultSendBuffer / 2).Is(0);
        Outcome taken = m.Write(a, 400_000);
        m.Expect(taken.Value is > 200_000 and < 400_000, "in part");
        m.Write(a).Is(EAGAIN);
        m.Drain(b).Is(taken.Value);
    });

    [Fact, Rule(71)]
    public void A_peer_that_has_closed_is_a_hang_up_in_both_directions() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, All | EdgeTriggered);
        m.Wait(set).Is((a, Out));
        m.Write(b, 3).Is(3);
        m.Close(b);
        m.Wait(set).Is((a, In | Out | RdHup | Hup));
        m.Write(a).Is(EPIPE);
        m.Read(a, 2).Is(2);
        m.Read(a, 2).Is(1);
        m.Read(a, 2).Is(0);
        m.Poll(a).Is(In | Out | RdHup | Hup);
    });

    [Fact, Rule(71)]
    public void A_peer_that_has_closed_without_reading_all_is_an_error_too() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, All | EdgeTriggered);
        m.Write(a, 3).Is(3);
        m.Write(b, 3).Is(3);
        m.Read(b, 1).Is(1);
        m.Close(b);
        m.Wait(set).Is((a, In | Out | RdHup | Hup | Err));
        m.Read(a, 8).Is(3);
        m.Poll(a).Is(In | Out | RdHup | Hup | Err);
        m.Read(a, 8).Is(ECONNRESET);
        m.Poll(a).Is(In | Out | RdHup | Hup);
        m.Read(a, 8).Is(0);
        m.Write(a).Is(EPIPE);
    });

    [Fact, Rule(72)]
    public void Ending_ones_writing_is_an_edge_for_oneself_and_an_end_for_the_peer() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, All | EdgeTriggered);
        m.Add(set, b, All | EdgeTriggered);
        m.Wait(set).Is((a, Out), (b, Out));
        m.Shutdown(a, ShutdownHow.Write).Is(0);
        m.Wait(set).Is((a, Out), (b, In | Out | RdHup));
        m.Write(a).Is(EPIPE);
        m.Write(b).Is(1); // the other direction lives
        m.Wait(set).Is((a, In | Out));
        m.Shutdown(a, ShutdownHow.Write).Is(0);
        m.Wait(set).Is((a, In | Out), (b, In | Out | RdHup));
        m.Shutdown(b, ShutdownHow.Write).Is(0);
        m.Wait(set).Is((b, In | Out | RdHup | Hup), (a, In | Out | RdHup | Hup));
        m.Read(a, 8).Is(1);
        m.Read(a, 8).Is(0);
        m.Read(b, 8).Is(0);
    });

    [Fact, Rule(72)]
    public void Ending_both_directions_is_a_hang_up_for_both() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, All | EdgeTriggered);
        m.Add(set, b, All | EdgeTriggered);
        m.Wait(set).Is((a, Out), (b, Out));
        m.Shutdown(a, ShutdownHow.Both).Is(0);
        m.Wait(set).Is((a, In | Out | RdHup | Hup), (b, In | Out | RdHup | Hup));
        m.Shutdown(a, ShutdownHow.Both).Is(0);
        m.Wait(set).Is((a, In | Out | RdHup | Hup), (b, In | Out | RdHup | Hup));
        m.Write(b).Is(EPIPE);
        m.Read(b).Is(0);
    });

    [Fact, Rule(73)]
    public void Ending_ones_reading_is_an_end_for_oneself_and_breaks_the_peers_writing() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Write(b, 2).Is(2);
        m.Add(set, a, All | EdgeTriggered);
        m.Add(set, b, All | EdgeTriggered);
        m.Wait(set).Is((a, In | Out), (b, Out));
        m.Shutdown(a, ShutdownHow.Read).Is(0);
        m.Wait(set).Is((a, In | Out | RdHup), (b, Out));
        m.Write(b).Is(EPIPE);
        m.Read(a, 8).Is(2); // what was there
        m.Read(a, 8).Is(0);
        m.Write(a).Is(1);
        m.Read(b).Is(1);
    });

    [Fact, Rule(74)]
    public void A_listener_gets_an_edge_for_each_connect_and_none_on_accept() => Run(m =>
    {
        Fd set = m.Epoll(), listener = m.UnixListener(4);
        m.Add(set, listener, All | EdgeTriggered);
        for (int i = 0; i < 3; i++)
        {
            m.Connect(m.UnixSocket(), listener).Is(0);
            m.Wait(set).Is((listener, In));
            m.Wait(set).IsEmpty();
        }

        m.Accept(listener);
        m.Wait(set).IsEmpty();
        m.Poll(listener).Is(In);
        m.Accept(listener);
        m.Accept(listener);
        m.Accept(listener, out Outcome none);
        none.Is(EAGAIN);
        m.Wait(set).IsEmpty();
    });

    [Theory, Rule(74)]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void A_backlog_of_n_admits_one_more(int backlog) => Run(m =>
    {
        Fd listener = m.UnixListener(backlog);
        for (int i = 0; i < backlog + 1; i++)
            m.Connect(m.UnixSocket(), listener).Is(0);
        Fd late = m.UnixSocket();
        m.Connect(late, listener).Is(EAGAIN);
        m.Poll(late).Is(Out | Hup);
        m.Accept(listener);
        m.Connect(late, listener).Is(0);
        m.Poll(late).Is(Out);
    });

    [Fact, Rule(74)]
    public void Closing_a_listener_is_an_error_for_a_client_that_waits() => Run(m =>
    {
        Fd set = m.Epoll(), listener = m.UnixListener(4), client = m.UnixSocket();
        m.Connect(client, listener).Is(0);
        m.Add(set, client, All | EdgeTriggered);
        m.Wait(set).Is((client, Out));
        m.Close(listener);
        m.Wait(set).Is((client, In | Out | RdHup | Hup | Err));
        m.Read(client).Is(ECONNRESET);
        m.Read(client).Is(0);
        m.Write(client).Is(EPIPE);
        m.Connect(m.UnixSocket(), listener).Is(ECONNREFUSED);
    });

    [Fact, Rule(75)]
    public void A_low_watermark_is_ignored_by_poll() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.SetOption(a, SocketOption.SocketReceiveLowWatermark, 100).Is(0);
        m.Add(set, a, In);
        m.Write(b, 3).Is(3);
        m.Wait(set).Is((a, In));
        m.Read(a, 100).Is(3);
    });

    [Fact, Rule(75)]
    public void Raising_the_send_buffer_is_an_edge() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, _) = m.SocketPair();
        m.SetOption(a, SocketOption.SocketSendBuffer, 4096).Is(0);
        m.Add(set, a, Out | EdgeTriggered);
        m.Wait(set).Is((a, Out));
        m.SetOption(a, SocketOption.SocketSendBuffer, 65_536).Is(0);
        m.Wait(set).Is((a, Out));
    });

    [Fact, Rule("86a")]
    public void A_read_stops_after_a_message_with_a_descriptor_though_more_is_queued() => Run(m =>
    {
        Fd set = m.Epoll(), passed = m.EventFd();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, b, In | EdgeTriggered);
        m.Write(a, 2).Is(2);
        m.SendDescriptor(a, 3, passed).Is(3);
        m.Write(a, 4).Is(4);
        m.Wait(set).Is((b, In));
        m.Read(b, 100).Is(5); // what lies before is joined to it
        m.Wait(set).IsEmpty();
        m.Poll(b).Is(In | Out);
        m.Read(b, 100).Is(4);
        m.Read(b, 100).Is(EAGAIN);
    });

    [Fact, Rule("86b")]
    public void A_sender_gets_an_event_for_every_message() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, Out | EdgeTriggered);
        m.Wait(set).Is((a, Out));
        for (int i = 0; i < 5; i++)
        {
            m.Write(a, 100).Is(100);
            m.Wait(set).IsEmpty();
            m.Read(b, 100).Is(100);
            m.Wait(set).Is((a, Out)); // when it is consumed
        }
    });
}
