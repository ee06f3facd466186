using System.Net;
using Weir.Bench.Parts;
using Weir.Net;
using Weir.Simulation;

namespace Weir.Bench.Simulation;

/// <summary>
/// An echo server and ten clients, a loop each, on simulated TCP that is short, late, interrupted and reset; a seed after the other. Every byte
/// that returns is compared. A client whose connection is reset connects anew and sends its message again.
/// </summary>
internal sealed class FaultyEcho
{
    private const int Clients = 10;
    private const int Messages = 10;
    private const int LongestMessage = 8192;
    private const int SeedsOfTarget = 1000;
    private const double SecondsOfTarget = 10;

    private static readonly (SimFault Fault, double Probability)[] Faults =
    [
        (SimFault.ShortRead, 0.1), (SimFault.ShortWrite, 0.1), (SimFault.LateArrival, 0.1), (SimFault.FalseReadiness, 0.05), (SimFault.Interrupted, 0.05),
        (SimFault.ConnectionReset, 0.005),
    ];

    // Messages are stretches of it: making bytes costs nothing then, and none has the bytes of another.
    private static readonly byte[] Noise = MakeNoise(8 * LongestMessage);

    private readonly long[] _struck = new long[Faults.Length];
    private long _messages;
    private long _bytes;

    internal static void Run(Report report, int seeds)
    {
        var echo = new FaultyEcho();
        var options = new ExploreOptions { Runs = seeds, Progress = _ => { } };
        foreach ((SimFault fault, double probability) in Faults)
            options.Faults.Add(fault, probability);
        TimeSpan before = Environment.CpuUsage.TotalTime;
        ExploreResult result = Sim.Explore(echo.Program, options);
        TimeSpan cpu = Environment.CpuUsage.TotalTime - before;

        Report.Say();
        Report.Say($"echo server, {Clients} clients, faults: {result}, {cpu.TotalSeconds:0.0} s of CPU");
        Report.Say($"  {echo._messages:N0} messages, {echo._bytes:N0} bytes came back whole");
        Report.Say($"  {string.Join(", ", Faults.Zip(echo._struck, (fault, struck) => $"{fault.Fault} {struck:N0}"))}");
        if (Array.IndexOf(echo._struck, 0) is >= 0 and int never)
            throw new InvalidOperationException($"{Faults[never].Fault} never struck in {seeds} seeds; take more.");
        // With fewer the JIT is most of it.
        if (seeds >= SeedsOfTarget)
            report.Add(new Target($"{seeds:N0} seeds of the echo server, s", result.Elapsed.TotalSeconds, SecondsOfTarget * seeds / SeedsOfTarget));
    }

    private static byte[] MakeNoise(int length)
    {
        byte[] noise = new byte[length];
        new Random(1).NextBytes(noise);
        return noise;
    }

    private async Task Program(Sim sim)
    {
        using Listener listener = Listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        EndPoint server = listener.LocalEndPoint;
        int left = Clients;
        for (int i = 0; i < Clients; i++)
        {
            var random = new Random(sim.Random.Next());
            sim.Loop($"client {i}", async () =>
            {
                await Client(server, random);
                if (--left == 0)
                    listener.Dispose();
            });
        }

        sim.AtEnd(() =>
        {
            for (int i = 0; i < Faults.Length; i++)
                Interlocked.Add(ref _struck[i], sim.Faults.Count(Faults[i].Fault));
        });
        await listener.AcceptAllAsync(Echo);
    }

    private static async Task Echo(Connection connection)
    {
        byte[] buffer = new byte[LongestMessage];
        while (await connection.ReadAsync(buffer) is int count and > 0)
            await connection.WriteAsync(buffer.AsMemory(0, count));
    }

    private async Task Client(EndPoint server, Random random)
    {
        byte[] buffer = new byte[LongestMessage];
        for (int done = 0; done < Messages;)
        {
            try
            {
                await using Connection connection = await Connection.ConnectAsync(server);
                for (; done < Messages; done++)
                {
                    int length = random.Next(1, LongestMessage + 1);
                    ReadOnlyMemory<byte> sent = Noise.AsMemory(random.Next(Noise.Length - length), length);
                    Memory<byte> received = buffer.AsMemory(0, length);
                    await connection.WriteAsync(sent);
                    await connection.ReadExactlyAsync(received);
                    if (!received.Span.SequenceEqual(sent.Span))
                        throw new InvalidDataException($"Message {done} came back with other bytes.");
                    Interlocked.Increment(ref _messages);
                    Interlocked.Add(ref _bytes, length);
                }
            }
            catch (KernelException exception) when (exception.Errno is Errno.ECONNRESET or Errno.EPIPE)
            {
                // What there was of the message is lost: the next connection begins with a new one.
            }
        }
    }
}
