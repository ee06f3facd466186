namespace Weir.Conformance.Rules;

/// <summary>TCP and UDP over the loopback; compared after everything has arrived.</summary>
public sealed unsafe class NetworkTests : ConformanceTests
{
    private const EpollEvents All = In | Pri | Out | RdHup;
    private const EpollEvents Broken = In | Out | Err | Hup | RdHup;

    [Fact, Rule(76)]
    public void A_fresh_socket_is_writable_and_hung_up_and_a_listener_neither() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.TcpSocket();
        m.Add(set, fd, All);
        m.Wait(set).Is((fd, Out | Hup));
        m.BindToLoopback(fd);
        m.Wait(set).Is((fd, Out | Hup));
        m.Listen(fd, 4).Is(0);
        m.Wait(set).IsEmpty();
        m.Poll(fd).Is(0);
    });

    [Fact, Rule(76)]
    public void A_connected_socket_is_writable() => Run(m =>
    {
        Fd set = m.Epoll(), listener = m.TcpListener(), client = m.TcpSocket();
        m.Add(set, listener, All);
        m.Connect(client, listener).Is(EINPROGRESS);
        m.Settle();
        m.Poll(client).Is(Out);
        m.Wait(set).Is((listener, In));
        Fd server = m.Accept(listener);
        m.Poll(server).Is(Out);
        m.Wait(set).IsEmpty();
    });

    [Fact, Rule(76)]
    public void A_connection_not_yet_made_is_neither() => Run(m =>
    {
        Fd set = m.Epoll(), listener = m.TcpListener(0), client = m.TcpSocket();
        m.Connect(m.TcpSocket(), listener).Is(EINPROGRESS); // fills the backlog
        m.Settle();
        m.Connect(client, listener).Is(EINPROGRESS);
        m.Settle();
        m.Add(set, client, All);
        m.Wait(set).IsEmpty();
        m.Poll(client).Is(0);
        m.Write(client).Is(EAGAIN);
        m.Connect(client, listener).Is(EALREADY);
    });

    [Fact, Rule(77)]
    public void A_refused_connection_reports_everything_and_the_error_once() => Run(m =>
    {
        Fd set = m.Epoll(), nobody = m.TcpSocket(), client = m.TcpSocket();
        m.BindToLoopback(nobody);
        m.Add(set, client, All | EdgeTriggered);
        m.Wait(set).Is((client, Out | Hup));
        m.Connect(client, nobody).Is(EINPROGRESS);
        m.Settle();
        m.Wait(set).Is((client, Broken));
        m.ExpectError(client, ECONNREFUSED);
        m.Poll(client).Is(In | Out | Hup | RdHup);
        m.ExpectError(client, Errno.None);
    });

    [Fact, Rule(78)]
    public void Each_segment_is_an_edge_for_the_receiver() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.Add(set, b, All | EdgeTriggered);
        m.Wait(set).Is((b, Out));
        for (int i = 0; i < 3; i++)
        {
            m.Write(a, 10).Is(10);
            m.Settle();
            m.Wait(set).Is((b, In | Out));
            m.Wait(set).IsEmpty();
        }

        m.Read(b, 100).Is(30);
        m.Wait(set).IsEmpty();
    });

    [Fact, Rule(78)]
    public void A_sender_with_room_hears_nothing_of_what_becomes_of_it() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.Add(set, a, All | EdgeTriggered);
        m.Wait(set).Is((a, Out));
        for (int i = 0; i < 3; i++)
        {
            m.Write(a, 1000).Is(1000);
            m.Settle();
            m.Wait(set).IsEmpty();
            m.Read(b, 1000).Is(1000);
            m.Settle();
            m.Wait(set).IsEmpty();
        }
    });

    [Fact, Rule(78), Rule(79)]
    public void A_sender_without_room_hears_when_there_is_some_again() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.Add(set, a, All | EdgeTriggered);
        m.Wait(set).Is((a, Out));
        m.Saturate(a);
        m.Wait(set).IsEmpty();
        m.Poll(a).Is(0);
        m.Read(b, 1).Is(1);
        m.Settle();
        m.Wait(set).IsEmpty();
        m.Poll(a).Is(0);
        m.ReadToEnd(b);
        m.Wait(set).Is((a, Out));
        m.Wait(set).IsEmpty();
        m.Write(a, 1000).Is(1000);
    });

    [Fact, Rule(79)]
    public void Writable_means_that_at_most_two_thirds_of_the_send_buffer_are_used() => Run(m =>
    {
        // How much fits is each kernel's own: the calls of the loop stay out of the comparison, the rule does not.
        (Fd a, _) = m.TcpPair();
        m.SetOption(a, SocketOption.SocketSendBuffer, 100_000).Is(0);
        byte* bytes = stackalloc byte[2000];
        HashSet<bool> seen = [];
        nint sent;
        do
        {
            (uint used, uint size) before = Memory(), after;
            EpollEvents events;
            while (true)
            {
                var entry = new PollEntry { Descriptor = a.Number, Events = (short)(In | Out) };
                m.Kernel.Poll(&entry, 1, 0);
                events = (EpollEvents)(ushort)entry.Returned;
                after = Memory();
                if (after == before)
                    break;
                before = after; // an acknowledgement came between
            }

            bool room = 3ul * after.used <= 2ul * after.size;
            seen.Add(room);
            if (events != (room ? Out : 0))
                m.Expect(false, $"with {after.used} of {after.size} used it is not {(room ? "" : "not ")}writable");
            sent = m.Kernel.Write(a.Number, bytes, 2000);
        }
        while (sent > 0);
        m.Expect(seen.Count == 2, "both cases occurred");

        (uint Used, uint Size) Memory()
        {
            const SocketOption memoryInfo = (SocketOption)55; // SO_MEMINFO
            const int sendBuffer = 3, queued = 5;
            uint* numbers = stackalloc uint[16];
            uint length = 64;
            int result = m.Kernel.GetSockOpt(a.Number, SocketLevel.Socket, memoryInfo, numbers, &length);
            if (result != 0)
                m.Call("getsockopt(SO_MEMINFO)", result).Is(0);
            return (numbers[queued], numbers[sendBuffer]);
        }
    });

    [Fact, Rule(80)]
    public void The_peers_end_is_readable_and_a_hang_up_only_with_ones_own() => Run(m =>
    {
        Fd setA = m.Epoll(), setB = m.Epoll(); // which side hears first is not part of the rule
        (Fd a, Fd b) = m.TcpPair();
        m.Add(setA, a, All | EdgeTriggered);
        m.Add(setB, b, All | EdgeTriggered);
        m.Wait(setA).Is((a, Out));
        m.Wait(setB).Is((b, Out));
        m.Shutdown(b, ShutdownHow.Write).Is(0);
        m.Settle();
        m.Wait(setA).Is((a, In | Out | RdHup));
        m.Wait(setB).Is((b, Out)); // one's own shutdown is an edge for oneself
        m.Read(a).Is(0);
        m.Write(a).Is(1);
        m.Settle();
        m.Wait(setA).IsEmpty();
        m.Wait(setB).Is((b, In | Out));
        m.Shutdown(a, ShutdownHow.Write).Is(0);
        m.Settle();
        m.Wait(setA).Is((a, In | Out | RdHup | Hup));
        m.Wait(setB).Is((b, In | Out | RdHup | Hup));
        m.Read(b).Is(1);
        m.Read(b).Is(0);
    });

    [Fact, Rule(80)]
    public void A_peer_that_closes_sends_an_end() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.Add(set, a, All | EdgeTriggered);
        m.Wait(set).Is((a, Out));
        m.Close(b);
        m.Settle();
        m.Wait(set).Is((a, In | Out | RdHup));
        m.Read(a).Is(0);
        m.Poll(a).Is(In | Out | RdHup);
    });

    [Fact, Rule(81)]
    public void A_reset_reports_everything() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.Add(set, a, All | EdgeTriggered);
        m.Wait(set).Is((a, Out));
        m.Reset(b);
        m.Settle();
        m.Wait(set).Is((a, Broken));
        m.Read(a).Is(ECONNRESET);
        m.Read(a).Is(0);
        m.Write(a).Is(EPIPE);
    });

    [Fact, Rule(81)]
    public void Closing_with_unread_data_is_a_reset_and_what_has_arrived_can_be_read() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.Write(b, 5).Is(5);
        m.Write(a, 3).Is(3);
        m.Settle();
        m.Add(set, a, All | EdgeTriggered);
        m.Wait(set).Is((a, In | Out));
        m.Close(b);
        m.Settle();
        m.Wait(set).Is((a, Broken));
        m.Read(a, 100).Is(5);
        m.Read(a, 100).Is(ECONNRESET);
        m.Read(a, 100).Is(0);
    });

    [Fact, Rule(81)]
    public void Writing_after_the_peers_end_fails_the_second_time() => Run(m =>
    {
        (Fd a, Fd b) = m.TcpPair();
        m.Close(b);
        m.Settle();
        m.Write(a).Is(1);
        m.Settle();
        m.Poll(a).Is(Broken);
        m.Write(a).Is(EPIPE);
        m.Write(a).Is(EPIPE);
        m.Read(a).Is(0);
    });

    [Fact, Rule(82)]
    public void A_low_watermark_holds_back_readability() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.SetOption(a, SocketOption.SocketReceiveLowWatermark, 10).Is(0);
        m.Add(set, a, In | RdHup | EdgeTriggered);
        m.Write(b, 9).Is(9);
        m.Settle();
        m.Wait(set).IsEmpty();
        m.Poll(a).Is(Out);
        m.Write(b, 1).Is(1);
        m.Settle();
        m.Wait(set).Is((a, In));
        m.Read(a, 1).Is(1);
        m.Poll(a).Is(Out);
    });

    [Fact, Rule(82)]
    public void Lowering_the_watermark_is_an_edge() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.SetOption(a, SocketOption.SocketReceiveLowWatermark, 10).Is(0);
        m.Add(set, a, In | EdgeTriggered);
        m.Write(b, 5).Is(5);
        m.Settle();
        m.Wait(set).IsEmpty();
        m.SetOption(a, SocketOption.SocketReceiveLowWatermark, 5).Is(0);
        m.Wait(set).Is((a, In));
        m.Wait(set).IsEmpty();
    });

    [Fact, Rule(82)]
    public void The_peers_end_overrides_the_watermark() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.SetOption(a, SocketOption.SocketReceiveLowWatermark, 10).Is(0);
        m.Add(set, a, In | RdHup | EdgeTriggered);
        m.Write(b, 5).Is(5);
        m.Settle();
        m.Wait(set).IsEmpty();
        m.Shutdown(b, ShutdownHow.Write).Is(0);
        m.Settle();
        m.Wait(set).Is((a, In | RdHup));
    });

    [Fact, Rule(83)]
    public void Urgent_data_is_exceptional() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.Add(set, a, All | EdgeTriggered);
        m.Wait(set).Is((a, Out));
        m.Send(b, 1, MessageFlags.OutOfBand).Is(1);
        m.Settle();
        m.Wait(set).Is((a, Pri | Out));
        m.Receive(a, 1, MessageFlags.OutOfBand).Is(1);
        m.Poll(a).Is(Out);
        m.Read(a).Is(EAGAIN);
    });

    [Fact, Rule(84)]
    public void A_backlog_of_2_establishes_3() => Run(m =>
    {
        Fd listener = m.TcpListener(2);
        Fd[] clients = [.. Enumerable.Range(0, 4).Select(_ => m.TcpSocket())];
        foreach (Fd client in clients)
        {
            m.Connect(client, listener).Is(EINPROGRESS);
            m.Settle();
        }

        for (int i = 0; i < 3; i++)
            m.Poll(clients[i]).Is(Out);
        m.Poll(clients[3]).Is(0);
        for (int i = 0; i < 3; i++)
            m.Accept(listener);
        m.Accept(listener, out Outcome none);
        none.Is(EAGAIN);
    });

    [Fact, Rule(84)]
    public void Closing_a_listener_resets_what_was_not_accepted() => Run(m =>
    {
        Fd set = m.Epoll(), listener = m.TcpListener(), accepted = m.TcpSocket(), waiting = m.TcpSocket();
        m.Connect(accepted, listener).Is(EINPROGRESS);
        m.Settle();
        m.Connect(waiting, listener).Is(EINPROGRESS);
        m.Settle();
        m.Accept(listener);
        m.Add(set, accepted, All | EdgeTriggered);
        m.Add(set, waiting, All | EdgeTriggered);
        m.Wait(set).Is((accepted, Out), (waiting, Out));
        m.Close(listener);
        m.Settle();
        m.Wait(set).Is((waiting, Broken));
        m.Read(waiting).Is(ECONNRESET);
    });

    [Fact, Rule(85)]
    public void Data_and_end_become_one_event_and_draining_gives_no_other() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.Add(set, a, In | RdHup | EdgeTriggered);
        m.Write(b, 10).Is(10);
        m.Shutdown(b, ShutdownHow.Write).Is(0);
        m.Settle();
        m.Wait(set).Is((a, In | RdHup));
        m.Read(a, 10).Is(10);
        m.Wait(set).IsEmpty();
        m.Read(a, 10).Is(0);
        m.Wait(set).IsEmpty();
    });

    [Fact, Rule(86), Rule("86b")]
    public void A_datagram_sender_gets_an_edge_for_each() => Run(m =>
    {
        Fd senders = m.Epoll(), receivers = m.Epoll();
        (Fd a, Fd b) = m.UdpPair();
        m.Add(senders, a, All | EdgeTriggered);
        m.Add(receivers, b, In | EdgeTriggered);
        m.Wait(senders).Is((a, Out));
        for (int i = 0; i < 3; i++)
        {
            m.Send(a, 10).Is(10);
            m.Settle();
            m.Wait(senders).Is((a, Out));
            m.Wait(senders).IsEmpty();
            m.Wait(receivers).Is((b, In));
        }

        m.Receive(b, 100).Is(10);
        m.Receive(b, 5).Is(5); // the rest of a datagram is lost
        m.Receive(b, 100).Is(10);
        m.Receive(b, 100).Is(EAGAIN);
    });

    [Fact, Rule(86)]
    public void An_unreachable_port_is_an_error() => Run(m =>
    {
        Fd set = m.Epoll(), a = m.Udp(), b = m.Udp();
        m.Connect(a, b).Is(0);
        m.Close(b);
        m.Add(set, a, All | EdgeTriggered);
        m.Wait(set).Is((a, Out));
        m.Send(a, 10).Is(10);
        m.Settle();
        m.Wait(set).Is((a, Out | Err));
        m.Poll(a).Is(Out | Err);
        m.ExpectError(a, ECONNREFUSED);
        m.Poll(a).Is(Out);
    });

    [Fact, Rule("86a")]
    public void A_read_stops_at_an_urgent_mark_though_more_is_queued() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.Add(set, a, In | Pri | EdgeTriggered);
        m.Send(b, 5).Is(5);
        m.Send(b, 1, MessageFlags.OutOfBand).Is(1);
        m.Send(b, 4).Is(4);
        m.Settle();
        m.Wait(set).Is((a, In | Pri));
        m.Read(a, 100).Is(5);
        m.Wait(set).IsEmpty();
        m.Read(a, 100).Is(4);
        m.Wait(set).IsEmpty();
        m.Read(a, 100).Is(EAGAIN);
    });
}
