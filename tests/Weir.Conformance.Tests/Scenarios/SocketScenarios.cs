namespace Weir.Conformance.Scenarios;

/// <summary>Sockets under a set, each once edge-triggered and once level-triggered.</summary>
public sealed class SocketScenarios : ConformanceTests
{
    private const EpollEvents Level = 0;
    private const EpollEvents All = In | Out | RdHup;
    private const EpollEvents Broken = In | Out | Err | Hup | RdHup;

    public static TheoryData<EpollEvents> Modes => [EdgeTriggered, Level];

    [Theory, MemberData(nameof(Modes))]
    public void A_connection_that_is_made_is_writable(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), listener = m.TcpListener(), client = m.TcpSocket();
        m.Connect(client, listener).Is(EINPROGRESS);
        m.Settle();
        m.Add(set, client, All | mode);
        m.Wait(set, Machine.Forever).Is((client, Out));
        m.ExpectError(client, Errno.None);
        m.Connect(client, listener).Is(0); // tells once that it has been made
        m.Connect(client, listener).Is(EISCONN);
    });

    [Theory, MemberData(nameof(Modes))]
    public void A_connection_that_is_refused_is_an_error(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), nobody = m.TcpSocket(), client = m.TcpSocket();
        m.BindToLoopback(nobody);
        m.Connect(client, nobody).Is(EINPROGRESS);
        m.Settle();
        m.Add(set, client, All | mode);
        m.Wait(set, Machine.Forever).Is((client, Broken));
        m.ExpectError(client, ECONNREFUSED);
        m.ExpectError(client, Errno.None);
        m.Wait(set).Is(mode == Level ? [(client, Broken & ~Err)] : []);
    });

    [Theory, MemberData(nameof(Modes))]
    public void A_listener_with_a_connection_is_readable(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), listener = m.TcpListener(), client = m.TcpSocket();
        m.Add(set, listener, All | mode);
        MachineThread thread = m.StartBlocked("server", () => m.Wait(set, Machine.Forever).Is((listener, In)));
        m.Connect(client, listener).Is(EINPROGRESS);
        m.Join(thread);
        m.Accept(listener);
        m.Accept(listener, out Outcome none);
        none.Is(EAGAIN);
        m.Wait(set).IsEmpty();
    });

    [Theory, MemberData(nameof(Modes))]
    public void Data_that_arrives_is_readable(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.Add(set, a, In | RdHup | mode);
        m.Receive(a, 16).Is(EAGAIN);
        MachineThread thread = m.StartBlocked("receiver", () => m.Wait(set, Machine.Forever).Is((a, In)));
        m.Send(b, 10).Is(10);
        m.Join(thread);
        m.Receive(a, 16).Is(10);
        m.Wait(set).IsEmpty();
    });

    [Theory, MemberData(nameof(Modes))]
    public void A_full_socket_is_writable_after_the_peer_has_read(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        Outcome filled = m.Fill(a);
        m.Add(set, a, Out | mode);
        MachineThread thread = m.StartBlocked("sender", () => m.Wait(set, Machine.Forever).Is((a, Out)));
        m.Drain(b).Is(filled.Value);
        m.Join(thread);
        m.Send(a, 10).Is(10);
    });

    [Theory, MemberData(nameof(Modes))]
    public void Shutting_down_writing_is_an_end_for_the_peer(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.Shutdown(a, ShutdownHow.Write).Is(0);
        m.Settle();
        m.Add(set, b, All | mode);
        m.Add(set, a, All | mode);
        m.Wait(set).Is((b, In | Out | RdHup), (a, Out));
        m.Receive(b, 8).Is(0);
        m.Send(a, 8).Is(EPIPE);
    });

    [Theory, MemberData(nameof(Modes))]
    public void Shutting_down_reading_is_an_end_for_oneself(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.Shutdown(a, ShutdownHow.Read).Is(0);
        m.Settle();
        m.Add(set, a, All | mode);
        m.Add(set, b, All | mode);
        m.Wait(set).Is((a, In | Out | RdHup), (b, Out));
        m.Receive(a, 8).Is(0);
        m.Send(a, 8).Is(8);
        m.Settle();
        m.Receive(b, 16).Is(8);
    });

    [Theory, MemberData(nameof(Modes))]
    public void Shutting_down_both_is_a_hang_up(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.Shutdown(a, ShutdownHow.Both).Is(0);
        m.Settle();
        m.Add(set, a, All | mode);
        m.Add(set, b, All | mode);
        m.Wait(set).Is((a, In | Out | RdHup | Hup), (b, In | Out | RdHup));
        m.Receive(a, 8).Is(0);
        m.Send(a, 8).Is(EPIPE);
        m.Receive(b, 8).Is(0);
    });

    [Theory, MemberData(nameof(Modes))]
    public void A_short_read_leaves_the_rest(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.Add(set, a, In | mode);
        m.Send(b, 10).Is(10);
        m.Settle();
        m.Wait(set).Is((a, In));
        m.Receive(a, 4).Is(4);
        m.Wait(set).Is(mode == Level ? [(a, In)] : []);
        m.Receive(a, 16).Is(6);
        m.Wait(set).IsEmpty();
    });

    [Theory, MemberData(nameof(Modes))]
    public void Peeking_takes_nothing(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.Add(set, a, In | mode);
        m.Send(b, 10).Is(10);
        m.Settle();
        m.Receive(a, 4, MessageFlags.Peek).Is(4);
        m.Wait(set).Is((a, In));
        m.Receive(a, 16, MessageFlags.Peek).Is(10);
        m.Receive(a, 16).Is(10);
        m.Wait(set).IsEmpty();
    });

    [Theory, MemberData(nameof(Modes))]
    public void A_short_write_is_followed_by_would_block(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.SetOption(a, SocketOption.SocketSendBuffer, 20_000).Is(0);
        m.Add(set, a, Out | mode);
        m.Wait(set).Is((a, Out));
        Outcome sent = m.Send(a, 100_000);
        m.Expect(sent.Value is > 0 and < 100_000, "in part");
        m.Send(a, 1).Is(EAGAIN);
        m.Wait(set).IsEmpty();
        m.Drain(b).Is(sent.Value);
        m.Wait(set).Is((a, Out));
    });

    [Theory, MemberData(nameof(Modes))]
    public void What_had_arrived_is_read_after_shutting_down_reading(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.Send(b, 10).Is(10);
        m.Settle();
        m.Shutdown(a, ShutdownHow.Read).Is(0);
        m.Add(set, a, In | RdHup | mode);
        m.Wait(set).Is((a, In | RdHup));
        m.Receive(a, 16).Is(10);
        m.Receive(a, 16).Is(0);
        m.Send(b, 5).Is(5); // Linux takes it in all the same
        m.Settle();
        m.Receive(a, 16).Is(5);
        m.Receive(a, 16).Is(0);
    });

    [Theory, MemberData(nameof(Modes))]
    public void A_full_socket_counts_as_writable_after_shutting_down_writing(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, _) = m.TcpPair();
        m.Saturate(a);
        m.Add(set, a, Out | mode);
        m.Wait(set).IsEmpty();
        m.Shutdown(a, ShutdownHow.Write).Is(0);
        m.Wait(set).Is((a, Out)); // a write would not block: it would fail
        m.Send(a, 1).Is(EPIPE);
    });
}
