namespace Weir.Simulation.Tests;

public class TcpConnectTests
{
    [Fact]
    public void Fresh_bound_and_listening_sockets_poll_as_on_linux() => SocketUser.SameOnBothKernels(user =>
    {
        int fd = user.Tcp();
        user.Note("fresh", user.Mask(fd));
        user.Note("recv", user.Receive(fd, 1));
        user.Note("send", SocketUser.Name(user.Send(fd, 1)));
        user.Note("peer", user.RemoteEnd(fd));
        user.Note("shutdown", SocketUser.Name(user.Kernel.Shutdown(fd, ShutdownHow.Write)));
        user.Note("after it", user.Mask(fd));
        user.Note("accept", SocketUser.Name(user.Accept(fd)));
        int bound = user.Tcp();
        user.Note("bind", user.Bind(bound));
        user.Note("bound", user.Mask(bound));
        user.Note("bind again", SocketUser.Name(user.Bind(bound)));
        user.Note("listen", user.Kernel.Listen(bound, 1));
        user.Note("listening", user.Mask(bound));
        user.Note("recv", user.Receive(bound, 1));
        user.Note("send", SocketUser.Name(user.Send(bound, 1)));
        user.Note("connect", SocketUser.Name(user.Connect(bound, user.Port(bound))));
        user.Note("queued", SocketUser.Name(user.Queued(bound)));
        user.Note("listen again", user.Kernel.Listen(bound, 5));
        user.Note("accept", SocketUser.Name(user.Accept(bound)));
    });

    [Fact]
    public void A_connection_is_in_progress_first_and_then_there() => SocketUser.SameOnBothKernels(user =>
    {
        int listener = user.Listener();
        user.Watch(listener);
        int client = user.Tcp();
        user.Watch(client);
        user.Note("fresh edge", user.Edge(client));
        user.Note("connect", SocketUser.Name(user.Connect(client, user.Port(listener))));
        user.Note("edge", user.Edge(client));
        user.Note("edge of the listener", user.Edge(listener));
        user.Note("connect again", SocketUser.Name(user.Connect(client, user.Port(listener))));
        user.Note("and again", SocketUser.Name(user.Connect(client, user.Port(listener))));
        user.Note("error", user.Error(client));
        int server = user.Accept(listener);
        user.Note("server", user.Mask(server));
        user.Note("accept without one", SocketUser.Name(user.Accept(listener)));
        user.Note("edge of the listener", user.Edge(listener));
        user.Note("same ends", user.LocalEnd(client).Equals(user.RemoteEnd(server)) && user.LocalEnd(server).Equals(user.RemoteEnd(client)));
        user.Note("bind", SocketUser.Name(user.Bind(client)));
        user.Note("listen", SocketUser.Name(user.Kernel.Listen(client, 1)));
    });

    [Fact]
    public void A_refused_connection_shows_everything_and_its_error_once() => SocketUser.SameOnBothKernels(user =>
    {
        int closed = user.Tcp();
        user.Bind(closed);
        int listener = user.Listener();
        int client = user.Tcp();
        user.Watch(client);
        user.Edge(client);
        user.Note("connect", SocketUser.Name(user.Connect(client, user.Port(closed))));
        user.Note("edge", user.Edge(client));
        user.Note("settled", user.Mask(client));
        user.Note("error", user.Error(client));
        user.Note("error again", user.Error(client));
        user.Note("mask", user.Mask(client));
        user.Note("recv", user.Receive(client, 1));
        user.Note("connect", SocketUser.Name(user.Connect(client, user.Port(listener))));
        user.Note("connect", SocketUser.Name(user.Connect(client, user.Port(listener))));
        user.Note("settled", user.Settled(client));
    });

    [Fact]
    public void A_refused_connection_gives_its_error_to_the_first_call() => SocketUser.SameOnBothKernels(user =>
    {
        int closed = user.Tcp();
        user.Bind(closed);
        int client = user.Tcp();
        user.Connect(client, user.Port(closed));
        user.Settled(client);
        user.Note("connect", SocketUser.Name(user.Connect(client, user.Port(closed))));
        user.Note("mask", user.Settled(client));
        user.Note("send", SocketUser.Name(user.Send(client, 1)));
    });

    [Fact]
    public void A_connection_can_be_dissolved_and_made_anew() => SocketUser.SameOnBothKernels(user =>
    {
        (int client, int server) = user.Pair();
        int listener = user.Listener();
        user.Note("disconnect", SocketUser.Name(user.Disconnect(client)));
        user.Note("client", user.Settled(client));
        user.Note("error", user.Error(client));
        user.Note("server", user.Mask(server));
        user.Note("connect", SocketUser.Name(user.Connect(client, user.Port(listener))));
        user.Note("client", user.Settled(client));
    });

    [Fact]
    public void Backlog_two_establishes_three_and_the_next_has_to_wait() => SocketUser.SameOnBothKernels(user =>
    {
        int listener = user.Listener(backlog: 2);
        int[] clients = [user.Tcp(), user.Tcp(), user.Tcp(), user.Tcp()];
        foreach (int client in clients)
            user.Connect(client, user.Port(listener));
        user.Settled(listener);
        foreach (int client in clients)
            user.Note("client", user.Mask(client));
        user.Close(listener);
        for (int i = 0; i < 3; i++)
            user.Note("after the listener is closed", user.Settled(clients[i]));
        user.Note("error", user.Error(clients[0]));
        user.Note("recv", user.Receive(clients[1], 1));
    });

    [Fact]
    public void A_connection_that_did_not_fit_the_backlog_comes_a_second_later() => SocketUser.SameOnBothKernels(user =>
    {
        int listener = user.Listener(backlog: 0);
        int first = user.Tcp(), second = user.Tcp();
        user.Connect(first, user.Port(listener));
        user.Connect(second, user.Port(listener));
        user.Note("second", user.Settled(second));
        user.Accept(listener);
        user.Await(second, EpollEvents.Out);
        user.Note("second", user.Mask(second));
    });

    [Fact]
    public void A_client_that_is_gone_can_still_be_accepted() => SocketUser.SameOnBothKernels(user =>
    {
        int listener = user.Listener();
        int client = user.Tcp();
        user.Connect(client, user.Port(listener));
        user.Await(listener, EpollEvents.In);
        user.SetLinger(client, 0);
        user.Close(client);
        user.Note("listener", user.Settled(listener));
        int server = user.Accept(listener);
        user.Note("server", user.Mask(server));
        user.Note("peer", user.RemoteEnd(server));
        user.Note("recv", user.Receive(server, 1));
    });

    [Fact]
    public void Accepted_sockets_have_the_options_of_the_listener() => SocketUser.SameOnBothKernels(user =>
    {
        int listener = user.Listener();
        user.SetOption(listener, SocketLevel.Tcp, SocketOption.TcpNoDelay, 1);
        user.SetOption(listener, SocketLevel.Tcp, SocketOption.TcpKeepIdle, 77);
        user.SetOption(listener, SocketLevel.Socket, SocketOption.SocketKeepAlive, 5);
        user.SetOption(listener, SocketLevel.Socket, SocketOption.SocketSendBuffer, 10_000);
        user.SetOption(listener, SocketLevel.Socket, SocketOption.SocketReceiveLowWatermark, 3);
        int client = user.Tcp();
        user.Connect(client, user.Port(listener));
        user.Await(listener, EpollEvents.In);
        int server = user.Accept(listener);
        user.Note("nodelay", user.Option(server, SocketLevel.Tcp, SocketOption.TcpNoDelay));
        user.Note("idle", user.Option(server, SocketLevel.Tcp, SocketOption.TcpKeepIdle));
        user.Note("keep-alive", user.Option(server, SocketLevel.Socket, SocketOption.SocketKeepAlive));
        user.Note("send buffer", user.Option(server, SocketLevel.Socket, SocketOption.SocketSendBuffer));
        user.Note("low watermark", user.Option(server, SocketLevel.Socket, SocketOption.SocketReceiveLowWatermark));
        user.Note("listens", user.Option(server, SocketLevel.Socket, SocketOption.SocketAcceptConnections));
        user.Note("listens", user.Option(listener, SocketLevel.Socket, SocketOption.SocketAcceptConnections));
    });

    [Fact]
    public void Options_have_the_defaults_and_the_limits_of_linux() => SocketUser.SameOnBothKernels(user =>
    {
        int fd = user.Tcp();
        foreach (int option in (int[])[1, 2, 4, 5, 6, 7, 8, 9, 12, 18])
            user.Note($"tcp {option}", SocketUser.Name(user.Option(fd, SocketLevel.Tcp, (SocketOption)option)));
        foreach (int option in (int[])[2, 3, 4, 9, 10, 15, 18, 30, 38, 39])
            user.Note($"socket {option}", SocketUser.Name(user.Option(fd, SocketLevel.Socket, (SocketOption)option)));
        user.Note("keep idle 0", SocketUser.Name(user.SetOption(fd, SocketLevel.Tcp, SocketOption.TcpKeepIdle, 0)));
        user.Note("unknown", SocketUser.Name(user.SetOption(fd, SocketLevel.Tcp, (SocketOption)99, 1)));
        user.Note("v6only", SocketUser.Name(user.SetOption(fd, SocketLevel.Ipv6, SocketOption.Ipv6Only, 1)));
        user.Note("v6only", SocketUser.Name(user.Option(fd, SocketLevel.Ipv6, SocketOption.Ipv6Only)));
        user.Note("domain", SocketUser.Name(user.SetOption(fd, SocketLevel.Socket, SocketOption.SocketDomain, 1)));
        user.SetOption(fd, SocketLevel.Socket, SocketOption.SocketSendBuffer, 1);
        user.SetOption(fd, SocketLevel.Socket, SocketOption.SocketReceiveBuffer, 1);
        user.Note("least", (user.Option(fd, SocketLevel.Socket, SocketOption.SocketSendBuffer), user.Option(fd, SocketLevel.Socket, SocketOption.SocketReceiveBuffer)));
        user.SetOption(fd, SocketLevel.Socket, SocketOption.SocketReceiveLowWatermark, 1 << 30);
        user.Note("low watermark", user.Option(fd, SocketLevel.Socket, SocketOption.SocketReceiveLowWatermark));
    });

    [Theory]
    [InlineData(SocketDomain.Inet, SocketKind.Stream, 17)]
    [InlineData(SocketDomain.Inet, SocketKind.Datagram, 6)]
    [InlineData(SocketDomain.Inet6, SocketKind.Stream, 99)]
    [InlineData(SocketDomain.Inet, SocketKind.SeqPacket, 0)]
    public unsafe void What_cannot_be_made_is_refused_as_on_linux(SocketDomain domain, SocketKind kind, int protocol) => SocketUser.SameOnBothKernels(user =>
    {
        user.Note("socket", SocketUser.Name(user.Kernel.Socket(domain, kind, protocol)));
        int* fds = stackalloc int[2];
        user.Note("pair", SocketUser.Name(user.Kernel.SocketPair(domain, SocketKind.Stream, 0, fds)));
    });
}
