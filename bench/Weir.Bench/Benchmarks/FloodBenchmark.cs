using System.CommandLine;
using Weir.Bench.Parts;

namespace Weir.Bench.Benchmarks;

/// <summary>What one connection that floods the server does to the round trips of fifty that ping-pong beside it.</summary>
internal sealed class FloodBenchmark : IBenchmark
{
    private const int Buffer = 16384;

    private static readonly Load PingPong = new(50, 64, 1);

    public string Name => "flood";

    public string Description => "99th percentile of 50 ping-pong connections beside one that floods.";

    public IReadOnlyList<Option> Options => [WithoutWeir.Option, Driver.Option];

    /// <summary>Starving comes in bursts of some 100 ms: it takes a few seconds to see a fair share of them.</summary>
    public double DefaultSeconds => 2;

    public void Run(Settings settings, ParseResult arguments, Report report)
    {
        bool withWeir = !WithoutWeir.IsGivenIn(arguments);
        var driver = Driver.In(arguments);
        Peer[] peers =
        [
            .. withWeir ? [driver.Weir] : Array.Empty<Peer>(),
            Peer.CWithBudget,
            Peer.C,
            .. driver.IsUring ? Driver.CUring : [],
            Peer.Libuv,
            Peer.Sockets,
        ];
        var generator = new LoadGenerator(settings);
        using ServerSet servers = ServerSet.Start(peers, settings, Buffer);
        Report.Remark($"{settings.Rounds} rounds of {servers.Count} servers");
        Dictionary<Peer, List<LoadResult>> results = Rounds
            .Measure(settings.Rounds, servers, server => generator.Run(server, PingPong, null, "--flood"))
            .ToDictionary(pair => pair.Key.Peer, pair => pair.Value);

        List<double> baseline = P99(results[Peer.CWithBudget]);
        var table = new Table("peer", "p50 us", "p99 us", "p99 min..max", "steady p99", "max us", "msg/s", "flood MB/s", "p99 / C with budget");
        foreach ((Peer peer, List<LoadResult> rounds) in results)
        {
            var p99 = Summary.Of(P99(rounds));
            table.Add(
                peer.Name,
                Text.Micro(Median(rounds, r => r.P50)),
                Text.Micro(p99.Median),
                $"{Text.Micro(p99.Min)}..{Text.Micro(p99.Max)}",
                Text.Micro(Median(rounds, r => r.SteadyP99)),
                Text.Micro(Median(rounds, r => r.Max)),
                Text.Whole(Median(rounds, r => r.Rate)),
                Text.Whole(Median(rounds, r => r.FloodMegabytes)),
                Text.Ratio(Summary.OfRatios(P99(rounds), baseline)));
            report.Keep(new { peer.Name, Rounds = rounds });
        }

        Report.Say();
        Report.Say($"{PingPong.Words}, beside a flooder ({Quiet.Remark(results.Values.SelectMany(rounds => rounds))})");
        table.Print(Console.Out);
        if (withWeir)
        {
            List<double> weir = P99(results[driver.Weir]);
            report.Add(new Target("p99, weir / C with budget 8", Summary.OfRatios(weir, baseline).Median, 1.5));
            report.Add(new Target(
                "p99, C without budget / weir", Summary.OfRatios(P99(results[Peer.C]), weir).Median, 5, AtLeast: true));
            // Who starves sends nothing meanwhile, so few of the messages that count meet the stall. Those who send steadily would.
            report.Add(new Target(
                "p99 of steady senders, C without budget / weir",
                Summary.OfRatios(SteadyP99(results[Peer.C]), SteadyP99(results[driver.Weir])).Median,
                5,
                AtLeast: true));
        }
    }

    private static List<double> P99(IEnumerable<LoadResult> rounds) => [.. rounds.Select(r => r.P99)];

    private static List<double> SteadyP99(IEnumerable<LoadResult> rounds) => [.. rounds.Select(r => r.SteadyP99)];

    private static double Median(IEnumerable<LoadResult> rounds, Func<LoadResult, double> quantity) =>
        Summary.Of(rounds.Select(quantity)).Median;
}
