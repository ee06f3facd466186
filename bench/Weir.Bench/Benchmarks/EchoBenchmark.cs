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

    private static readonly string[] AllCells =
        [.. from depth in new[] { 1, 16 } from bytes in new[] { 64, 4096 } from connections in new[] { 1, 64, 1024 } select $"{connections}x{bytes}x{depth}"];

    private static readonly (string Cell, Peer Against, double Limit)[] Promises =
    [
        ("64x64x1", Peer.Sockets, 0.65),
        ("1024x64x1", Peer.Sockets, 0.75),
        ("64x64x16", Peer.Sockets, 0.75),
        ("64x4096x16", Peer.Sockets, 1.0),
    ];

    private static readonly (string Cell, Peer Against, double Limit)[] PromisesOnEpoll =
    [
        ("64x64x1", Peer.C, 1.06),
        ("1024x64x1", Peer.C, 1.10),
    ];

    private static readonly (string Cell, Peer Against, double Limit)[] PromisesOnUring =
    [
        ("64x64x1", Peer.CUring, 1.06),
        ("1024x64x1", Peer.CUring, 1.10),
    ];

    /// <summary>Where io_uring must not only cost less than epoll but also move more.</summary>
    private static readonly (string Cell, double Limit) RateOnUring = ("64x4096x16", 1.2);

    private readonly Option<string> _cells = new("--cells")
    {
        Description = "Loads as CONNECTIONSxBYTESxDEPTH, separated by commas. Defaults to all twelve, with --quick to 64x64x1.",
    };

    private readonly Option<string> _peers = new("--peers")
    {
        Description = "Peers to measure beside c-epoll, separated by commas: weir, c-uring, libuv, sockets, sockets-inline. Defaults to all, c-uring with --driver iouring only.",
    };

    private readonly Option<string[]> _more = new("--peer")
    {
        Description = "One more echo server: NAME=COMMAND, with {port} and {buffer} in the command.",
    };

    private readonly Option<bool> _auto = new("--auto")
    {
        Description = "Measure weir a second time with the buffer size it picks by itself.",
    };

    private readonly Option<int> _attempts = new("--attempts")
    {
        Description = "How often a cell is measured at most, until c-epoll differs little from itself; the quietest attempt counts.",
        DefaultValueFactory = _ => 3,
    };

    public string Name => "echo";

    public string Description => "Rate, CPU time per message and round trips of echo servers, as ratios to plain C.";

    public IReadOnlyList<Option> Options => [_cells, _peers, _more, _auto, _attempts, Driver.Option];

    public void Run(Settings settings, ParseResult arguments, Report report)
    {
        string cells = arguments.GetValue(_cells) ?? (settings.Quick ? "64x64x1" : string.Join(',', AllCells));
        Load[] loads = Load.ParseAll(cells);
        int attempts = settings.Quick ? 1 : arguments.GetValue(_attempts);
        if (attempts < 1)
            throw new BenchException("--attempts must be at least 1");
        var driver = Driver.In(arguments);
        string names = arguments.GetValue(_peers) ?? (driver.IsUring ? "weir,c-uring,sockets,sockets-inline,libuv" : "weir,sockets,sockets-inline,libuv");
        Peer[] peers =
        [
            .. Choose(names, driver, arguments.GetValue(_auto), loads),
            .. (arguments.GetValue(_more) ?? []).Select(Peer.Parse),
            Peer.C,
            Peer.CAgain,
        ];

        var generator = new LoadGenerator(settings);
        using var servers = ServerSet.Start(peers, settings, Buffer);
        foreach (Load load in loads)
        {
            // Spinning trades CPU time for the round trip of a lone message; elsewhere it says nothing.
            EchoServer[] taking = [.. servers.Where(server => server.Peer != driver.WeirSpin || load.Connections == 1)];
            Cell cell = MeasureCell(load, taking, generator, settings, attempts);
            cell.Print();
            cell.Keep(report);
            AddTargets(cell, driver, report);
        }
    }

    private static List<Peer> Choose(string names, Driver driver, bool auto, Load[] loads)
    {
        var peers = new List<Peer>();
        foreach (string name in names.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            switch (name)
            {
                case "weir":
                    peers.Add(driver.Weir);
                    peers.AddRange(auto ? [driver.WeirAuto] : []);
                    peers.AddRange(loads.Any(load => load.Connections == 1) ? [driver.WeirSpin] : []);
                    break;
                case "c-uring":
                    peers.AddRange(Driver.CUring);
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
                    throw new BenchException($"there is no peer '{name}'; there are weir, c-uring, libuv, sockets, sockets-inline");
            }
        }

        return peers;
    }

    private static Cell MeasureCell(Load load, EchoServer[] servers, LoadGenerator generator, Settings settings, int attempts)
    {
        Cell? quietest = null;
        for (int attempt = 1; attempt <= attempts; attempt++)
        {
            Report.Remark($"{load}: {settings.Rounds} rounds of {servers.Length} servers");
            Dictionary<EchoServer, List<LoadResult>> results =
                Rounds.Measure(settings.Rounds, servers, server => generator.Run(server, load));
            var cell = new Cell(load, results.ToDictionary(pair => pair.Key.Peer, pair => pair.Value));
            quietest = quietest is null || cell.Noise < quietest.Noise ? cell : quietest;
            if (cell.Noise <= NoiseLimit)
            {
                break;
            }

            Report.Remark($"{load}: c-epoll differs from itself by {cell.Noise:P1}{(attempt < attempts ? "; once more" : "")}");
        }

        return quietest!;
    }

    private static void AddTargets(Cell cell, Driver driver, Report report)
    {
        string load = cell.Load.ToString();
        foreach (Peer weir in new[] { driver.Weir, driver.WeirAuto })
        {
            foreach ((string name, Peer against, double limit) in Promises.Concat(driver.IsUring ? PromisesOnUring : PromisesOnEpoll))
            {
                if (name == load && cell.CpuRatio(weir, against) is { } ratio)
                {
                    report.Add(new Target($"{name}: CPU per message, {weir.Name} / {against.Name}", ratio.Median, limit));
                }
            }

            if (!driver.IsUring || cell.CpuRatio(weir, Peer.C) is not { } toEpoll)
            {
                continue;
            }

            // Below it, and by more than it differs from itself.
            report.Add(new Target($"{load}: CPU per message, {weir.Name} / {Peer.C.Name}", toEpoll.Median, 1 - cell.Noise));
            if (load == RateOnUring.Cell)
            {
                report.Add(new Target($"{load}: rate, {weir.Name} / {Peer.C.Name}", cell.RateRatio(weir, Peer.C)!.Median, RateOnUring.Limit, AtLeast: true));
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

        public Summary? CpuRatio(Peer peer, Peer against) => Ratio(peer, against, result => result.Cpu);

        public Summary? RateRatio(Peer peer, Peer against) => Ratio(peer, against, result => result.Rate);

        public void Print()
        {
            string verdict = Noise > NoiseLimit ? " - NOISY, trust no small difference" : "";
            Report.Say();
            Report.Say($"{load.Words} (noise {Noise:P1}{verdict}; {Quiet.Remark(samples.Values.SelectMany(rounds => rounds))})");
            Peer[] yardsticks = samples.ContainsKey(Peer.CUring) ? [Peer.C, Peer.CUring] : [Peer.C];
            var table = new Table(
            [
                "peer", "msg/s", "p50 us", "p99 us", "CPU us/msg", "user", "gen load",
                .. yardsticks.SelectMany(against => new[] { $"rate / {against.Name}", $"CPU / {against.Name}" }),
            ]);
            foreach (Peer peer in samples.Keys)
            {
                table.Add(
                [
                    peer.Name,
                    Text.Whole(Median(peer, result => result.Rate)),
                    Text.Micro(Median(peer, result => result.P50)),
                    Text.Micro(Median(peer, result => result.P99)),
                    Median(peer, result => result.Cpu).ToString("0.000"),
                    Median(peer, result => result.UserShare).ToString("P0"),
                    Median(peer, result => result.GeneratorLoad).ToString("P0"),
                    .. yardsticks.SelectMany(against => new[] { Text.Ratio(RateRatio(peer, against)!), Text.Ratio(CpuRatio(peer, against)!) }),
                ]);
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
                CpuRatioToUring = CpuRatio(pair.Key, Peer.CUring),
                Rounds = pair.Value,
            }),
        });

        private Summary? Ratio(Peer peer, Peer against, Func<LoadResult, double> quantity) =>
            samples.ContainsKey(peer) && samples.ContainsKey(against)
                ? Summary.OfRatios(Values(peer, quantity), Values(against, quantity))
                : null;

        private double Median(Peer peer, Func<LoadResult, double> quantity) => Summary.Of(Values(peer, quantity)).Median;

        private List<double> Values(Peer peer, Func<LoadResult, double> quantity) => [.. samples[peer].Select(quantity)];
    }
}
