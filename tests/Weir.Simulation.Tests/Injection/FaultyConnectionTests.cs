using System.Net;
using Weir.Net;

namespace Weir.Simulation.Tests.Injection;

/// <summary>The runtime's own connections under faults: what a kernel may do, they must bear.</summary>
public class FaultyConnectionTests
{
    private const int Length = 100_000;

    private static readonly SimFault[] Bearable =
        [SimFault.ShortRead, SimFault.ShortWrite, SimFault.Interrupted, SimFault.FalseReadiness, SimFault.LateArrival, SimFault.StalledPeer];

    [Theory]
    [InlineData("tcp", SimMode.Stepping, DriverKind.Epoll)]
    [InlineData("tcp", SimMode.Threads, DriverKind.Epoll)]
    [InlineData("unix", SimMode.Stepping, DriverKind.Epoll)]
    [InlineData("unix", SimMode.Threads, DriverKind.Epoll)]
    [InlineData("tcp", SimMode.Stepping, DriverKind.IoUring)]
    [InlineData("tcp", SimMode.Threads, DriverKind.IoUring)]
    [InlineData("unix", SimMode.Stepping, DriverKind.IoUring)]
    [InlineData("unix", SimMode.Threads, DriverKind.IoUring)]
    public void Streams_arrive_whole_whatever_is_short_late_or_interrupted(string family, SimMode mode, DriverKind driver)
    {
        SimFault[] faults = driver == DriverKind.Epoll ? Bearable : [.. Bearable, SimFault.EndedMultishot];
        int[] struck = new int[Enum.GetValues<SimFault>().Length];
        for (ulong seed = 0; seed < 30; seed++)
        {
            SimOptions options = Faulty(mode, 0.2, faults);
            options.Driver = driver;
            Sim.Run(
                seed,
                async sim =>
                {
                    await (family == "tcp" ? EchoOverTcp(sim) : EchoOverUnix(sim));
                    foreach (SimFault fault in faults)
                        struck[(int)fault] += sim.Faults.Count(fault);
                },
                options);
        }

        Assert.All(faults, fault => Assert.True(struck[(int)fault] > 0, $"{fault} never struck"));
    }

    [Theory]
    [InlineData(DriverKind.Epoll)]
    [InlineData(DriverKind.IoUring)]
    public void Descriptors_arrive_once_with_the_first_of_their_bytes_however_short_the_reads(DriverKind driver)
    {
        int shortened = 0;
        for (ulong seed = 0; seed < 30; seed++)
        {
            SimOptions options = Faulty(SimMode.Stepping, 0.3, Bearable);
            options.Driver = driver;
            Sim.Run(
                seed,
                async sim =>
                {
                    (Connection sender, Connection receiver) = Connection.CreatePair();
                    using Connection a = sender, b = receiver;
                    using var signal = new EventSignal();
                    byte[] sent = [.. Enumerable.Range(0, 90).Select(number => (byte)number)], buffer = new byte[200];
                    await a.SendDescriptorsAsync(sent, new[] { signal.FileDescriptor });
                    await a.WriteAsync(sent.AsMemory(0, 10));
                    int[] descriptors = new int[4];
                    var bytes = new List<byte>();
                    while (bytes.Count < 100)
                    {
                        ReceivedDescriptors received = await b.ReceiveDescriptorsAsync(buffer, descriptors);
                        Assert.Equal(bytes.Count == 0 ? 1 : 0, received.Descriptors);
                        if (received.Descriptors == 1)
                            Assert.Equal(0, sim.Kernel.Close(descriptors[0]));
                        bytes.AddRange(buffer.AsSpan(0, received.Bytes));
                    }

                    Assert.Equal([.. sent, .. sent[..10]], bytes);
                    shortened += sim.Faults.Count(SimFault.ShortRead);
                },
                options);
        }

        Assert.True(shortened > 0);
    }

    [Theory]
    [InlineData(SimMode.Stepping, DriverKind.Epoll)]
    [InlineData(SimMode.Threads, DriverKind.Epoll)]
    [InlineData(SimMode.Stepping, DriverKind.IoUring)]
    [InlineData(SimMode.Threads, DriverKind.IoUring)]
    public void Resets_and_shortages_end_a_transfer_with_an_exception_and_nothing_left_open(SimMode mode, DriverKind driver)
    {
        int failed = 0;
        for (ulong seed = 0; seed < 50; seed++)
        {
            SimOptions options = Faulty(mode, 0.02, [SimFault.ConnectionReset]);
            options.Driver = driver;
            options.Faults.Add(new FaultRule { Fault = SimFault.NoMemory, Probability = 0.02, FileKind = "tcp" });
            options.Faults.Add(new FaultRule { Fault = SimFault.NoMemory, Probability = 0.02, Call = SystemCall.Socket });
            options.Faults.Add(new FaultRule { Fault = SimFault.NoDescriptors, Probability = 0.2, Call = SystemCall.Accept4 });
            Sim.Run(
                seed,
                async sim =>
                {
                    try
                    {
                        await EchoOverTcp(sim);
                    }
                    catch (Exception exception) when (exception is IOException or KernelException)
                    {
                        failed++;
                    }
                },
                options);
        }

        Assert.InRange(failed, 1, 50);
    }

    [Fact]
    public void A_failing_run_is_shrunk_to_one_without_faults_if_they_had_no_part_in_it()
    {
        var options = new ExploreOptions { Trace = new SimTrace(), Runs = 10 };
        options.Faults.Add(SimFault.ShortRead, 0.5);
        SimulationException finding = Assert.Throws<SimulationException>(() => Sim.Explore(
            async sim =>
            {
                await EchoOverUnix(sim);
                throw new InvalidOperationException("broken");
            },
            options));
        Assert.Equal(FindingKind.Failure, finding.Kind);
        Assert.DoesNotContain("fault ShortRead", options.Trace.ToString());
    }

    private static SimOptions Faulty(SimMode mode, double probability, SimFault[] faults)
    {
        var options = new SimOptions { Mode = mode };
        foreach (SimFault fault in faults)
            options.Faults.Add(fault, probability);
        return options;
    }

    private static async Task EchoOverUnix(Sim sim)
    {
        (int one, int other) = new Raw(sim.Kernel).Pair();
        SimLoop server = sim.Loop("server", async () =>
        {
            await using Connection connection = Connection.FromDescriptor(one);
            await EchoAll(connection);
        });
        await Check(sim, Connection.FromDescriptor(other));
        while (!server.HasEnded)
            await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(1));
    }

    private static async Task EchoOverTcp(Sim sim)
    {
        IPEndPoint? address = null;
        SimLoop server = sim.Loop("server", async () =>
        {
            using Listener listener = Listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            address = (IPEndPoint)listener.LocalEndPoint;
            await using Connection connection = await listener.AcceptAsync(EventLoop.Current!.Stopping);
            await EchoAll(connection);
        });
        try
        {
            while (address == null && !server.HasEnded)
                await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(1));
            if (server.Exception is { } failure)
                throw failure;
            await Check(sim, await Connection.ConnectAsync(address!));
            while (!server.HasEnded)
                await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(1));
        }
        finally
        {
            _ = server.Exception; // what a fault does to it is not the simulation's failure
        }
    }

    private static async Task EchoAll(Connection connection)
    {
        byte[] buffer = new byte[30_000];
        while (await connection.ReadAsync(buffer) is int count and > 0)
            await connection.WriteAsync(buffer.AsMemory(0, count));
    }

    private static async Task Check(Sim sim, Connection connection)
    {
        await using (connection)
        {
            byte[] sent = new byte[Length], received = new byte[Length];
            sim.Random.NextBytes(sent);
            Task writing = connection.WriteAsync(sent).AsTask();
            try
            {
                await connection.ReadExactlyAsync(received);
            }
            finally
            {
                connection.Dispose();
                await writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            }

            Assert.Equal(sent, received);
        }
    }
}
