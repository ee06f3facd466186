using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Weir.Bench.Parts;

namespace Weir.Bench.Benchmarks;

/// <summary>System calls per echoed message, counted by strace over all threads of the server.</summary>
internal sealed class SyscallsBenchmark : IBenchmark
{
    private const int Buffer = 16384;

    private static readonly TimeSpan AttachLimit = TimeSpan.FromSeconds(10);

    private readonly Option<string> _cells = new("--cells")
    {
        Description = "Loads as CONNECTIONSxBYTESxDEPTH, separated by commas.",
        DefaultValueFactory = _ => "1x64x1,64x64x1,64x64x16",
    };

    private readonly Option<int> _messages = new("--messages")
    {
        Description = "Messages per load.",
        DefaultValueFactory = _ => 20000,
    };

    public string Name => "syscalls";

    public string Description => "System calls per echoed message.";

    public IReadOnlyList<Option> Options => [_cells, _messages, WithoutWeir.Option];

    /// <summary>Counts repeat themselves; time does not.</summary>
    public int DefaultRounds => 1;

    public void Run(Settings settings, ParseResult arguments, Report report)
    {
        int messages = arguments.GetValue(_messages);
        Load[] loads = Load.ParseAll(arguments.GetValue(_cells)!);
        Peer[] peers =
        [
            .. WithoutWeir.IsGivenIn(arguments) ? Array.Empty<Peer>() : [Peer.Weir],
            Peer.C,
            Peer.Libuv,
            Peer.Sockets,
            Peer.SocketsInline,
        ];
        using ServerSet servers = ServerSet.Start(peers, settings, Buffer);
        foreach (Load load in loads)
        {
            Report.Remark($"{load}: {messages} messages under strace");
            Dictionary<EchoServer, List<Dictionary<string, double>>> results =
                Rounds.Measure(settings.Rounds, servers, server => Count(server, load, messages, settings));
            Report.Say();
            Report.Say($"{load.Connections} connections, {load.Bytes} bytes, depth {load.Depth}");
            var table = new Table("peer", "calls/msg", "of which");
            foreach ((EchoServer server, List<Dictionary<string, double>> rounds) in results)
            {
                Dictionary<string, double> middle = rounds.OrderBy(calls => calls.Values.Sum()).ElementAt(rounds.Count / 2);
                IEnumerable<string> parts = middle
                    .Where(call => call.Value >= 0.005)
                    .OrderByDescending(call => call.Value)
                    .Select(call => $"{call.Key} {call.Value:0.00}");
                table.Add(server.Peer.Name, middle.Values.Sum().ToString("0.000"), string.Join(", ", parts));
                report.Keep(new { Cell = load.ToString(), server.Peer.Name, CallsPerMessage = middle });
            }

            table.Print(Console.Out);
        }
    }

    /// <summary>Calls per message, by name. Opening and closing the connections is in it: a few calls each.</summary>
    private static Dictionary<string, double> Count(EchoServer server, Load load, int messages, Settings settings)
    {
        string file = Path.GetTempFileName();
        try
        {
            using ChildProcess strace = ChildProcess.Start(
                null, ["strace", "-f", "-c", "-U", "calls,name", "-o", file, "-p", $"{server.Id}"]);
            WaitUntilAttached(server, strace);
            // The number of messages ends the run; the time is only there so that it ends at all.
            LoadResult result = new LoadGenerator(settings with { Quick = true })
                .Run(server, load, seconds: 60, "--messages", $"{messages}");
            ChildProcess.Run(null, TimeSpan.FromSeconds(5), "kill", "-INT", $"{strace.Id}");
            strace.WaitForEnd(TimeSpan.FromSeconds(10), ignoreExitCode: true);
            return Parse(File.ReadLines(file), result.Total);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static void WaitUntilAttached(EchoServer server, ChildProcess strace)
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
