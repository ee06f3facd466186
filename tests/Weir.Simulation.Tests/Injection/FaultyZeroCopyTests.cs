using System.Net;
using Weir.Net;

namespace Weir.Simulation.Tests.Injection;

/// <summary>
/// Writes without a copy under faults, cancelled and closed over at any moment. Their memory is overwritten in the line after their end, which the simulation finds
/// if the kernel still owns it, and every byte that arrives is compared.
/// </summary>
public class FaultyZeroCopyTests
{
    private const int Threshold = 20_000, Longest = 150_000; // an idle peer's kernel has room for less

    private static readonly (SimFault Fault, double Probability)[] s_faults =
    [
        (SimFault.ShortRead, 0.1), (SimFault.ShortWrite, 0.1), (SimFault.LateArrival, 0.1), (SimFault.FalseReadiness, 0.05), (SimFault.Interrupted, 0.05),
        (SimFault.StalledPeer, 0.02), (SimFault.EndedMultishot, 0.1), (SimFault.LateCompletion, 0.1),
    ];

    [Fact]
    public void Two_hundred_seeds_of_faults_find_nothing()
    {
        var options = new ExploreOptions { Runs = 200 };
        foreach ((SimFault fault, double probability) in s_faults)
            options.Faults.Add(fault, probability);
        options.Faults.Add(SimFault.ConnectionReset, 0.003);
        options.Faults.Add(new FaultRule { Fault = SimFault.NoMemory, Probability = 0.02, FileKind = "tcp" });
        var ends = new int[Enum.GetValues<End>().Length];
        Sim.Explore(sim => Program(sim, ends), options);
        Assert.All(Enum.GetValues<End>(), end => Assert.True(ends[(int)end] > 0, $"no write was {end}"));
    }

    private enum End
    {
        Written,
        Cancelled,
        ClosedOver,
        Refused,
    }

    private static async Task Program(Sim sim, int[] ends)
    {
        const int Clients = 3;
        int left = Clients;
        var listening = new TaskCompletionSource<EndPoint>();
        sim.Loop("server", () => Serve(listening, () => left == 0), configure: Configure);
        for (int i = 0; i < Clients; i++)
        {
            var random = new Random(sim.Random.Next());
            sim.Loop(
                $"client {i}",
                async () =>
                {
                    while (!listening.Task.IsCompleted)
                        await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(1));
                    for (int session = 0; session < 3; session++)
                        Interlocked.Increment(ref ends[(int)await Session(listening.Task.Result, random)]);
                    left--;
                },
                configure: Configure);
        }

        while (left > 0)
            await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(50));

        static void Configure(LoopOptions options)
        {
            options.Driver = DriverKind.IoUring;
            options.ZeroCopyThreshold = Threshold;
            (options.ReceiveBufferCount, options.ReceiveBufferSize) = (16, 4096);
        }
    }

    private static async Task Serve(TaskCompletionSource<EndPoint> listening, Func<bool> isOver)
    {
        using Listener listener = Listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listening.SetResult(listener.LocalEndPoint);
        Task serving = listener.AcceptAllAsync(async connection =>
        {
            try
            {
                // Not at once, so that writes wait for it.
                byte[] block = new byte[Longest];
                await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(5));
                for (long place = 0; await connection.ReadAsync(block) is int count and > 0; place += count)
                {
                    for (int i = 0; i < count; i++)
                        Assert.True(block[i] == At(place + i), $"byte {place + i} is not what was sent");
                }
            }
            catch (KernelException)
            {
                // A fault, or a write that was given up.
            }
        });
        while (!isOver())
            await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(50));
        listener.Dispose();
        await serving;
    }

    private static async Task<End> Session(EndPoint server, Random random)
    {
        byte[] memory = GC.AllocateArray<byte>(Longest, pinned: true); // never somebody else's
        using var cancellation = new CancellationTokenSource();
        Task? closing = null;
        End end = End.Written;
        try
        {
            await using Connection connection = await Connection.ConnectAsync(server);
            long place = 0;
            for (int i = 0; i < 4; i++)
            {
                int length = random.Next(3) == 0 ? random.Next(1, Threshold) : random.Next(Threshold, Longest);
                for (int j = 0; j < length; j++)
                    memory[j] = At(place + j);
                place += length;
                ValueTask writing = connection.WriteAsync(memory.AsMemory(0, length), cancellation.Token);
                int then = random.Next(8);
                closing ??= then < 2 ? Later(random, () => (then == 0 ? (Action)cancellation.Cancel : connection.Dispose)()) : null;
                try
                {
                    await writing;
                }
                finally
                {
                    memory.AsSpan().Fill(0xEE);
                }
            }

            if (closing != null)
                await closing;
        }
        catch (OperationCanceledException)
        {
            end = End.Cancelled;
        }
        catch (ObjectDisposedException)
        {
            end = End.ClosedOver;
        }
        catch (KernelException)
        {
            end = End.Refused;
        }

        if (closing != null)
            await closing;
        memory.AsSpan().Fill(0xDD);
        return end;
    }

    private static async Task Later(Random random, Action act)
    {
        await EventLoop.Current!.Delay(TimeSpan.FromMicroseconds(random.Next(8000)));
        act();
    }

    private static byte At(long place) => (byte)((place * 31) ^ (place >> 8));
}
