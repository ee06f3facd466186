using System.CommandLine;
using System.Globalization;
using Weir.Bench.Parts;

namespace Weir.Bench.Benchmarks;

/// <summary>What an idle connection costs in memory: the slope over growing numbers of them, so that what a server needs anyway drops out.</summary>
internal sealed class IdleBenchmark : IBenchmark
{
    private const int Buffer = 16384;

    private readonly Option<string> _steps = new("--connections")
    {
        Description = "How many connections, in rising steps. Defaults to 2000,8000,16000, with --quick to 500,1000,2000.",
    };

    public string Name => "idle";

    public string Description => "Bytes per idle connection: resident, and managed after a full collection.";

    public IReadOnlyList<Option> Options => [_steps, WithoutWeir.Option, Driver.Option];

    /// <summary>Memory repeats itself; time does not.</summary>
    public int DefaultRounds => 1;

    public void Run(Settings settings, ParseResult arguments, Report report)
    {
        string steps = arguments.GetValue(_steps) ?? (settings.Quick ? "500,1000,2000" : "2000,8000,16000");
        if (steps.Split(',') is not { Length: > 1 } parts || parts.Any(part => !int.TryParse(part, out int n) || n <= 0))
        {
            throw new BenchException($"--connections takes at least two numbers, such as 2000,8000, not '{steps}'");
        }

        var driver = Driver.In(arguments);
        Subject[] subjects =
        [
            .. WithoutWeir.IsGivenIn(arguments) ? Array.Empty<Subject>() : [new Subject(driver.Weir, Managed: false)],
            .. IdleServer.All.Keys.Select(name => InProcess(name, driver)),
            new Subject(Peer.C, Managed: false),
            .. (driver.IsUring ? Driver.CUring : []).Select(peer => new Subject(peer, Managed: false)),
            new Subject(Peer.Libuv, Managed: false),
        ];
        Dictionary<Subject, List<Cost>> results =
            Rounds.Measure(settings.Rounds, subjects, subject => Measure(subject, steps, settings));

        Report.Say();
        Report.Say($"Bytes per idle connection that has echoed once (slope over {steps} connections)");
        var table = new Table("server", "resident", "managed");
        foreach ((Subject subject, List<Cost> costs) in results)
        {
            table.Add(
                subject.Peer.Name,
                Text.Whole(Summary.Of(costs.Select(cost => cost.Resident)).Median),
                subject.Managed ? Text.Whole(Summary.Of(costs.Select(cost => cost.Managed)).Median) : "-");
            report.Keep(new { subject.Peer.Name, Rounds = costs });
        }

        table.Print(Console.Out);
    }

    private static Subject InProcess(string name, Driver driver) =>
        new(new Peer($"{name} (in process)", (port, _) => ["dotnet", Output.Harness, "idle-server", name, $"{port}", "--driver", $"{driver}"]), Managed: true);

    private static Cost Measure(Subject subject, string steps, Settings settings)
    {
        Report.Remark($"{subject.Peer.Name}: opening {steps} connections");
        using EchoServer server = EchoServer.Start(subject.Peer, settings.ServerCpu, Buffer, talks: subject.Managed);
        using OtherProcess client = OtherProcess.Start(
            settings.ClientCpu, [Output.LoadGenerator, "--port", $"{server.Port}", "--idle", steps]);
        var resident = new List<(double Connections, double Bytes)>();
        var managed = new List<(double Connections, double Bytes)>();
        while (client.Output.ReadLine() is { } line)
        {
            double connections = Value(line, "connections");
            // No event tells that a runtime has finished what the last connections made it do in the background.
            Thread.Sleep(500);
            resident.Add((connections, server.ResidentBytes));
            if (subject.Managed)
            {
                managed.Add((connections, Value(server.Ask("managed"), "managed")));
            }

            client.Input.WriteLine();
            client.Input.Flush();
        }

        client.WaitForEnd(TimeSpan.FromSeconds(5));
        return new Cost(Line.Slope(resident), subject.Managed ? Line.Slope(managed) : double.NaN);
    }

    private static double Value(string line, string key) =>
        line.StartsWith(key + "=", StringComparison.Ordinal)
            ? double.Parse(line.AsSpan(key.Length + 1), CultureInfo.InvariantCulture)
            : throw new BenchException($"expected {key}=NUMBER, not '{line}'");

    private sealed record Subject(Peer Peer, bool Managed);

    private sealed record Cost(double Resident, double Managed);
}
