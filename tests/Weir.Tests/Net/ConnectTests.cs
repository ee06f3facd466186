using System.Net;
using System.Net.Sockets;
using Weir.Net;

namespace Weir.Tests;

public class ConnectTests : NetTestBase
{
    [Fact]
    public void Nobody_listening_is_ECONNREFUSED_with_the_address_in_the_message() => Run(async () =>
    {
        EndPoint at;
        using (Listener listener = Listener.Bind(OwnAddress))
            at = listener.LocalEndPoint;
        KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await Connection.ConnectAsync(at));
        Assert.Equal(Errno.ECONNREFUSED, failure.Errno);
        Assert.Contains(at.ToString()!, failure.Message);
        Assert.Contains("nobody listens", failure.Message);
    });

    [Fact]
    public void No_such_path_is_ENOENT() => Run(async () =>
    {
        KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await Connection.ConnectAsync(new UnixDomainSocketEndPoint(NewPath())));
        Assert.Equal(Errno.ENOENT, failure.Errno);
    });

    [Fact]
    public void Nobody_at_an_abstract_name_is_ECONNREFUSED() => Run(async () =>
    {
        KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await Connection.ConnectAsync(NewAbstractName()));
        Assert.Equal(Errno.ECONNREFUSED, failure.Errno);
    });

    [Fact]
    public void A_cancelled_token_opens_nothing() => Run(async () =>
    {
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await Connection.ConnectAsync(AnyPort, null, new CancellationToken(canceled: true)));
        Assert.Equal(0, Door.Count(nameof(Kernel.Socket)));
    });

    [Fact]
    public void Cancelled_while_the_backlog_is_full_it_leaves_nothing_open() => Run(async () =>
    {
        var at = new UnixDomainSocketEndPoint(NewPath());
        using Listener listener = Listener.Bind(at, new ListenOptions { Backlog = 0 });
        using Connection first = await Connection.ConnectAsync(at);
        int open = Door.OpenNow.Count;
        using var cancellation = new CancellationTokenSource();
        Task<Connection> connecting = Connection.ConnectAsync(at, null, cancellation.Token).AsTask();
        Assert.Equal(open + 1, Door.OpenNow.Count);
        cancellation.Cancel();
        OperationCanceledException failure = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => connecting);
        Assert.Equal(cancellation.Token, failure.CancellationToken);
        Assert.Equal(open, Door.OpenNow.Count);
    });

    [Fact]
    public void A_full_backlog_times_out() => Run(async () =>
    {
        var at = new UnixDomainSocketEndPoint(NewPath());
        using Listener listener = Listener.Bind(at, new ListenOptions { Backlog = 0 });
        using Connection first = await Connection.ConnectAsync(at);
        TimeoutException failure = await Assert.ThrowsAsync<TimeoutException>(
            async () => await Connection.ConnectAsync(at, new ConnectOptions { Timeout = TimeSpan.FromMilliseconds(20) }));
        Assert.Contains(at.ToString(), failure.Message);
        Assert.Contains("0.02 s", failure.Message);
    });

    [ThreadedFact]
    public void In_progress_it_can_be_cancelled_and_leaves_nothing_open() => Run(async () =>
    {
        await using Unanswering target = await Unanswering.Make();
        using var cancellation = new CancellationTokenSource();
        int open = Door.OpenNow.Count;
        Task<Connection> connecting = Connection.ConnectAsync(target.EndPoint, null, cancellation.Token).AsTask();
        Assert.Equal(1, Statistics.WaitingWriters);
        await Task.Run(cancellation.Cancel);
        OperationCanceledException failure = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => connecting);
        Assert.Equal(cancellation.Token, failure.CancellationToken);
        Assert.Equal(open, Door.OpenNow.Count);
    });

    [Fact]
    public void In_progress_it_times_out_and_leaves_nothing_open() => Run(async () =>
    {
        await using Unanswering target = await Unanswering.Make();
        int open = Door.OpenNow.Count;
        var options = new ConnectOptions { Timeout = TimeSpan.FromMilliseconds(10) };
        await Assert.ThrowsAsync<TimeoutException>(async () => await Connection.ConnectAsync(target.EndPoint, options));
        Assert.Equal(open, Door.OpenNow.Count);
        Assert.Equal(0, Statistics.Timers);
    });

    [Fact]
    public void Cancelled_by_the_caller_before_the_timeout_it_says_so_with_the_callers_token() => Run(async () =>
    {
        await using Unanswering target = await Unanswering.Make();
        using var cancellation = new CancellationTokenSource();
        Task<Connection> connecting = Connection.ConnectAsync(target.EndPoint, new ConnectOptions { Timeout = TimeSpan.FromHours(1) }, cancellation.Token).AsTask();
        cancellation.Cancel();
        OperationCanceledException failure = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => connecting);
        Assert.Equal(cancellation.Token, failure.CancellationToken);
        Assert.Equal(0, Statistics.Timers);
    });

    [Fact]
    public void A_timeout_that_is_not_reached_leaves_no_timer() => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint, new ConnectOptions { Timeout = TimeSpan.FromHours(1) });
        Assert.Equal(0, Statistics.Timers);
    });

    [ThreadedFact]
    public void A_name_is_resolved_and_its_addresses_are_tried_in_turn() => Run(async () =>
    {
        EventLoop loop = EventLoop.Current!;
        using Listener listener = Listener.Bind(AnyPort);
        var name = new DnsEndPoint("localhost", ((IPEndPoint)listener.LocalEndPoint).Port);
        using Connection client = await Connection.ConnectAsync(name); // ::1 first, where the machine has it; nobody listens there
        Assert.Same(loop, EventLoop.Current);
        using Connection server = await listener.AcceptAsync();
        Assert.Equal(listener.LocalEndPoint, client.RemoteEndPoint);
    });

    [ThreadedFact]
    public void Where_no_context_is_installed_a_name_is_connected_to_on_the_loop_all_the_same() => Run(async () =>
    {
        EventLoop loop = EventLoop.Current!;
        using Listener listener = Listener.Bind(AnyPort);
        await loop.Delay(TimeSpan.FromMilliseconds(1)).ConfigureAwait(false);
        Assert.Null(SynchronizationContext.Current);
        var name = new DnsEndPoint("localhost", ((IPEndPoint)listener.LocalEndPoint).Port);
        using Connection client = await Connection.ConnectAsync(name).ConfigureAwait(false);
        Assert.Same(loop, EventLoop.Current);
        using Connection server = await listener.AcceptAsync().ConfigureAwait(false);
        Assert.Equal(listener.LocalEndPoint, client.RemoteEndPoint);
    });

    [ThreadedFact]
    public void A_name_none_of_whose_addresses_answers_fails_as_the_last_of_them() => Run(async () =>
    {
        // Bound for both families and not listening: refused, and nobody else's meanwhile.
        int holder = Door.Socket(SocketDomain.Inet6, SocketKind.Stream, 0);
        int port = BindAnywhere(holder);
        KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await Connection.ConnectAsync(new DnsEndPoint("localhost", port)));
        Assert.Equal(Errno.ECONNREFUSED, failure.Errno);
        Assert.Equal(0, Door.Close(holder));
    });

    [ThreadedFact]
    public void An_unknown_name_is_the_resolvers_SocketException_on_the_loop() => Run(async () =>
    {
        EventLoop loop = EventLoop.Current!;
        // Too long for a query (63 letters): no server is asked, which may take its time.
        await Assert.ThrowsAnyAsync<SocketException>(async () => await Connection.ConnectAsync(new DnsEndPoint(new string('x', 64), 1)));
        Assert.Same(loop, EventLoop.Current);
    });

    [Fact]
    public void The_local_address_can_be_chosen() => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        var from = new IPEndPoint(IPAddress.Parse("127.0.0.5"), 0);
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint, new ConnectOptions { LocalEndPoint = from });
        using Connection server = await listener.AcceptAsync();
        Assert.Equal(from.Address, ((IPEndPoint)server.RemoteEndPoint!).Address);
    });

    [Fact]
    public void A_local_address_in_use_is_named_in_the_message() => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        var options = new ConnectOptions { LocalEndPoint = listener.LocalEndPoint };
        KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await Connection.ConnectAsync(listener.LocalEndPoint, options));
        Assert.Equal(Errno.EADDRINUSE, failure.Errno);
        Assert.StartsWith("bind", failure.Call);
    });

    [ThreadedFact]
    public void It_needs_a_loop() => Assert.Throws<InvalidOperationException>(() => { _ = Connection.ConnectAsync(AnyPort).AsTask().GetAwaiter().GetResult(); });

    [Fact]
    public void Two_hundred_clients_connect_at_once() => Run(async () =>
    {
        const int Clients = 200;
        using Listener listener = Listener.Bind(AnyPort);
        Task<Connection>[] connecting = [.. Enumerable.Range(0, Clients).Select(_ => Connection.ConnectAsync(listener.LocalEndPoint).AsTask())];
        var servers = new List<Connection>();
        for (int i = 0; i < Clients; i++)
            servers.Add(await listener.AcceptAsync());
        Connection[] clients = await Task.WhenAll(connecting);
        Assert.Equal(Clients, clients.Select(client => client.LocalEndPoint!.ToString()).Distinct().Count());
        foreach (Connection connection in clients.Concat(servers))
            connection.Dispose();
    });

    private unsafe int BindAnywhere(int fd)
    {
        int off = 0;
        Assert.Equal(0, Door.SetSockOpt(fd, SocketLevel.Ipv6, SocketOption.Ipv6Only, &off, sizeof(int)));
        RawSocketAddress address = RawSocketAddress.From(new IPEndPoint(IPAddress.IPv6Any, 0));
        Assert.Equal(0, Door.Bind(fd, address.Pointer, address.Length));
        address = RawSocketAddress.Empty;
        Assert.Equal(0, Door.GetSockName(fd, address.Pointer, &address.Length));
        return ((IPEndPoint)address.ToEndPoint()!).Port;
    }

    /// <summary>A TCP address that answers no SYN: its listener's backlog is full.</summary>
    private sealed class Unanswering : IAsyncDisposable
    {
        private readonly Listener _listener;
        private readonly List<Connection> _fillers = [];

        private Unanswering(Listener listener) => _listener = listener;

        internal EndPoint EndPoint => _listener.LocalEndPoint;

        internal static async Task<Unanswering> Make()
        {
            // A TCP backlog of 0 admits one; a SYN that finds it full is dropped and sent again after a second.
            var target = new Unanswering(Listener.Bind(AnyPort, new ListenOptions { Backlog = 0 }));
            target._fillers.Add(await Connection.ConnectAsync(target.EndPoint));
            return target;
        }

        public ValueTask DisposeAsync()
        {
            foreach (Connection filler in _fillers)
                filler.Dispose();
            _listener.Dispose();
            return default;
        }
    }
}
