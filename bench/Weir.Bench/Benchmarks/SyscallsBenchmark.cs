using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Weir.Bench.Parts;

namespace Weir.Bench.Benchmarks;

/// <summary>System calls per echoed message, counted by strace over all threads of the server.</summary>
internal sealed class SyscallsBenchmark : IBenchmark
{
    private const int Buffer = 16384;

    /// <summary>No more than the C program makes; the hundredths are those of the runtime's own threads, and chance.</summary>
    private const double MostCalls = 1.02;

    private static readonly TimeSpan AttachLimit = TimeSpan.FromSeconds(10);

    private readonly Option<string> _cells = new("--cells")
    {
        Description = "Loads as CONNECTIONSxBYTESxDEPTH, separated by commas.",
        DefaultValueFactory = _ => "1x64x1,64x64x1,64x64x16",
    };

    private readonly Option<string> _driver = Driver.Make("How weir waits: both ways, or one of them.", "both", "epoll", "iouring");

    private readonly Option<int> _messages = new("--messages")
    {
        Description = "Messages per load.",
        DefaultValueFactory = _ => 20000,
    };

    public string Name => "syscalls";

    public string Description => "System calls per echoed message.";

    public IReadOnlyList<Option> Options => [_cells, _messages, _driver, WithoutWeir.Option];

    /// <summary>Counts repeat themselves better than times do; how large the batches grow is still a matter of chance.</summary>
    public int DefaultRounds => 3;

    public void Run(Settings settings, ParseResult arguments, Report report)
    {
        int messages = arguments.GetValue(_messages);
        Load[] loads = Load.ParseAll(arguments.GetValue(_cells)!);
        string driver = arguments.GetValue(_driver)!;
        bool both = driver == "both";
        Peer onEpoll = Driver.Named("epoll").Weir, onUring = Driver.Named("iouring").Weir;
        Peer[] weir = both ? [onEpoll, onUring] : [driver == "epoll" ? onEpoll : onUring];
        Peer[] peers =
        [
            .. WithoutWeir.IsGivenIn(arguments) ? [] : weir,
            Peer.C,
            .. Driver.CUring,
            Peer.Libuv,
            Peer.Sockets,
            Peer.SocketsInline,
        ];
        using ServerSet servers = ServerSet.Start(peers, settings, Buffer, both ? [onUring, Peer.CUring] : []);
        foreach (Load load in loads)
        {
            Report.Remark($"{load}: {messages} messages under strace");
            Dictionary<EchoServer, List<Dictionary<string, double>>> results =
                Rounds.Measure(settings.Rounds, servers, server => Count(server, load, messages, settings));
            Report.Say();
            Report.Say(load.Words);
            var table = new Table("peer", "calls/msg", "of which");
            foreach ((EchoServer server, List<Dictionary<string, double>> rounds) in results)
            {
                Dictionary<string, double> middle = rounds.OrderBy(calls => calls.Values.Sum()).ElementAt(rounds.Count / 2);
                double sum = middle.Values.Sum();
                IEnumerable<string> parts = middle
                    .Where(call => call.Value >= sum / 100)
                    .OrderByDescending(call => call.Value)
                    .Select(call => call.Key + " " + call.Value.ToString(call.Value >= 0.1 ? "0.00" : "0.000"));
                table.Add(server.Peer.Name, sum.ToString("0.000"), string.Join(", ", parts));
                report.Keep(new { Cell = load.ToString(), server.Peer.Name, CallsPerMessage = middle });
            }

            table.Print(Console.Out);
            AddTarget(load, results, onUring, report);
        }
    }

    private static void AddTarget(Load load, Dictionary<EchoServer, List<Dictionary<string, double>>> results, Peer weir, Report report)
    {
        List<double>? Calls(Peer peer) =>
            results.FirstOrDefault(pair => pair.Key.Peer == peer).Value?.ConvertAll(calls => calls.Values.Sum());

        if (Calls(weir) is { } mine && Calls(Peer.CUring) is { } others)
        {
            report.Add(new Target($"{load}: calls per message, {weir.Name} / {Peer.CUring.Name}", Summary.OfRatios(mine, others).Median, MostCalls));
        }
    }

    /// <summary>Calls per message, by name. Opening and closing the connections is in it: a few calls each.</summary>
    private static Dictionary<string, double> Count(EchoServer server, Load load, int messages, Settings settings)
    {
        string file = Path.GetTempFileName();
        try
        {
            using OtherProcess strace = OtherProcess.Start(
                null, ["strace", "-f", "-c", "-U", "calls,name", "-o", file, "-p", $"{server.Id}"]);
            WaitUntilAttached(server, strace);
            // The number of messages ends the run; the time is only there so that it ends at all.
            LoadResult result = new LoadGenerator(settings with { Quick = true })
                .Run(server, load, seconds: 60, "--messages", $"{messages}");
            OtherProcess.Run(null, TimeSpan.FromSeconds(5), "kill", "-INT", $"{strace.Id}");
            strace.WaitForEnd(TimeSpan.FromSeconds(10), ignoreExitCode: true);
            return Parse(File.ReadLines(file), result.Total);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static void WaitUntilAttached(EchoServer server, OtherProcess strace)
    {
        long started = Stopwatch.GetTimestamp();
        while (!Directory.GetDirectories($"/proc/{server.Id}/task").All(IsTraced))
        {
            if (strace.HasExited)
            {
                throw new BenchException($"strace cannot attach to {server.Peer.Name}: {strace.Errors}");
            }

            if (Stopwatch.GetElapsedTime(started) > AttachLimit)
            {
                throw new BenchException($"strace did not attach to {server.Peer.Name} within {AttachLimit.TotalSeconds:0} s");
            }

            Thread.Sleep(20);
        }
    }

    private static bool IsTraced(string task) =>
        File.ReadLines(Path.Combine(task, "status")).Any(line => line.StartsWith("TracerPid:", StringComparison.Ordinal) && !line.EndsWith("\t0", StringComparison.Ordinal));

    private static Dictionary<string, double> Parse(IEnumerable<string> lines, long messages)
    {
        var calls = new Dictionary<string, double>();
        foreach (string line in lines)
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length == 2 && words[1] != "total" && long.TryParse(words[0], NumberStyles.None, CultureInfo.InvariantCulture, out long count))
            {
                calls[words[1]] = (double)count / messages;
            }
        }

        return calls.Count > 0 ? calls : throw new BenchException("strace counted nothing");
    }
}
