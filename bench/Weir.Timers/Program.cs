using Weir.Bench.Timers;

// Weir.Bench.Timers [COUNT [ROUNDS]]
// Timers with random deadlines over a minute, armed, then cancelled in random order; again armed, then all moved later in random order. Contestants
// take turns in every round; the table gives medians over the rounds.
int count = args.Length > 0 ? int.Parse(args[0]) : 1_000_000;
int rounds = args.Length > 1 ? int.Parse(args[1]) : 7;

LibuvContestant? libuv = LibuvContestant.TryBuild();
// More than the thirty calls after which the JIT optimizes a method for good: what it makes of a loop before that keeps its variables in memory.
Workload warmUp = new(Math.Min(count, 20_000), seed: 0);
for (int i = 0; i < 60; i++)
{
    WeirContestant.Run(warmUp);
    WeirContestant.Fire(warmUp, Workload.NanosecondsPerMillisecond);
    DotNetContestant.Run(warmUp);
}

List<Round> weir = [], dotnet = [], uv = [];
List<double> fire = [];
for (int round = 1; round <= rounds; round++)
{
    Workload work = new(count, round);
    weir.Add(WeirContestant.Run(work));
    dotnet.Add(DotNetContestant.Run(work));
    if (libuv is not null)
    {
        uv.Add(libuv.Run(work, round));
    }

    fire.Add(WeirContestant.Fire(work, Workload.NanosecondsPerMillisecond));
}

Console.WriteLine($"{count:N0} timers over a minute, {rounds} rounds, medians [least - most]; ratio: how many times Weir's figure");
Console.WriteLine($"{"",-18}{"Weir",-24}{"Threading.Timer",-31}{"libuv",-31}target");
Row("insert, ns", round => round.Insert, 30);
Row("cancel, ns", round => round.Cancel, 30);
Console.WriteLine($"{"  a bare write",-18}{Spread(weir.Select(round => round.Write)),-24}to each timer, in the same order: what the memory takes here and now");
Console.WriteLine($"{"  with a sleep",-18}{Spread(weir.Select(round => round.CancelWithSleep)),-24}the loop sleeps when seven eighths are cancelled, and tidies up first");
Row("move later, ns", round => round.Move, null);
Row("bytes each", round => round.Bytes, 64);
Console.WriteLine($"{"fire, ns",-18}{Spread(fire),-24}none early, all within a step of 1 ms, in order");
return 0;

void Row(string name, Func<Round, double> figure, double? target)
{
    double ours = Median(weir.Select(figure));
    string verdict = target is null ? "" : $"<= {target}: {(ours <= target ? "met" : "MISSED")}";
    Console.WriteLine($"{name,-18}{Spread(weir.Select(figure)),-24}{Peer(dotnet),-31}{Peer(uv),-31}{verdict}");

    string Peer(List<Round> peer) =>
        peer.Count == 0 ? "-" : $"{Spread(peer.Select(figure))}  {Median(peer.Select(figure)) / ours:F1} x";
}

static string Spread(IEnumerable<double> figures) => $"{Median(figures),6:F1} [{figures.Min():F1} - {figures.Max():F1}]";

static double Median(IEnumerable<double> figures)
{
    double[] sorted = [.. figures.Order()];
    return (sorted[sorted.Length / 2] + sorted[(sorted.Length - 1) / 2]) / 2;
}
