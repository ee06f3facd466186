using System.Net;
using System.Net.Sockets;
using Weir.Net;

namespace Weir.Tests;

public class ListenerTests : NetTestBase
{
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public void Port_zero_becomes_a_real_port_and_both_ends_know_each_other(string address) => Run(async () =>
    {
        using Listener listener = Listener.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
        var at = Assert.IsType<IPEndPoint>(listener.LocalEndPoint);
        Assert.NotEqual(0, at.Port);
        Assert.Equal(IPAddress.Parse(address), at.Address);
        using Connection client = await Connection.ConnectAsync(at);
        using Connection server = await listener.AcceptAsync();
        Assert.Equal(at, server.LocalEndPoint);
        Assert.Equal(at, client.RemoteEndPoint);
        Assert.Equal(client.LocalEndPoint, server.RemoteEndPoint);
    });

    [Fact]
    public void A_dual_mode_listener_takes_IPv4_clients() => Run(async () =>
    {
        using Listener listener = Listener.Bind(new IPEndPoint(IPAddress.IPv6Any, 0));
        int port = ((IPEndPoint)listener.LocalEndPoint).Port;
        using Connection four = await Connection.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port));
        using Connection acceptedFour = await listener.AcceptAsync();
        Assert.True(((IPEndPoint)acceptedFour.RemoteEndPoint!).Address.IsIPv4MappedToIPv6);
        using Connection six = await Connection.ConnectAsync(new IPEndPoint(IPAddress.IPv6Loopback, port));
        using Connection acceptedSix = await listener.AcceptAsync();
        Assert.Equal(IPAddress.IPv6Loopback, ((IPEndPoint)acceptedSix.RemoteEndPoint!).Address);
    });

    [Fact]
    public void Without_dual_mode_an_IPv6_listener_refuses_IPv4_clients() => Run(async () =>
    {
        using Listener listener = Listener.Bind(new IPEndPoint(IPAddress.IPv6Any, 0), new ListenOptions { DualMode = false });
        int port = ((IPEndPoint)listener.LocalEndPoint).Port;
        KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await Connection.ConnectAsync(new IPEndPoint(OwnAddress.Address, port)));
        Assert.Equal(Errno.ECONNREFUSED, failure.Errno);
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_second_listener_on_the_address_is_told_that_it_is_in_use(bool reuseAddress) => Run(() =>
    {
        var options = new ListenOptions { ReuseAddress = reuseAddress };
        using Listener first = Listener.Bind(AnyPort, options);
        KernelException failure = Assert.Throws<KernelException>(() => Listener.Bind(first.LocalEndPoint, options));
        Assert.Equal(Errno.EADDRINUSE, failure.Errno);
        Assert.Contains(first.LocalEndPoint.ToString()!, failure.Message);
        Assert.Contains("EADDRINUSE", failure.Message);
        Assert.Contains("another port", failure.Message);
        return Task.CompletedTask;
    });

    [Fact]
    public void ReuseAddress_does_not_set_ReusePort() => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort, new ListenOptions { ReuseAddress = true });
        // Accepted sockets inherit both options.
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
        using Connection server = await listener.AcceptAsync();
        Assert.Equal(1, server.GetOption(SocketLevel.Socket, SocketOption.SocketReuseAddress));
        Assert.Equal(0, server.GetOption(SocketLevel.Socket, SocketOption.SocketReusePort));
    });

    [Fact]
    public void With_ReusePort_two_listeners_share_the_address() => Run(async () =>
    {
        var options = new ListenOptions { ReusePort = true, ReuseAddress = false };
        using Listener first = Listener.Bind(AnyPort, options);
        using Listener second = Listener.Bind(first.LocalEndPoint, options);
        Assert.Equal(first.LocalEndPoint, second.LocalEndPoint);
        Task<Connection> one = first.AcceptAsync().AsTask(), two = second.AcceptAsync().AsTask();
        using Connection client = await Connection.ConnectAsync(first.LocalEndPoint);
        using Connection server = await await Task.WhenAny(one, two);
        await client.WriteAsync(Bytes("hello"));
        Assert.Equal("hello", await ReadText(server, 5));
        first.Dispose();
        second.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => one.IsCompletedSuccessfully ? two : one);
    });

    [Fact]
    public void The_address_is_free_again_after_Dispose_though_connections_linger() => Run(async () =>
    {
        EndPoint at;
        using (Listener listener = Listener.Bind(OwnAddress))
        {
            at = listener.LocalEndPoint;
            using Connection client = await Connection.ConnectAsync(at);
            using Connection server = await listener.AcceptAsync();
            server.ShutdownWrite(); // the side that ends first is the one left in TIME_WAIT
            Assert.Equal(0, await client.ReadAsync(new byte[1]));
        }

        using Listener again = Listener.Bind(at);
        Assert.Equal(at, again.LocalEndPoint);
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Accepted_connections_inherit_NoDelay(bool noDelay) => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort, new ListenOptions { NoDelay = noDelay });
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint, new ConnectOptions { NoDelay = noDelay });
        long before = Door.Count(nameof(Kernel.SetSockOpt));
        using Connection server = await listener.AcceptAsync();
        Assert.Equal(before, Door.Count(nameof(Kernel.SetSockOpt)));
        Assert.Equal(noDelay, server.NoDelay);
        Assert.Equal(noDelay, client.NoDelay);
    });

    [Fact]
    public void Backlog_limits_how_many_wait_and_accepting_makes_room() => Run(async () =>
    {
        var at = new UnixDomainSocketEndPoint(NewPath());
        using Listener listener = Listener.Bind(at, new ListenOptions { Backlog = 1 });
        using Connection first = await Connection.ConnectAsync(at);
        using Connection second = await Connection.ConnectAsync(at); // a backlog of n admits n + 1
        long before = Door.Count(nameof(Kernel.Connect));
        Task<Connection> third = Connection.ConnectAsync(at).AsTask();
        Assert.False(third.IsCompleted);
        Assert.Equal(before + 1, Door.Count(nameof(Kernel.Connect)));
        using Connection acceptedFirst = await listener.AcceptAsync();
        using Connection connected = await third;
        using Connection acceptedSecond = await listener.AcceptAsync();
        using Connection acceptedThird = await listener.AcceptAsync();
        await connected.WriteAsync(Bytes("x"));
        Assert.Equal("x", await ReadText(acceptedThird, 1));
    });

    [Fact]
    public void A_second_accept_is_told_that_someone_is_accepting_and_the_first_goes_on() => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        Task<Connection> first = listener.AcceptAsync().AsTask();
        await Assert.ThrowsAsync<BusyResourceException>(async () => await listener.AcceptAsync());
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
        using Connection server = await first;
    });

    [Fact]
    public void A_cancelled_accept_takes_no_connection() => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        using var cancellation = new CancellationTokenSource();
        Task<Connection> accepting = listener.AcceptAsync(cancellation.Token).AsTask();
        cancellation.Cancel();
        OperationCanceledException failure = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => accepting);
        Assert.Equal(cancellation.Token, failure.CancellationToken);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await listener.AcceptAsync(cancellation.Token));
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
        using Connection server = await listener.AcceptAsync();
    });

    [Fact]
    public void Dispose_ends_an_accept_and_refuses_clients() => Run(async () =>
    {
        Listener listener = Listener.Bind(OwnAddress);
        Task<Connection> accepting = listener.AcceptAsync().AsTask();
        listener.Dispose();
        listener.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => accepting);
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await listener.AcceptAsync());
        KernelException refused = await Assert.ThrowsAsync<KernelException>(async () => await Connection.ConnectAsync(listener.LocalEndPoint));
        Assert.Equal(Errno.ECONNREFUSED, refused.Errno);
    });

    [ThreadedFact]
    public void Dispose_from_another_thread_ends_an_accept() => Run(async () =>
    {
        Listener listener = Listener.Bind(AnyPort);
        Task<Connection> accepting = listener.AcceptAsync().AsTask();
        await Task.Run(listener.Dispose);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => accepting);
    });

    [ThreadedFact]
    public void Accepting_belongs_to_the_loops_thread() => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        await Task.Run(() => Assert.ThrowsAsync<InvalidOperationException>(async () => await listener.AcceptAsync()));
    });

    [Fact]
    public void Accepted_connections_outlive_their_listener() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair(); // disposes its listener
        using (client)
        using (server)
        {
            await client.WriteAsync(Bytes("still here"));
            Assert.Equal("still here", await ReadText(server, 10));
        }
    });

    [Fact]
    public void A_name_must_be_resolved_before_it_is_listened_on() => Run(() =>
    {
        Assert.Throws<ArgumentException>(() => Listener.Bind(new DnsEndPoint("localhost", 0)));
        Assert.Throws<ArgumentNullException>(() => Listener.Bind(null!));
        return Task.CompletedTask;
    });

    [Fact]
    public void Listening_needs_a_loop()
        => Assert.Throws<InvalidOperationException>(() => Listener.Bind(AnyPort));
}
