using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Weir.Bench.Parts;

namespace Weir.Bench.Benchmarks;

/// <summary>
/// Datagrams over loopback, echoed and only received: Weir's batches, those received in trains too, and its single datagrams against the framework's receive and send with a
/// SocketAddress, the way that allocates nothing; and plain C with the same batches, which shows what of it all is the kernel's.
/// </summary>
internal sealed class UdpBenchmark : IBenchmark
{
    private static readonly string[] Servers = ["weir-batch", "weir-trains", "weir", "c-batch", "sockets"];

    private readonly Option<string> _sizes = new("--bytes")
    {
        Description = "Sizes of the datagrams, separated by commas.",
        DefaultValueFactory = _ => "64,1200",
    };

    private readonly Option<int> _window = new("--window")
    {
        Description = "How many datagrams are under way while echoing.",
        DefaultValueFactory = _ => 256,
    };

    public string Name => "udp";

    public string Description => "Datagrams per second and CPU time for each, of Weir's batches, its single datagrams, and System.Net.Sockets.";

    public IReadOnlyList<Option> Options => [_sizes, _window];

    public void Run(Settings settings, ParseResult arguments, Report report)
    {
        foreach (bool echoes in new[] { true, false })
        {
            Server[] servers = [.. Servers.Select(name => Server.Start(name, echoes, settings))];
            try
            {
                foreach (string size in arguments.GetValue(_sizes)!.Split(','))
                {
                    Measure(servers, echoes, int.Parse(size, CultureInfo.InvariantCulture), arguments.GetValue(_window), settings, report);
                }
            }
            finally
            {
                Array.ForEach(servers, server => server.Dispose());
            }
        }
    }

    private static void Measure(Server[] servers, bool echoes, int bytes, int window, Settings settings, Report report)
    {
        string what = echoes ? $"echo, {bytes} bytes, {window} under way" : $"sink, {bytes} bytes";
        Report.Remark($"{what}: {settings.Rounds} rounds of {servers.Length} servers");
        foreach (Server server in servers)
        {
            server.Run(bytes, window, settings with { Seconds = 1 }); // the compiler's last pass
        }

        Dictionary<Server, List<Sample>> results = Rounds.Measure(settings.Rounds, servers, server => server.Run(bytes, window, settings));
        List<Sample> baseline = results[servers[^1]];
        var table = new Table("server", "datagrams/s", "CPU us/datagram", "a CPU second", "server load", "gen load", "lost", "rate / sockets", "CPU / sockets");
        foreach ((Server server, List<Sample> samples) in results)
        {
            Summary rate = Summary.OfRatios([.. samples.Select(s => s.Rate)], [.. baseline.Select(s => s.Rate)]);
            Summary cpu = Summary.OfRatios([.. samples.Select(s => s.Cpu)], [.. baseline.Select(s => s.Cpu)]);
            table.Add(
                server.Name,
                Text.Whole(Summary.Of(samples.Select(s => s.Rate)).Median),
                Summary.Of(samples.Select(s => s.Cpu)).Median.ToString("0.000"),
                Text.Whole(Summary.Of(samples.Select(s => 1e6 / s.Cpu)).Median),
                Summary.Of(samples.Select(s => s.ServerLoad)).Median.ToString("P0"),
                Summary.Of(samples.Select(s => s.GeneratorLoad)).Median.ToString("P0"),
                Text.Whole(samples.Sum(s => s.Lost)),
                Text.Ratio(rate),
                Text.Ratio(cpu));
            report.Keep(new { What = what, server.Name, Rate = rate, Cpu = cpu, Rounds = samples });
        }

        double others = Summary.Of(results.Values.SelectMany(samples => samples).Select(s => s.OthersLoad)).Median;
        Report.Say();
        Report.Say($"{what} (others used {others:0.00} CPUs{(others > 0.1 ? ": NOT A QUIET MACHINE" : "")})");
        table.Print(Console.Out);
        Summary rates = Summary.OfRatios([.. results[servers[0]].Select(s => s.Rate)], [.. baseline.Select(s => s.Rate)]);
        report.Add(new Target($"{what}: datagrams/s, weir-batch / sockets", rates.Median, 1.5, AtLeast: true));
        // What a server that has its CPU to itself would do with it, whoever else uses the machine now.
        Summary yields = Summary.OfRatios([.. baseline.Select(s => s.Cpu)], [.. results[servers[0]].Select(s => s.Cpu)]);
        report.Add(new Target($"{what}: datagrams in a second of CPU, weir-batch / sockets", yields.Median, 1.5, AtLeast: true));
    }

    /// <summary>One run. CPU is the server's, in microseconds for each datagram that came back or, at a sink, was received.</summary>
    private sealed record Sample(double Rate, double Cpu, double ServerLoad, double GeneratorLoad, double OthersLoad, double Lost);

    private sealed class Server : IDisposable
    {
        private readonly OtherProcess _process;
        private readonly bool _echoes;
        private readonly int _port;

        private Server(string name, bool echoes, OtherProcess process)
        {
            (Name, _echoes, _process) = (name, echoes, process);
            if (!int.TryParse(process.Output.ReadLine(), out _port))
            {
                throw new BenchException($"{name} did not start: {process.Errors}");
            }
        }

        public string Name { get; }

        public static Server Start(string name, bool echoes, Settings settings) => new(
            name,
            echoes,
            OtherProcess.Start(settings.ServerCpu, Program(name, echoes)));

        private static string[] Program(string name, bool echoes)
        {
            if (name == "c-batch")
                return echoes ? [Output.Find("peers", "c-udp")] : [Output.Find("peers", "c-udp"), "sink"];
            return ["dotnet", Output.Harness, "udp-server", echoes ? name : name + "-sink"];
        }

        public Sample Run(int bytes, int window, Settings settings) => _echoes ? Echo(bytes, window, settings) : Sink(bytes, settings);

        private Sample Echo(int bytes, int window, Settings settings)
        {
            string line = OtherProcess.Run(
                settings.ClientCpu, TimeSpan.FromSeconds(settings.Seconds + 20), [.. Command(bytes, settings), "--window", $"{window}", "--pid", $"{_process.Id}"]);
            Dictionary<string, double> values = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Select(pair => pair.Split('='))
                .ToDictionary(pair => pair[0], pair => double.Parse(pair[1], CultureInfo.InvariantCulture));
            return new Sample(values["rate"], values["cpu"], values["server_load"], values["generator_load"], values["others_load"], values["lost"]);
        }

        // What is received counts: the flood is more than a server can take.
        private Sample Sink(int bytes, Settings settings)
        {
            using OtherProcess generator = OtherProcess.Start(settings.ClientCpu, [.. Command(bytes, settings with { Seconds = settings.Seconds + 5 }), "--sink"]);
            Thread.Sleep(TimeSpan.FromSeconds(settings.WarmUpSeconds));
            long start = Stopwatch.GetTimestamp();
            double received = Received(), used = CpuClock.OfProcess(_process.Id), generated = CpuClock.OfProcess(generator.Id);
            double machine = CpuClock.OfCpu(settings.ServerCpu) + CpuClock.OfCpu(settings.ClientCpu);
            Thread.Sleep(TimeSpan.FromSeconds(settings.Seconds));
            received = Received() - received;
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            used = CpuClock.OfProcess(_process.Id) - used;
            generated = CpuClock.OfProcess(generator.Id) - generated;
            machine = CpuClock.OfCpu(settings.ServerCpu) + CpuClock.OfCpu(settings.ClientCpu) - machine;
            return new Sample(
                received / seconds, used * 1e6 / received, used / seconds, generated / seconds, Math.Max(0, machine - used - generated) / seconds, 0);
        }

        private string[] Command(int bytes, Settings settings) =>
        [
            Output.Find("peers", "udpgen"),
            "--port", $"{_port}",
            "--bytes", $"{bytes}",
            "--seconds", settings.Seconds.ToString(CultureInfo.InvariantCulture),
            "--warmup", settings.WarmUpSeconds.ToString(CultureInfo.InvariantCulture),
        ];

        private long Received()
        {
            _process.Input.WriteLine();
            _process.Input.Flush();
            return _process.Output.ReadLine() is { } line
                ? long.Parse(line.Split('=')[1], CultureInfo.InvariantCulture)
                : throw new BenchException($"{Name} ended while it was measured: {_process.Errors}");
        }

        public void Dispose() => _process.Dispose();
    }
}
