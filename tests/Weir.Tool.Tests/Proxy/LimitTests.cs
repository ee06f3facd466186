using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Weir.Tool.Proxy;
using Weir.Tool.Tests.Support;

namespace Weir.Tool.Tests.Proxy;

public class LimitTests
{
    private static readonly IPEndPoint AnyPort = new(IPAddress.Loopback, 0);

    [Fact]
    public void An_upstream_that_refuses_is_passed_over()
    {
        using TestServer server = TestServer.Echo();
        using var proxy = new ProxyHost(new ProxyOptions { Upstreams = [ProxyHost.To(TestServer.Nobody()), ProxyHost.To(server.EndPoint)] });
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < 3; i++)
        {
            using Socket client = TestServer.Connect(proxy.EndPoint);
            client.Ping();
        }

        // It is given a rest of a second.
        Assert.InRange(proxy.On(p => p.Statistics.ConnectFailures), 1, 1 + (long)Stopwatch.GetElapsedTime(start).TotalSeconds);
        Assert.Equal(0, proxy.On(p => p.Statistics.Unreachable));
    }

    [Fact]
    public void The_next_address_of_an_upstream_is_tried()
    {
        using TestServer server = TestServer.Echo();
        using var proxy = new ProxyHost(new ProxyOptions { Upstreams = [ProxyHost.To(TestServer.Nobody(), server.EndPoint)] });
        using Socket client = TestServer.Connect(proxy.EndPoint);
        client.Ping();
    }

    [Fact]
    public void Attempts_that_fail_and_those_that_succeed_are_told()
    {
        using TestServer server = TestServer.Echo();
        EndPoint nobody = TestServer.Nobody();
        using var proxy = new ProxyHost(new ProxyOptions { Upstreams = [ProxyHost.To(nobody, server.EndPoint)] });
        var told = new List<(EndPoint, bool)>();
        proxy.On(p =>
        {
            p.ConnectFailed = (_, address, _) => told.Add((address, false));
            p.Connected = (_, address) => told.Add((address, true));
            return 0;
        });
        using Socket client = TestServer.Connect(proxy.EndPoint);
        client.Ping();
        Assert.Equal([(nobody, false), (server.EndPoint, true)], proxy.On(_ => told.ToArray()));
    }

    [Fact]
    public void When_no_upstream_answers_the_client_is_closed()
    {
        using var proxy = new ProxyHost(new ProxyOptions { Upstreams = [ProxyHost.To(TestServer.Nobody()), ProxyHost.To(TestServer.Nobody())] });
        using Socket client = TestServer.Connect(proxy.EndPoint);
        Assert.Null(client.EndOf());
        Assert.Equal((2, 1), proxy.On(p => (p.Statistics.ConnectFailures, p.Statistics.Unreachable)));
    }

    [Fact]
    public void An_upstream_that_does_not_answer_in_time_is_passed_over()
    {
        // With a backlog of nothing one connection completes; of the next the kernel drops the request to connect.
        using var full = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        full.Bind(AnyPort);
        full.Listen(0);
        using Socket first = TestServer.Connect(full.LocalEndPoint!);
        Passes_over(full.LocalEndPoint!);
    }

    [Fact]
    public void A_unix_upstream_with_a_full_backlog_is_passed_over()
    {
        var address = new UnixDomainSocketEndPoint($"\0weir-test-{Guid.NewGuid():N}");
        using Socket full = TestServer.NewSocket(address);
        full.Bind(address);
        full.Listen(0);
        using Socket first = TestServer.Connect(address);
        Passes_over(address);
    }

    // More than all buffers on the way hold.
    private static readonly byte[] Much = new byte[64 << 20];

    private static TestServer Endless() => new(socket => TestServer.SendAll(socket, Much));

    private static void Passes_over(EndPoint full)
    {
        using TestServer server = TestServer.Echo();
        var timeout = TimeSpan.FromMilliseconds(200);
        using var proxy = new ProxyHost(new ProxyOptions { Upstreams = [ProxyHost.To(full), ProxyHost.To(server.EndPoint)], ConnectTimeout = timeout });
        long start = Stopwatch.GetTimestamp();
        using Socket client = TestServer.Connect(proxy.EndPoint);
        client.Ping();
        Assert.InRange(Stopwatch.GetElapsedTime(start), timeout, TimeSpan.FromSeconds(10));
        Assert.Equal(1, proxy.On(p => p.Statistics.ConnectFailures));
    }

    [Fact]
    public void A_silent_connection_is_closed_after_the_idle_timeout_and_a_busy_one_is_not()
    {
        var timeout = TimeSpan.FromSeconds(2); // the busy one must not be held up so long by a busy machine
        using TestServer server = TestServer.Echo();
        using var proxy = new ProxyHost(new ProxyOptions { Upstreams = [ProxyHost.To(server.EndPoint)], IdleTimeout = timeout });
        using Socket busy = TestServer.Connect(proxy.EndPoint);
        using Socket silent = TestServer.Connect(proxy.EndPoint);
        long start = Stopwatch.GetTimestamp();
        silent.Ping();
        while (!silent.Poll(0, SelectMode.SelectRead))
            busy.Ping();
        Assert.InRange(Stopwatch.GetElapsedTime(start), timeout, TimeSpan.FromSeconds(20));
        Assert.Null(silent.EndOf());
        Assert.Equal(1, proxy.On(p => p.Statistics.IdleClosed));
        busy.Ping();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_client_that_does_not_take_its_answer_is_reset_after_the_idle_timeout(bool splice)
    {
        using TestServer server = Endless();
        using var proxy = new ProxyHost(new ProxyOptions
        {
            Upstreams = [ProxyHost.To(server.EndPoint)],
            IdleTimeout = TimeSpan.FromSeconds(2), // the server must not be held up so long by a busy machine
            MaxPipes = splice ? 8 : 0,
        });
        using Socket client = TestServer.Connect(proxy.EndPoint);
        client.Hear(1);
        Assert.True(SpinWait.SpinUntil(() => proxy.On(p => p.Statistics.IdleClosed) == 1, TimeSpan.FromSeconds(30)));
        Assert.Equal(SocketError.ConnectionReset, client.EndOf());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void At_the_limit_clients_wait_in_the_backlog(int listeners)
    {
        using TestServer server = TestServer.Echo();
        using var proxy = new ProxyHost(
            new ProxyOptions { Upstreams = [ProxyHost.To(server.EndPoint)], MaxConnections = 2 },
            [.. Enumerable.Repeat(AnyPort, listeners)]);
        using Socket first = TestServer.Connect(proxy.EndPoints[0]);
        Socket second = TestServer.Connect(proxy.EndPoints[^1]);
        first.Ping();
        second.Ping();
        for (int i = 0; i < 4; i++)
        {
            Socket waiting = TestServer.Connect(proxy.EndPoints[i % listeners]);
            waiting.Say("ping");
            for (int turn = 0; turn < 20; turn++)
                first.Ping(); // the loop has been through its events, and has left this one
            Assert.Equal((2, 2 + i, 0), proxy.On(p => (p.Statistics.Active, p.Statistics.Accepted, waiting.Available)));
            second.Dispose();
            Assert.Equal("ping", waiting.Hear(4));
            second = waiting;
        }

        second.Dispose();
    }

    [Fact]
    public void Draining_lets_connections_end_and_takes_no_more()
    {
        using TestServer server = TestServer.Echo();
        using var proxy = new ProxyHost(new ProxyOptions { Upstreams = [ProxyHost.To(server.EndPoint)], DrainTimeout = TimeSpan.FromMinutes(1) });
        using Socket client = TestServer.Connect(proxy.EndPoint);
        client.Ping();
        proxy.On(p =>
        {
            p.Drain();
            return 0;
        });
        Assert.Throws<SocketException>(() => TestServer.Connect(proxy.EndPoint));
        client.Ping();
        client.Shutdown(SocketShutdown.Send);
        Assert.Equal(0, client.Drain());
        proxy.WaitForEnd();
    }

    [Fact]
    public void After_the_drain_timeout_connections_are_closed()
    {
        using TestServer server = TestServer.Echo();
        using var proxy = new ProxyHost(new ProxyOptions { Upstreams = [ProxyHost.To(server.EndPoint)], DrainTimeout = TimeSpan.FromMilliseconds(50) });
        using Socket client = TestServer.Connect(proxy.EndPoint);
        client.Ping();
        proxy.Post(p => p.Drain());
        Assert.Null(client.EndOf());
        proxy.WaitForEnd();
    }

    [Fact]
    public void After_the_drain_timeout_a_client_that_has_not_taken_its_answer_is_reset()
    {
        using TestServer server = Endless();
        using var proxy = new ProxyHost(new ProxyOptions { Upstreams = [ProxyHost.To(server.EndPoint)], DrainTimeout = TimeSpan.FromSeconds(1) });
        using Socket client = TestServer.Connect(proxy.EndPoint);
        client.Hear(1);
        proxy.Post(p => p.Drain());
        proxy.WaitForEnd();
        Assert.Equal(SocketError.ConnectionReset, client.EndOf());
    }

    [Fact]
    public void Aborting_resets_what_has_moved_since_draining_began_and_closes_what_has_not()
    {
        using TestServer server = TestServer.Echo();
        using var proxy = new ProxyHost(new ProxyOptions { Upstreams = [ProxyHost.To(server.EndPoint)], DrainTimeout = TimeSpan.FromMinutes(1) });
        using Socket silent = TestServer.Connect(proxy.EndPoint), busy = TestServer.Connect(proxy.EndPoint);
        silent.Ping();
        busy.Ping();
        proxy.On(p =>
        {
            p.Drain();
            return 0;
        });
        busy.Ping();
        proxy.Post(p => p.Abort());
        Assert.Equal(SocketError.ConnectionReset, busy.EndOf());
        Assert.Null(silent.EndOf());
        proxy.WaitForEnd();
    }

    [Fact]
    public void Aborting_ends_a_connection_that_is_still_looking_for_its_upstream()
    {
        using var full = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        full.Bind(AnyPort);
        full.Listen(0);
        using Socket first = TestServer.Connect(full.LocalEndPoint!);
        using var proxy = new ProxyHost(new ProxyOptions { Upstreams = [ProxyHost.To(full.LocalEndPoint!)], ConnectTimeout = TimeSpan.FromMinutes(1) });
        using Socket client = TestServer.Connect(proxy.EndPoint);
        Assert.True(SpinWait.SpinUntil(() => proxy.On(p => p.Statistics.Active) == 1, TimeSpan.FromSeconds(30)));
        proxy.Post(p => p.Abort());
        Assert.Null(client.EndOf());
        proxy.WaitForEnd();
    }
}
