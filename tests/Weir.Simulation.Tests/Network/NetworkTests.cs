using System.Net;
using Weir.Net;

namespace Weir.Simulation.Tests;

public class NetworkTests
{
    private const int Port = 7000;

    private static readonly TimeSpan Latency = TimeSpan.FromMilliseconds(10);

    private static async Task Echo(string address, int port = Port)
    {
        using Listener listener = Listener.Bind(new IPEndPoint(IPAddress.Parse(address), port));
        await listener.AcceptAllAsync(async connection =>
        {
            byte[] buffer = new byte[65_536];
            while (await connection.ReadAsync(buffer) is int count and > 0)
                await connection.WriteAsync(buffer.AsMemory(0, count));
        });
    }

    private static IPEndPoint At(SimHost host, int port = Port) => new(host.Addresses[0], port);

    private static async Task<TimeSpan> RoundTrip(Sim sim, Connection connection, int size = 1)
    {
        TimeSpan before = sim.Elapsed;
        byte[] buffer = new byte[size];
        Task reading = connection.ReadExactlyAsync(buffer).AsTask();
        await connection.WriteAsync(new byte[size]);
        await reading;
        return sim.Elapsed - before;
    }

    private static void InMode(SimMode mode, Func<Sim, Task> program) => Sim.Run(1, program, new SimOptions { Mode = mode });

    [Theory]
    [InlineData(SimMode.Stepping)]
    [InlineData(SimMode.Threads)]
    public void An_echo_over_a_link_takes_its_latency_twice(SimMode mode) => InMode(mode, async sim =>
    {
        SimHost server = sim.AddHost("server", "10.0.0.2", "fd00::2");
        sim.Network.Link(sim.Host, server, new SimLink { Latency = Latency });
        sim.Loop("server", () => Echo("10.0.0.2"), server.Kernel);
        await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(1));
        TimeSpan before = sim.Elapsed;
        await using Connection connection = await Connection.ConnectAsync(At(server));
        Assert.InRange(sim.Elapsed - before, 2 * Latency, 2 * Latency + TimeSpan.FromMilliseconds(1));
        Assert.Equal(new IPEndPoint(IPAddress.Parse("192.0.2.1"), 32768), connection.LocalEndPoint);
        for (int i = 0; i < 3; i++)
            Assert.InRange(await RoundTrip(sim, connection), 2 * Latency, 2 * Latency + TimeSpan.FromMilliseconds(1));
    });

    [Fact]
    public void Hosts_reach_themselves_at_once_and_each_has_its_own_loopback() => InMode(SimMode.Stepping, async sim =>
    {
        SimHost server = sim.AddHost("server", "10.0.0.2");
        sim.Network.DefaultLink = new SimLink { Latency = Latency };
        sim.Loop("echo", () => Echo("0.0.0.0"), server.Kernel);
        sim.Loop("own echo", () => Echo("127.0.0.1"));
        SimKernel other = server.StartProcess("client");
        TimeSpan own = default;
        bool ended = false;
        sim.Loop(
            "client",
            async () =>
            {
                await EventLoop.Current!.Delay(TimeSpan.FromSeconds(1));
                await using Connection connection = await Connection.ConnectAsync(At(server));
                own = await RoundTrip(sim, connection);
                ended = true;
            },
            other);
        await EventLoop.Current!.Delay(TimeSpan.FromSeconds(2));
        Assert.True(ended);
        Assert.InRange(own, TimeSpan.Zero, TimeSpan.FromMilliseconds(1));
        KernelException refused = await Assert.ThrowsAsync<KernelException>(async () => await Connection.ConnectAsync(At(sim.Host)));
        Assert.Equal(Errno.ECONNREFUSED, refused.Errno);
        await using Connection loopback = await Connection.ConnectAsync(new IPEndPoint(IPAddress.Loopback, Port));
        Assert.InRange(await RoundTrip(sim, loopback), TimeSpan.Zero, TimeSpan.FromMilliseconds(1));
    });

    [Fact]
    public void A_closed_port_on_another_host_refuses_after_a_round_trip_and_a_missing_host_is_unreachable() => InMode(SimMode.Stepping, async sim =>
    {
        SimHost server = sim.AddHost("server", "10.0.0.2");
        sim.Network.Link(sim.Host, server, new SimLink { Latency = Latency });
        TimeSpan before = sim.Elapsed;
        KernelException exception = await Assert.ThrowsAsync<KernelException>(async () => await Connection.ConnectAsync(At(server)));
        Assert.Equal(Errno.ECONNREFUSED, exception.Errno);
        Assert.InRange(sim.Elapsed - before, 2 * Latency, 2 * Latency + TimeSpan.FromMilliseconds(1));
        exception = await Assert.ThrowsAsync<KernelException>(async () => await Connection.ConnectAsync(new IPEndPoint(IPAddress.Parse("10.0.0.9"), 1)));
        Assert.Equal(Errno.EHOSTUNREACH, exception.Errno);
        exception = await Assert.ThrowsAsync<KernelException>(async () => await Connection.ConnectAsync(new IPEndPoint(IPAddress.Parse("fd00::9"), 1)));
        Assert.Equal(Errno.ENETUNREACH, exception.Errno);
    });

    [Fact]
    public void Bandwidth_sets_how_long_much_data_takes() => InMode(SimMode.Stepping, async sim =>
    {
        const int Size = 1_000_000;
        SimHost server = sim.AddHost("server", "10.0.0.2");
        sim.Network.Link(sim.Host, server, new SimLink { Latency = TimeSpan.FromMilliseconds(1), Bandwidth = 1_000_000 });
        sim.Loop("server", () => Echo("10.0.0.2"), server.Kernel);
        await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(1));
        await using Connection connection = await Connection.ConnectAsync(At(server));
        // Both directions at once, with headers.
        Assert.InRange((await RoundTrip(sim, connection, Size)).TotalSeconds, 1.0, 1.3);
    });

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void What_is_lost_comes_late_but_whole_and_in_order_and_so_by_the_seed(ulong seed) => Sim.Run(
        seed,
        async sim =>
        {
            SimHost server = sim.AddHost("server", "10.0.0.2");
            sim.Network.DefaultLink = new SimLink { Latency = Latency, Jitter = Latency, Loss = 0.1 };
            sim.Loop("server", () => Echo("10.0.0.2"), server.Kernel);
            await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(1));
            await using Connection connection = await Connection.ConnectAsync(At(server));
            byte[] sent = new byte[300_000], got = new byte[sent.Length];
            sim.Random.NextBytes(sent);
            Task reading = connection.ReadExactlyAsync(got).AsTask();
            await connection.WriteAsync(sent);
            await reading;
            Assert.Equal(sent, got);
        },
        new SimOptions { CheckDeterminism = true });

    [Fact]
    public void A_partition_delays_and_healing_brings_what_was_sent() => InMode(SimMode.Stepping, async sim =>
    {
        SimHost server = sim.AddHost("server", "10.0.0.2");
        sim.Network.Link(sim.Host, server, new SimLink { Latency = Latency });
        sim.Loop("server", () => Echo("10.0.0.2"), server.Kernel);
        await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(1));
        await using Connection connection = await Connection.ConnectAsync(At(server));
        await RoundTrip(sim, connection);
        sim.Network.PartitionOneWay(server, sim.Host);
        Task<TimeSpan> late = RoundTrip(sim, connection);
        await EventLoop.Current!.Delay(TimeSpan.FromSeconds(5));
        Assert.False(late.IsCompleted);
        sim.Network.Heal(server, sim.Host);
        // The next repetition is due after as long again.
        Assert.InRange((await late).TotalSeconds, 5, 14);
        Assert.InRange(await RoundTrip(sim, connection), 2 * Latency, 2 * Latency + TimeSpan.FromMilliseconds(1));
    });

    [Fact]
    public void A_partition_that_stays_ends_connections_after_a_quarter_of_an_hour() => InMode(SimMode.Stepping, async sim =>
    {
        SimHost server = sim.AddHost("server", "10.0.0.2");
        sim.Loop("server", () => Echo("10.0.0.2"), server.Kernel);
        await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(1));
        Connection connection = await Connection.ConnectAsync(At(server));
        Connection impatient = await Connection.ConnectAsync(At(server));
        SetOption(sim.Kernel, impatient, SocketLevel.Tcp, SocketOption.TcpUserTimeout, 30_000);
        await RoundTrip(sim, connection);
        await RoundTrip(sim, impatient);
        sim.Network.Partition(server, sim.Host);
        TimeSpan before = sim.Elapsed;
        KernelException exception = await Assert.ThrowsAsync<KernelException>(() => RoundTrip(sim, impatient));
        Assert.Equal(Errno.ETIMEDOUT, exception.Errno);
        Assert.InRange((sim.Elapsed - before).TotalSeconds, 30, 40);
        before = sim.Elapsed;
        exception = await Assert.ThrowsAsync<KernelException>(() => RoundTrip(sim, connection));
        Assert.Equal(Errno.ETIMEDOUT, exception.Errno);
        Assert.InRange((sim.Elapsed - before).TotalMinutes, 15, 18);
        before = sim.Elapsed;
        exception = await Assert.ThrowsAsync<KernelException>(async () => await Connection.ConnectAsync(At(server)));
        Assert.Equal(Errno.ETIMEDOUT, exception.Errno);
        Assert.InRange((sim.Elapsed - before).TotalSeconds, 131, 132);
        connection.Dispose();
        impatient.Dispose();
    });

    [Fact]
    public void What_is_held_arrives_when_it_is_released() => InMode(SimMode.Stepping, async sim =>
    {
        SimHost server = sim.AddHost("server", "10.0.0.2");
        sim.Network.Link(sim.Host, server, new SimLink { Latency = Latency });
        sim.Loop("server", () => Echo("10.0.0.2"), server.Kernel);
        await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(1));
        await using Connection connection = await Connection.ConnectAsync(At(server));
        sim.Network.Hold(sim.Host, server);
        Task<TimeSpan> late = RoundTrip(sim, connection);
        await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(150));
        Assert.False(late.IsCompleted);
        sim.Network.Release(sim.Host, server);
        Assert.InRange(await late, TimeSpan.FromMilliseconds(160), TimeSpan.FromMilliseconds(161));
    });

    [Fact]
    public void A_writer_that_waits_for_room_survives_a_partition_in_which_the_news_of_it_is_lost() => InMode(SimMode.Stepping, async sim =>
    {
        SimHost server = sim.AddHost("server", "10.0.0.2");
        var read = new TaskCompletionSource();
        long got = 0;
        SimLoop reader = sim.Loop(
            "server",
            async () =>
            {
                using Listener listener = Listener.Bind(At(server));
                await using Connection connection = await listener.AcceptAsync();
                byte[] buffer = new byte[100_000];
                while (sim.Elapsed < TimeSpan.FromSeconds(10))
                    await EventLoop.Current!.Delay(TimeSpan.FromSeconds(1));
                while (await connection.ReadAsync(buffer) is int count and > 0)
                    got += count;
            },
            server.Kernel);
        await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(1));
        Connection connection = await Connection.ConnectAsync(At(server));
        ValueTask writing = connection.WriteAsync(new byte[1_000_000]);
        await EventLoop.Current!.Delay(TimeSpan.FromSeconds(5));
        sim.Network.Partition(sim.Host, server);
        await EventLoop.Current!.Delay(TimeSpan.FromSeconds(20));
        Assert.InRange(got, 1, 200_000);
        sim.Network.HealAll();
        await writing;
        connection.Dispose();
        while (!reader.HasEnded)
            await EventLoop.Current!.Delay(TimeSpan.FromSeconds(1));
        Assert.Equal(1_000_000, got);
    });

    [Fact]
    public void Keep_alive_finds_out_that_the_peer_is_gone() => InMode(SimMode.Stepping, async sim =>
    {
        SimHost server = sim.AddHost("server", "10.0.0.2");
        sim.Loop("server", () => Echo("10.0.0.2"), server.Kernel);
        await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(1));
        await using Connection connection = await Connection.ConnectAsync(At(server));
        SetOption(sim.Kernel, connection, SocketLevel.Tcp, SocketOption.TcpKeepIdle, 60);
        SetOption(sim.Kernel, connection, SocketLevel.Tcp, SocketOption.TcpKeepInterval, 10);
        SetOption(sim.Kernel, connection, SocketLevel.Tcp, SocketOption.TcpKeepCount, 3);
        connection.KeepAlive = true;
        await RoundTrip(sim, connection);
        TimeSpan before = sim.Elapsed;
        sim.Network.Partition(sim.Host, server);
        KernelException exception = await Assert.ThrowsAsync<KernelException>(async () => _ = await connection.ReadAsync(new byte[1]));
        Assert.Equal(Errno.ETIMEDOUT, exception.Errno);
        Assert.InRange((sim.Elapsed - before).TotalSeconds, 89, 91);
    });

    [Fact]
    public void Addresses_belong_to_one_host() => InMode(SimMode.Stepping, sim =>
    {
        sim.AddHost("a", "10.0.0.1");
        Assert.Throws<ArgumentException>(() => sim.AddHost("b", "10.0.0.1"));
        Assert.Throws<ArgumentException>(() => sim.AddHost("b", "127.0.0.1"));
        Assert.Throws<ArgumentException>(() => sim.AddHost("b", "nowhere"));
        Assert.Throws<ArgumentException>(() => sim.AddHost("b"));
        return Task.CompletedTask;
    });

    private static unsafe void SetOption(SimKernel kernel, Connection connection, SocketLevel level, SocketOption option, int value)
        => Assert.Equal(0, kernel.SetSockOpt(connection.FileDescriptor, level, option, &value, sizeof(int)));
}
