using System.CommandLine;
using Weir.Bench.Parts;

namespace Weir.Bench.Benchmarks;

/// <summary>Echo over loopback: rate, CPU time per message and round trips of Weir and its peers, as ratios to plain C.</summary>
internal sealed class EchoBenchmark : IBenchmark
{
    /// <summary>One buffer for all, so that no peer wins by reading more at once.</summary>
    private const int Buffer = 16384;

    /// <summary>A cell is measured again when the program held against itself shows more noise than this.</summary>
    private const double NoiseLimit = 0.05;

    private const int Attempts = 3;

    private static readonly string[] AllCells =
        [.. from depth in new[] { 1, 16 } from bytes in new[] { 64, 4096 } from connections in new[] { 1, 64, 1024 } select $"{connections}x{bytes}x{depth}"];

    private static readonly (string Cell, Peer Against, double Limit)[] Promises =
    [
        ("64x64x1", Peer.C, 1.06),
        ("1024x64x1", Peer.C, 1.10),
        ("64x64x1", Peer.Sockets, 0.65),
        ("1024x64x1", Peer.Sockets, 0.75),
        ("64x64x16", Peer.Sockets, 0.75),
        ("64x4096x16", Peer.Sockets, 1.0),
    ];

    private readonly Option<string> _cells = new("--cells")
    {
        Description = "Loads as CONNECTIONSxBYTESxDEPTH, separated by commas. Defaults to all twelve, with --quick to 64x64x1.",
    };

    private readonly Option<string> _peers = new("--peers")
    {
        Description = "Peers to measure beside c-epoll, separated by commas: weir, libuv, sockets, sockets-inline. Defaults to all.",
        DefaultValueFactory = _ => "weir,sockets,sockets-inline,libuv",
    };

    private readonly Option<string[]> _more = new("--peer")
    {
        Description = "One more echo server: NAME=COMMAND, with {port} and {buffer} in the command.",
    };

    private readonly Option<bool> _auto = new("--auto")
    {
        Description = "Measure weir a second time with the buffer size it picks by itself.",
    };

    public string Name => "echo";

    public string Description => "Rate, CPU time per message and round trips of echo servers, as ratios to plain C.";

    public IReadOnlyList<Option> Options => [_cells, _peers, _more, _auto];

    public void Run(Settings settings, ParseResult arguments, Report report)
    {
        string cells = arguments.GetValue(_cells) ?? (settings.Quick ? "64x64x1" : string.Join(',', AllCells));
        Load[] loads = Load.ParseAll(cells);
        Peer[] peers =
        [
            .. Choose(arguments.GetValue(_peers)!, arguments.GetValue(_auto), loads),
            .. (arguments.GetValue(_more) ?? []).Select(Peer.Parse),
            Peer.C,
            Peer.CAgain,
        ];

        var generator = new LoadGenerator(settings);
        using var servers = ServerSet.Start(peers, settings, Buffer);
        foreach (Load load in loads)
        {
            // Spinning trades CPU time for the round trip of a lone message; elsewhere it says nothing.
            EchoServer[] taking = [.. servers.Where(server => server.Peer != Peer.WeirSpin || load.Connections == 1)];
            Cell cell = MeasureCell(load, taking, generator, settings);
            cell.Print();
            cell.Keep(report);
            AddTargets(cell, report);
        }
    }

    private static List<Peer> Choose(string names, bool auto, Load[] loads)
    {
        var peers = new List<Peer>();
        foreach (string name in names.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            switch (name)
            {
                case "weir":
                    peers.Add(Peer.Weir);
                    peers.AddRange(auto ? [Peer.WeirAuto] : []);
                    peers.AddRange(loads.Any(load => load.Connections == 1) ? [Peer.WeirSpin] : []);
                    break;
                case "libuv":
                    peers.Add(Peer.Libuv);
                    break;
                case "sockets":
                    peers.Add(Peer.Sockets);
                    break;
                case "sockets-inline":
                    peers.Add(Peer.SocketsInline);
                    break;
                default:
                    throw new BenchException($"there is no peer '{name}'; there are weir, libuv, sockets, sockets-inline");
            }
        }

        return peers;
    }

    private static Cell MeasureCell(Load load, EchoServer[] servers, LoadGenerator generator, Settings settings)
    {
        Cell? quietest = null;
        for (int attempt = 1; attempt <= Attempts; attempt++)
        {
            Report.Remark($"{load}: {settings.Rounds} rounds of {servers.Length} servers");
            Dictionary<EchoServer, List<LoadResult>> results =
                Rounds.Measure(settings.Rounds, servers, server => generator.Run(server, load));
            var cell = new Cell(load, results.ToDictionary(pair => pair.Key.Peer, pair => pair.Value));
            quietest = quietest is null || cell.Noise < quietest.Noise ? cell : quietest;
            if (cell.Noise <= NoiseLimit || settings.Quick)
            {
                break;
            }

            Report.Remark($"{load}: c-epoll differs from itself by {cell.Noise:P1}{(attempt < Attempts ? "; once more" : "")}");
        }

        return quietest!;
    }

    private static void AddTargets(Cell cell, Report report)
    {
        foreach (Peer weir in new[] { Peer.Weir, Peer.WeirAuto })
        {
            foreach ((string name, Peer against, double limit) in Promises)
            {
                if (name == cell.Load.ToString() && cell.CpuRatio(weir, against) is { } ratio)
                {
                    report.Add(new Target($"{name}: CPU per message, {weir.Name} / {against.Name}", ratio.Median, limit));
                }
            }
        }
    }

    /// <summary>All samples of one load.</summary>
    private sealed class Cell(Load load, Dictionary<Peer, List<LoadResult>> samples)
    {
        public Load Load => load;

        /// <summary>How far two entries of one program lie apart: their ratio's distance from 1, or its spread if larger.</summary>
        public double Noise
        {
            get
            {
                Summary ratio = CpuRatio(Peer.CAgain, Peer.C)!;
                return Math.Max(Math.Abs(ratio.Median - 1), ratio.Spread);
            }
        }

        public Summary? CpuRatio(Peer peer, Peer against) =>
            samples.ContainsKey(peer) && samples.ContainsKey(against)
                ? Summary.OfRatios(Values(peer, result => result.Cpu), Values(against, result => result.Cpu))
                : null;

        public void Print()
        {
            string verdict = Noise > NoiseLimit ? " - NOISY, trust no small difference" : "";
            Report.Say();
            Report.Say($"{load.Connections} connections, {load.Bytes} bytes, depth {load.Depth} (noise {Noise:P1}{verdict})");
            var table = new Table(
                "peer", "msg/s", "p50 us", "p99 us", "CPU us/msg", "user", "gen load", "rate / c-epoll", "CPU / c-epoll");
            foreach (Peer peer in samples.Keys)
            {
                Summary rate = Summary.OfRatios(Values(peer, result => result.Rate), Values(Peer.C, result => result.Rate));
                table.Add(
                    peer.Name,
                    Text.Whole(Median(peer, result => result.Rate)),
                    Text.Micro(Median(peer, result => result.P50)),
                    Text.Micro(Median(peer, result => result.P99)),
                    Median(peer, result => result.Cpu).ToString("0.000"),
                    Median(peer, result => result.UserShare).ToString("P0"),
                    Median(peer, result => result.GeneratorLoad).ToString("P0"),
                    Text.Ratio(rate),
                    Text.Ratio(CpuRatio(peer, Peer.C)!));
            }

            table.Print(Console.Out);
        }

        public void Keep(Report report) => report.Keep(new
        {
            Cell = load.ToString(),
            Noise,
            Peers = samples.Select(pair => new
            {
                pair.Key.Name,
                CpuRatio = CpuRatio(pair.Key, Peer.C),
                Rounds = pair.Value,
            }),
        });

        private double Median(Peer peer, Func<LoadResult, double> quantity) => Summary.Of(Values(peer, quantity)).Median;

        private List<double> Values(Peer peer, Func<LoadResult, double> quantity) => [.. samples[peer].Select(quantity)];
    }
}
