using System.Net;
using System.Text.RegularExpressions;
using ReplicatedStore;
using Weir.Net;

namespace Weir.Simulation.Tests;

/// <summary>The examples of docs/simulation.md. Each runs as a test.</summary>
public class SimulationExamples
{
    private static async Task SellTheLastSeat(Sim sim)
    {
        int seats = 1, sold = 0;
        using var calls = new EventSignal();
        for (int number = 1; number <= 2; number++)
        {
            sim.Thread($"seller {number}", () =>
            {
                bool free = seats > 0;
                calls.Signal(); // "somebody has called": a write(2)
                if (free)
                {
                    seats--;
                    sold++;
                }
            });
        }

        sim.AtEnd(() => Assert.Equal(1, sold)); // once all threads have ended
        for (long answered = 0; answered < 2;)
            answered += await calls.WaitAsync();
    }

    private static class AsATest
    {
        public static void The_last_seat_is_sold_once() => Sim.Explore(SellTheLastSeat);
    }

    [Fact]
    public void A_race_of_two_threads_is_found_shrunk_and_replayed()
    {
        SimulationException found = Assert.Throws<SimulationException>(AsATest.The_last_seat_is_sold_once);
        Assert.Equal(FindingKind.Failure, found.Kind);
        Assert.Contains("to 1 preemption, 0 faults, 1 choice in all", found.Message);
        Assert.Contains("seller 1 was stopped before the marked operation SignalLock; seller 2 ran instead", found.Message);
        Assert.Throws<SimulationException>(() => Sim.Replay(found.ReplayToken!, SellTheLastSeat));
    }

    [Fact]
    public void It_is_traced_for_the_eye_and_for_Perfetto()
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        var trace = new SimTrace();
        try
        {
            Sim.Explore(SellTheLastSeat, new ExploreOptions { Trace = trace });
        }
        catch (SimulationException)
        {
            File.WriteAllText(Path.Combine(folder, "seats.txt"), trace.ToString());
            using FileStream file = File.Create(Path.Combine(folder, "seats.json"));
            trace.WriteChromeTrace(file);
        }

        Assert.Contains("seller 2  write(5 eventfd) ...", File.ReadAllText(Path.Combine(folder, "seats.txt")));
        Assert.StartsWith("{\"displayTimeUnit\"", File.ReadAllText(Path.Combine(folder, "seats.json")));
        Directory.Delete(folder, recursive: true);
    }

    private static async Task SellTheLastSeatOnce(Sim sim)
    {
        int seats = 1, sold = 0;
        using var calls = new EventSignal();
        for (int number = 1; number <= 2; number++)
        {
            sim.Thread($"seller {number}", () =>
            {
                bool free = Interlocked.Decrement(ref seats) >= 0; // looks and takes in one
                calls.Signal();
                if (free)
                    Interlocked.Increment(ref sold);
            });
        }

        sim.AtEnd(() => Assert.Equal(1, sold));
        for (long answered = 0; answered < 2;)
            answered += await calls.WaitAsync();
    }

    [Fact]
    public void All_schedules_up_to_a_number_of_preemptions_can_be_run()
    {
        ExploreResult result = Sim.Explore(SellTheLastSeatOnce, new ExploreOptions { PreemptionBound = 2 });
        Assert.True(result.IsExhausted); // there is no other schedule with so few preemptions
        Assert.True(result.Schedules > 20);
    }

    private static async Task ReadWhileSomebodyWrites(Sim sim, StoreOptions options)
    {
        // Three replicas, each on a machine of its own. To some of them what the writer sends takes long.
        SimHost writer = sim.AddHost("writer", "10.0.1.1");
        SimHost[] hosts = [.. from number in Enumerable.Range(1, 3) select sim.AddHost($"replica {number}", $"10.0.0.{number}")];
        EndPoint[] replicas = [.. from host in hosts select new IPEndPoint(host.Addresses[0], 7101)];
        for (int i = 0; i < hosts.Length; i++)
        {
            int latency = sim.Choose($"ms from the writer to {hosts[i]}", 1, 100);
            sim.Network.LinkOneWay(writer, hosts[i], new SimLink { Latency = TimeSpan.FromMilliseconds(latency) });
            sim.Loop(hosts[i].Name, new Replica(replicas[i], "/journal").RunAsync, hosts[i].Kernel);
        }

        sim.Loop("writer", async () =>
        {
            await using var store = new StoreClient(1, replicas, options);
            await store.SetAsync("x", "new");
        }, writer.Kernel);

        // Meanwhile we read, each time without one of the three.
        await using var store = new StoreClient(2, replicas, options);
        bool found = false;
        for (int i = 0; i < 20; i++)
        {
            SimHost away = sim.Choose<SimHost>("out of reach", hosts);
            sim.Network.Hold(away, sim.Host);
            string? value = await store.GetAsync("x");
            sim.Network.Release(away, sim.Host);
            Assert.False(found && value == null, "first the new value was there, then the old one");
            found = value != null;
            await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(20));
        }
    }

    [Fact]
    public void A_store_whose_gets_do_half_their_work_is_found_out()
    {
        SimulationException found = Assert.Throws<SimulationException>(
            () => Sim.Explore(sim => ReadWhileSomebodyWrites(sim, new StoreOptions { WriteBack = false })));
        Assert.Contains("3 choices in all", found.Message);
        Assert.Contains("ms from the writer to replica 3: 100, in place of 1", found.Message);
        Assert.Contains("out of reach: replica 2, in place of replica 1", found.Message);
        Assert.Throws<SimulationException>(
            () => Sim.Replay(found.ReplayToken!, sim => ReadWhileSomebodyWrites(sim, new StoreOptions { WriteBack = false })));
    }

    [Fact]
    public void One_that_writes_back_is_not()
        => Sim.Explore(sim => ReadWhileSomebodyWrites(sim, new StoreOptions()), new ExploreOptions { Runs = 100 });

    private static async Task Echo(SimHost host)
    {
        using Listener listener = Listener.Bind(new IPEndPoint(host.Addresses[0], 7000));
        await listener.AcceptAllAsync(async connection =>
        {
            byte[] buffer = new byte[4096];
            int count;
            while ((count = await connection.ReadAsync(buffer)) > 0)
                await connection.WriteAsync(buffer.AsMemory(0, count));
        }, EventLoop.Current!.Stopping);
    }

    [Fact]
    public void Hosts_lose_sight_of_each_other_crash_and_come_back() => Sim.Run(async sim =>
    {
        EventLoop loop = EventLoop.Current!;
        SimHost server = sim.AddHost("server", "10.0.0.2"); // a machine of its own
        sim.Loop("server", () => Echo(server), server.Kernel);
        sim.Network.Link(sim.Host, server, new SimLink { Latency = TimeSpan.FromMilliseconds(5), Jitter = TimeSpan.FromMilliseconds(1) });
        await loop.Delay(TimeSpan.FromMilliseconds(1)); // it listens by now

        var address = new IPEndPoint(server.Addresses[0], 7000);
        await using Connection connection = await Connection.ConnectAsync(address);
        sim.Network.Partition(sim.Host, server); // nobody is told
        await connection.WriteAsync("hello"u8.ToArray());
        Task answer = connection.ReadExactlyAsync(new byte[5]).AsTask();
        await loop.Delay(TimeSpan.FromSeconds(10));
        Assert.False(answer.IsCompleted);
        sim.Network.Heal(sim.Host, server);
        await answer; // TCP has sent it again

        server.Crash(); // no word to anybody; its files stay
        SimKernel again = server.Restart();
        sim.Loop("server again", () => Echo(server), again);
        await connection.WriteAsync("hello?"u8.ToArray());
        KernelException reset = await Assert.ThrowsAsync<KernelException>(async () => _ = await connection.ReadAsync(new byte[1]));
        Assert.Equal(Errno.ECONNRESET, reset.Errno);
    });

    [Fact]
    public void A_year_passes_at_once() => Sim.Run(async sim =>
    {
        await EventLoop.Current!.Delay(TimeSpan.FromDays(365));
        Assert.True(sim.Elapsed >= TimeSpan.FromDays(365)); // in a few milliseconds
    });

    [Fact]
    public void Faults_strike_by_chance_and_by_script()
    {
        var options = new ExploreOptions { Runs = 20 };
        options.Faults.Add(SimFault.ShortRead, 0.2).Add(SimFault.LateArrival, 0.2);
        Sim.Explore(async sim =>
        {
            SimHost server = sim.AddHost("server", "10.0.0.2");
            sim.Loop("server", () => Echo(server), server.Kernel);
            sim.Faults.FailNext(SystemCall.Accept4, Errno.EMFILE, times: 3); // a listener pauses, and tries again
            await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(1));
            await using Connection connection = await Connection.ConnectAsync(new IPEndPoint(server.Addresses[0], 7000));
            await connection.WriteAsync("hello"u8.ToArray());
            await connection.ReadExactlyAsync(new byte[5]); // in one piece or in five
        }, options);
    }

    [Fact]
    public void What_the_seed_does_not_determine_is_found()
    {
        SimulationException found = Assert.Throws<SimulationException>(() => Sim.Run(
            async sim => await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(1, 1_000_000))), // sim.Random would do
            new SimOptions { CheckDeterminism = true }));
        Assert.Equal(FindingKind.Nondeterminism, found.Kind);
    }

    [Fact]
    public void A_descriptor_left_open_is_found()
    {
        SimulationException found = Assert.Throws<SimulationException>(() => Sim.Run(sim =>
        {
            sim.Kernel.EventFd(0, EventFdFlags.CloseOnExec);
            return Task.CompletedTask;
        }));
        Assert.Equal(FindingKind.Leak, found.Kind);
    }

    /// <summary>Every line of the page's blocks of output is one that the examples print, but for its numbers and tokens.</summary>
    [Fact]
    public void The_page_shows_what_is_printed()
    {
        var printed = new HashSet<string>();
        var trace = new SimTrace();
        var options = new ExploreOptions { Trace = trace };
        Add(() => Sim.Explore(SellTheLastSeat, options));
        Add(() => Sim.Explore(sim => ReadWhileSomebodyWrites(sim, new StoreOptions { WriteBack = false }), options));

        string[] page = File.ReadAllLines(Page());
        bool inOutput = false;
        for (int i = 0; i < page.Length; i++)
        {
            if (page[i].StartsWith("```", StringComparison.Ordinal))
                inOutput = page[i] == "```text";
            else if (inOutput && page[i].Trim() is not ("" or "..."))
                Assert.True(printed.Contains(Plain(page[i])), $"Line {i + 1} is not printed by any example:\n{page[i]}");
        }

        void Add(Func<ExploreResult> explore)
        {
            string output = Assert.Throws<SimulationException>(explore).Message + "\n" + trace;
            printed.UnionWith(output.Split('\n').Select(Plain));
        }

        static string Plain(string line) => Regex.Replace(line.Trim(), @"w1\.[\w-]+|\d+", "#");

        static string Page([System.Runtime.CompilerServices.CallerFilePath] string path = "")
            => Path.Combine(Path.GetDirectoryName(path)!, "..", "..", "..", "docs", "simulation.md");
    }

    [Fact]
    public void A_live_kernel_serves_ordinary_threads()
    {
        int answer = EventLoop.Run(async () =>
        {
            await Task.Run(() => Thread.Yield()); // the thread pool is welcome here
            return 42;
        }, new LoopOptions { Kernel = SimKernel.Live() });
        Assert.Equal(42, answer);
    }
}
