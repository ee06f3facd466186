using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Weir.Bench.Parts;

namespace Weir.Bench.Benchmarks;

/// <summary>CPU per Redis request and per streamed gigabyte of <c>weir proxy</c>, haproxy and nginx.</summary>
internal sealed class ProxyBenchmark : IBenchmark
{
    private const int Clients = 50;

    private static readonly TimeSpan RunLimit = TimeSpan.FromMinutes(2);

    private static readonly (int Depth, string Against, double Limit)[] Promises =
        [(1, "haproxy", 1.1), (1, "nginx", 1.0), (16, "haproxy", 1.1), (16, "nginx", 1.0)];

    private readonly Option<double> _gibibytes = new("--gib") { Description = "Size of the stream in GiB; 0 leaves it out.", DefaultValueFactory = _ => 4 };

    private readonly Option<string> _depths = new("--depths") { Description = "Pipeline depths (redis-benchmark -P), separated by commas.", DefaultValueFactory = _ => "1,16" };

    public string Name => "proxy";

    public string Description => "CPU per Redis request, and seconds for a stream, of weir proxy, haproxy and nginx.";

    public IReadOnlyList<Option> Options => [_gibibytes, _depths];

    /// <summary>Of requests at each depth.</summary>
    public double DefaultSeconds => 2;

    public void Run(Settings settings, ParseResult arguments, Report report)
    {
        string folder = Directory.CreateTempSubdirectory("weir-bench-").FullName;
        try
        {
            int[] depths = [.. arguments.GetValue(_depths)!.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(Depth)];
            if (depths.Length > 0)
            {
                Requests(settings, depths, folder, report);
            }

            double gibibytes = settings.Quick ? Math.Min(0.25, arguments.GetValue(_gibibytes)) : arguments.GetValue(_gibibytes);
            if (gibibytes > 0)
            {
                Stream(settings, (long)(gibibytes * (1L << 30)), folder, report);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static int Depth(string text) =>
        int.TryParse(text, out int depth) && depth > 0 ? depth : throw new BenchException($"--depths are numbers above zero, not '{text}'");

    private static void Requests(Settings settings, int[] depths, string folder, Report report)
    {
        if (Proxies.Find("redis-server", "/usr/bin/redis-server") is not { } redis || Proxies.Find("redis-benchmark", "/usr/bin/redis-benchmark") is null)
        {
            Report.Remark("redis-server is not installed: measuring the stream only");
            return;
        }

        var upstream = new Peer("redis", (port, _) => [redis, "--port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]);
        using EchoServer server = EchoServer.Start(upstream, settings.ClientCpu, 0);
        using var proxies = new ProxySet(server.Port, folder, settings);
        Report.Remark($"warming up {proxies.Servers.Count} proxies");
        for (int pass = 0; pass < (settings.Quick ? 1 : 3); pass++)
        {
            foreach (EchoServer proxy in proxies.Servers)
            {
                Array.ForEach(depths, depth => RunRequests(proxy, depth, settings.Quick ? 0.3 : 1, settings));
            }

            Thread.Sleep(300); // the runtime compiles what it found hot once nothing new has started for 100 ms
        }

        foreach (int depth in depths)
        {
            Report.Remark($"depth {depth}: {settings.Rounds} rounds of {proxies.Servers.Count} proxies");
            Dictionary<EchoServer, List<Sample>> results = Rounds.Measure(settings.Rounds, proxies.Servers, proxy => RunRequests(proxy, depth, settings.Seconds, settings));
            Report.Say();
            Report.Say($"Redis GET, {Clients} clients, pipeline depth {depth} ({Noise(results)})");
            Print(results, "req/s", "CPU us/req", 1e6, report, $"depth {depth}");
            foreach ((int at, string against, double limit) in Promises)
            {
                if (at == depth)
                {
                    AddTarget(results, sample => sample.Cpu, $"depth {depth}: CPU per request", against, limit, report);
                }
            }
        }
    }

    private static Sample RunRequests(EchoServer proxy, int depth, double seconds, Settings settings)
    {
        // About the rate that one CPU shared by Redis and its clients reaches, so a run takes about as long as was asked.
        int requests = (int)Math.Max(1000, seconds * (depth == 1 ? 35_000 : 350_000));
        return Measure(proxy, settings, requests, () =>
        {
            string output = OtherProcess.Run(
                settings.ClientCpu, RunLimit, "redis-benchmark", "-h", "127.0.0.1", "-p", $"{proxy.Port}", "-c", $"{Clients}", "-n", $"{requests}", "-P", $"{depth}", "-t", "get", "--csv");
            string line = output.Split('\n').FirstOrDefault(line => line.StartsWith("\"GET\"", StringComparison.Ordinal))
                ?? throw new BenchException($"redis-benchmark through {proxy.Peer.Name} said: {output.Trim()}");
            return double.Parse(line.Split(',')[1].Trim('"'), CultureInfo.InvariantCulture);
        });
    }

    private static void Stream(Settings settings, long bytes, string folder, Report report)
    {
        string program = Output.Find("peers", "stream");
        using EchoServer source = EchoServer.Start(new Peer("stream source", (port, _) => [program, "source", $"{port}"]), settings.ClientCpu, 0);
        using var proxies = new ProxySet(source.Port, folder, settings);
        Sample Once(EchoServer proxy, long length) => Measure(proxy, settings, length / (double)(1L << 30), () =>
        {
            string line = OtherProcess.Run(settings.ClientCpu, RunLimit, program, "sink", $"{proxy.Port}", $"{length}");
            return length / (double)(1L << 30) / double.Parse(line.Trim().Split('=')[1], CultureInfo.InvariantCulture);
        });
        for (int pass = 0; pass < 3; pass++)
        {
            foreach (EchoServer proxy in proxies.Servers)
            {
                Once(proxy, Math.Min(bytes, 1L << 28));
            }

            Thread.Sleep(200);
        }

        Report.Remark($"stream: {settings.Rounds} rounds of {proxies.Servers.Count} proxies");
        Dictionary<EchoServer, List<Sample>> results = Rounds.Measure(settings.Rounds, proxies.Servers, proxy => Once(proxy, bytes));
        Report.Say();
        Report.Say($"a stream of {bytes / (double)(1L << 30):0.##} GiB ({Noise(results)})");
        Print(results, "GiB/s", "CPU s/GiB", 1, report, "stream");
        foreach (string against in new[] { "haproxy", "nginx" })
        {
            AddTarget(results, sample => 1 / sample.Rate, "stream: seconds", against, 1.0, report);
        }
    }

    /// <summary>Runs a load through a proxy, which returns its rate.</summary>
    private static Sample Measure(EchoServer proxy, Settings settings, double amount, Func<double> run)
    {
        double cpu = CpuClock.OfProcess(proxy.Id), all = CpuClock.OfCpu(settings.ServerCpu);
        long start = Stopwatch.GetTimestamp();
        double rate;
        try
        {
            rate = run();
        }
        catch (BenchException)
        {
            proxy.ThrowIfEnded();
            throw;
        }

        cpu = CpuClock.OfProcess(proxy.Id) - cpu;
        double others = Math.Max(0, CpuClock.OfCpu(settings.ServerCpu) - all - cpu) / Stopwatch.GetElapsedTime(start).TotalSeconds;
        return new Sample(rate, cpu / amount, others);
    }

    private static void Print(Dictionary<EchoServer, List<Sample>> results, string rateUnit, string cpuUnit, double scale, Report report, string name)
    {
        var table = new Table(["proxy", rateUnit, cpuUnit, .. results.Keys.Skip(1).SelectMany(proxy => new[] { $"rate / {proxy.Peer.Name}", $"CPU / {proxy.Peer.Name}" })]);
        foreach ((EchoServer proxy, List<Sample> samples) in results)
        {
            double rate = Summary.Of(samples.Select(sample => sample.Rate)).Median;
            table.Add(
            [
                proxy.Peer.Name,
                rate < 100 ? rate.ToString("0.00") : Text.Whole(rate),
                (Summary.Of(samples.Select(sample => sample.Cpu)).Median * scale).ToString("0.000"),
                .. results.Skip(1).SelectMany(other => new[] { Ratio(samples, other.Value, sample => sample.Rate), Ratio(samples, other.Value, sample => sample.Cpu) }),
            ]);
            report.Keep(new { Load = name, Proxy = proxy.Peer.Name, Rounds = samples });
        }

        table.Print(Console.Out);
    }

    private static string Ratio(List<Sample> samples, List<Sample> others, Func<Sample, double> quantity) =>
        Text.Ratio(Summary.OfRatios([.. samples.Select(quantity)], [.. others.Select(quantity)]));

    private static void AddTarget(Dictionary<EchoServer, List<Sample>> results, Func<Sample, double> quantity, string what, string against, double limit, Report report)
    {
        List<Sample>? Of(string name) => results.FirstOrDefault(pair => pair.Key.Peer.Name == name).Value;
        if (Of("weir") is { } weir && Of(against) is { } other)
        {
            report.Add(new Target($"{what}, weir / {against}", Summary.OfRatios([.. weir.Select(quantity)], [.. other.Select(quantity)]).Median, limit));
        }
    }

    private static string Noise(Dictionary<EchoServer, List<Sample>> results) =>
        $"others used {Summary.Of(results.Values.SelectMany(samples => samples).Select(sample => sample.Others)).Median:P0} of the proxies' CPU";

    /// <param name="Rate">Requests or GiB per second.</param>
    /// <param name="Cpu">CPU seconds of the proxy per request or GiB.</param>
    /// <param name="Others">How much of the proxy's CPU was used by others.</param>
    private sealed record Sample(double Rate, double Cpu, double Others);

    /// <summary>The proxies in front of one server, on the servers' CPU.</summary>
    private sealed class ProxySet : IDisposable
    {
        private readonly List<EchoServer> _servers = [];

        public ProxySet(int upstreamPort, string folder, Settings settings)
        {
            try
            {
                foreach (Peer peer in Proxies.For(upstreamPort, folder))
                {
                    _servers.Add(EchoServer.Start(peer, settings.ServerCpu, 0));
                }
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        public IReadOnlyList<EchoServer> Servers => _servers;

        public void Dispose() => _servers.ForEach(server => server.Dispose());
    }
}
