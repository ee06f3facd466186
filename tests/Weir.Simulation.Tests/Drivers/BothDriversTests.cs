using System.Net;
using Weir.Net;

namespace Weir.Simulation.Tests;

/// <summary>Clients and servers on either driver that do to each other what clients and servers do, under faults; every byte is compared.</summary>
public class BothDriversTests
{
    private const int Longest = 60_000;
    private static readonly byte[] s_noise = MakeNoise();

    private static readonly (SimFault Fault, double Probability)[] s_faults =
    [
        (SimFault.ShortRead, 0.1), (SimFault.ShortWrite, 0.1), (SimFault.LateArrival, 0.1), (SimFault.FalseReadiness, 0.05), (SimFault.Interrupted, 0.05),
        (SimFault.ConnectionReset, 0.004), (SimFault.StalledPeer, 0.02), (SimFault.EndedMultishot, 0.1),
    ];

    private static byte[] MakeNoise()
    {
        byte[] noise = new byte[4 * Longest];
        new Random(1).NextBytes(noise);
        return noise;
    }

    [Fact]
    public void Five_hundred_seeds_of_faults_find_nothing()
    {
        ExploreOptions options = UnderFaults(500);
        long[] struck = new long[s_faults.Length];
        Sim.Explore(
            async sim =>
            {
                await Program(sim, int.MaxValue);
                sim.AtEnd(() =>
                {
                    for (int i = 0; i < struck.Length; i++)
                        Interlocked.Add(ref struck[i], sim.Faults.Count(s_faults[i].Fault));
                });
            },
            options);
        Assert.DoesNotContain(0, struck);
    }

    [Fact]
    public void Edges_that_are_only_what_the_textbook_says_are_enough()
    {
        ExploreOptions options = UnderFaults(100);
        options.Edges = EdgeSemantics.Strict;
        Sim.Explore(sim => Program(sim, int.MaxValue), options);
    }

    [Fact]
    public void Sends_without_a_copy_find_nothing_either() => Sim.Explore(sim => Program(sim, zeroCopyThreshold: 17_000), UnderFaults(100));

    private static ExploreOptions UnderFaults(int runs)
    {
        var options = new ExploreOptions { Runs = runs };
        foreach ((SimFault fault, double probability) in s_faults)
            options.Faults.Add(fault, probability);
        return options;
    }

    private static async Task Program(Sim sim, int zeroCopyThreshold)
    {
        const int ClientsEach = 2;
        DriverKind[] drivers = [DriverKind.Epoll, DriverKind.IoUring];
        int left = drivers.Length * drivers.Length * ClientsEach;
        foreach (DriverKind serverDriver in drivers)
        {
            var listening = new TaskCompletionSource<EndPoint>();
            bool inPlace = sim.Random.Next(2) == 0;
            sim.Loop(
                $"server on {serverDriver}",
                async () =>
                {
                    using Listener listener = Listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
                    listening.SetResult(listener.LocalEndPoint);
                    Task serving = listener.AcceptAllAsync(inPlace ? EchoInPlace : Echo);
                    while (left > 0)
                        await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(50));
                    listener.Dispose();
                    await serving;
                },
                configure: options => Configure(options, serverDriver));
            foreach (DriverKind clientDriver in drivers)
            {
                for (int i = 0; i < ClientsEach; i++)
                {
                    var random = new Random(sim.Random.Next());
                    sim.Loop(
                        $"client {i} on {clientDriver} of {serverDriver}",
                        async () =>
                        {
                            while (!listening.Task.IsCompleted)
                                await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(1));
                            try
                            {
                                await Client(listening.Task.Result, random);
                            }
                            finally
                            {
                                left--;
                            }
                        },
                        configure: options => Configure(options, clientDriver));
                }
            }
        }

        while (left > 0)
            await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(50));

        void Configure(LoopOptions options, DriverKind driver)
        {
            options.Driver = driver;
            options.ZeroCopyThreshold = zeroCopyThreshold;
            (options.ReceiveBufferCount, options.ReceiveBufferSize) = (16, 4096); // few, so that they run out
        }
    }

    private static async Task Echo(Connection connection)
    {
        byte[] buffer = new byte[Longest];
        while (await connection.ReadAsync(buffer) is int count and > 0)
            await connection.WriteAsync(buffer.AsMemory(0, count));
    }

    private static async Task EchoInPlace(Connection connection)
    {
        while (true)
        {
            await connection.WaitForDataAsync();
            if (!connection.TryReceive(out ReceivedBuffer buffer))
                continue;
            if (buffer.Length == 0)
                return;
            await connection.SendAsync(buffer);
        }
    }

    private static async Task Client(EndPoint server, Random random)
    {
        for (int session = 0; session < 4; session++)
        {
            try
            {
                await using Connection connection = await Connection.ConnectAsync(server);
                for (int i = 0; i < 3; i++)
                    await Exchange(connection, random);
                switch (random.Next(4))
                {
                    case 0:
                        connection.Abort();
                        break;
                    case 1:
                        connection.ShutdownWrite();
                        Assert.Equal(0, await connection.ReadAsync(new byte[1]));
                        break;
                    case 2:
                        await connection.WriteAsync(s_noise.AsMemory(0, random.Next(1, Longest)));
                        break; // closed with an answer on its way
                }
            }
            catch (KernelException exception) when (exception.Errno is Errno.ECONNRESET or Errno.EPIPE)
            {
                // A fault. The next session begins anew.
            }
            catch (EndOfStreamException)
            {
                // The server's side was reset, and it has closed.
            }
        }
    }

    private static async Task Exchange(Connection connection, Random random)
    {
        int length = random.Next(3) == 0 ? random.Next(1, Longest) : random.Next(1, 2000);
        ReadOnlyMemory<byte> sent = s_noise.AsMemory(random.Next(s_noise.Length - length), length);
        byte[] received = new byte[length];
        using var cancellation = new CancellationTokenSource();
        if (random.Next(3) == 0)
        {
            // A read that is cancelled, whose buffer is somebody else's in the next line.
            ValueTask<int> reading = connection.ReadAsync(received, cancellation.Token);
            if (random.Next(2) == 0)
                await EventLoop.Yield();
            cancellation.Cancel();
            received.AsSpan().Fill(0xEE);
            try
            {
                Assert.Equal(0, await reading);
                throw new EndOfStreamException(); // a fault was faster
            }
            catch (OperationCanceledException)
            {
                Assert.DoesNotContain(received, one => one != 0xEE);
            }
        }

        Task writing = connection.WriteAsync(sent).AsTask();
        await connection.ReadExactlyAsync(received);
        await writing;
        Assert.True(sent.Span.SequenceEqual(received));
    }
}
