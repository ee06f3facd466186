using System.Net;
using Weir.Net;
using Weir.Simulation;
using Weir.Tool.Proxy;

namespace Weir.Tool.Tests.Simulated;

/// <summary>The proxy's core as it is, between hosts of a simulated network: clients on one, two upstreams on others, faults on all.</summary>
public class SimulatedProxyTests
{
    private const int Port = 7000;

    [Fact]
    public void What_goes_through_comes_back_whole_under_every_seed() => Sim.Explore(
        async sim =>
        {
            sim.Network.DefaultLink = new SimLink { Latency = TimeSpan.FromMilliseconds(1), Jitter = TimeSpan.FromMilliseconds(1) };
            sim.Faults.Add(SimFault.ShortRead, 0.05);
            sim.Faults.Add(SimFault.ShortWrite, 0.05);
            sim.Faults.Add(SimFault.LateArrival, 0.05);
            StartUpstream(sim, "one", "10.0.0.1");
            StartUpstream(sim, "two", "10.0.0.2");
            StartProxy(sim, "10.0.0.1", "10.0.0.2");
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Exchange(sim.Random, 60_000)));
        },
        new ExploreOptions { Runs = 40 });

    [Fact]
    public void An_upstream_that_crashes_in_mid_transfer_ends_the_clients_connection() => Sim.Explore(
        async sim =>
        {
            sim.Network.DefaultLink = new SimLink { Latency = TimeSpan.FromMilliseconds(1) };
            SimHost upstream = StartUpstream(sim, "one", "10.0.0.1");
            StartProxy(sim, "10.0.0.1");
            await using Connection client = await Reach(new IPEndPoint(IPAddress.Parse("10.0.0.9"), Port));
            await client.WriteAsync(new byte[1000]);
            byte[] back = new byte[1000];
            await client.ReadExactlyAsync(back);
            upstream.Crash();
            upstream.Restart(); // so that what comes for the connection of before is answered
            await client.WriteAsync(new byte[1000]);
            bool ended;
            try
            {
                ended = await client.ReadAsync(back) == 0;
            }
            catch (KernelException reset) when (reset.Errno == Errno.ECONNRESET)
            {
                ended = true;
            }

            Assert.True(ended);
        },
        new ExploreOptions { Runs = 20 });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_client_that_reads_slowly_gets_all_however_short_the_idle_timeout(bool splice) => Sim.Explore(
        async sim =>
        {
            const int Answer = 1_500_000, Piece = 2_000;
            sim.Network.DefaultLink = new SimLink { Latency = TimeSpan.FromMilliseconds(1) };
            // On the proxy's own host: from there it comes in large pieces, such as are spliced.
            var upstream = new IPEndPoint(IPAddress.Loopback, Port + 1);
            var options = new ProxyOptions { Upstreams = [new Upstream("one", [upstream])], IdleTimeout = TimeSpan.FromSeconds(8), MaxPipes = splice ? 8 : 0 };
            SimHost host = StartProxy(sim, options);
            sim.Loop(
                "one",
                async () =>
                {
                    using Listener listener = Listener.Bind(upstream);
                    using Connection connection = await listener.AcceptAsync();
                    await connection.WriteAsync(new byte[Answer]);
                    Assert.Equal(0, await connection.ReadAsync(new byte[1])); // the client has it all
                },
                host.Kernel);
            await using Connection client = await Reach(new IPEndPoint(IPAddress.Parse("10.0.0.9"), Port));
            byte[] piece = new byte[Piece];
            for (int got = 0; got < Answer;)
            {
                int count = await client.ReadAsync(piece);
                Assert.True(count > 0, $"It ended after {got} bytes.");
                got += count;
                await EventLoop.Current!.Delay(TimeSpan.FromSeconds(1));
            }
        },
        new ExploreOptions { Runs = 2 });

    private static SimHost StartUpstream(Sim sim, string name, string address)
    {
        SimHost host = sim.AddHost(name, address);
        sim.Loop(
            name,
            async () =>
            {
                using Listener listener = Listener.Bind(new IPEndPoint(IPAddress.Any, Port));
                await listener.AcceptAllAsync(
                    async connection =>
                    {
                        byte[] buffer = new byte[8192];
                        int count;
                        while ((count = await connection.ReadAsync(buffer)) > 0)
                            await connection.WriteAsync(buffer.AsMemory(0, count));
                    },
                    EventLoop.Current!.Stopping);
            },
            host.Kernel);
        return host;
    }

    private static Upstream[] To(params string[] addresses)
        => [.. addresses.Select(address => new Upstream(address, [new IPEndPoint(IPAddress.Parse(address), Port)]))];

    private static void StartProxy(Sim sim, params string[] upstreams) => StartProxy(sim, new ProxyOptions { Upstreams = To(upstreams) });

    private static SimHost StartProxy(Sim sim, ProxyOptions options)
    {
        SimHost host = sim.AddHost("proxy", "10.0.0.9");
        sim.Loop(
            "proxy",
            async () =>
            {
                using var proxy = new ProxyServer(options);
                using CancellationTokenRegistration stop = EventLoop.Current!.Stopping.Register(proxy.Abort);
                proxy.Listen(new IPEndPoint(IPAddress.Any, Port));
                await proxy.RunAsync();
            },
            host.Kernel);
        return host;
    }

    // Sends, says that this was all, and reads to the end meanwhile.
    private static async Task Exchange(Random random, int length)
    {
        byte[] sent = new byte[length];
        random.NextBytes(sent);
        await using Connection client = await Reach(new IPEndPoint(IPAddress.Parse("10.0.0.9"), Port));
        Task sending = Send();
        var received = new MemoryStream();
        byte[] buffer = new byte[4096];
        int count;
        while ((count = await client.ReadAsync(buffer)) > 0)
            received.Write(buffer, 0, count);
        await sending;
        Assert.True(sent.AsSpan().SequenceEqual(received.ToArray()));

        async Task Send()
        {
            await client.WriteAsync(sent);
            client.ShutdownWrite();
        }
    }

    // Whoever is asked may not listen yet.
    private static async Task<Connection> Reach(IPEndPoint address)
    {
        while (true)
        {
            try
            {
                return await Connection.ConnectAsync(address);
            }
            catch (KernelException refused) when (refused.Errno == Errno.ECONNREFUSED)
            {
                await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(5));
            }
        }
    }
}
