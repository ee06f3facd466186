using System.Text.Json;
using System.Text.Json.Serialization;

namespace Weir.Bench.Parts;

/// <summary>A promise of the project beside what was measured.</summary>
internal sealed record Target(string What, double Measured, double Limit, bool AtLeast = false)
{
    public bool Met => AtLeast ? Measured >= Limit : Measured <= Limit;
}

/// <summary>Collects what a benchmark found: prints it as it comes, and writes it all as JSON in the end.</summary>
internal sealed class Report(string benchmark, Settings settings)
{
    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DictionaryKeyPolicy = JsonNamingPolicy.CamelCase,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    private readonly List<object> _results = [];
    private readonly List<Target> _targets = [];

    public IReadOnlyList<Target> Targets => _targets;

    public static void Say(string line = "") => Console.Out.WriteLine(line);

    /// <summary>Progress and remarks go to stderr, so that stdout is the result and nothing else.</summary>
    public static void Remark(string line) => Console.Error.WriteLine(line);

    /// <summary>Keeps one result for the JSON file: any object with public properties.</summary>
    public void Keep(object result) => _results.Add(result);

    public void Add(Target target) => _targets.Add(target);

    public void PrintTargets()
    {
        if (_targets.Count == 0)
        {
            return;
        }

        Say();
        var table = new Table("target", "measured", "limit", "");
        foreach (Target target in _targets)
        {
            string limit = (target.AtLeast ? "at least " : "at most ") + target.Limit.ToString("0.00");
            table.Add(target.What, target.Measured.ToString("0.000"), limit, target.Met ? "met" : "missed");
        }

        table.Print(Console.Out);
        if (settings.Quick)
        {
            Say("  (--quick: too short for the verdicts to mean anything)");
        }
    }

    public void Write(FileInfo file)
    {
        var document = new { Benchmark = benchmark, Settings = settings, Results = _results, Targets = _targets };
        File.WriteAllText(file.FullName, JsonSerializer.Serialize(document, Json) + "\n");
    }
}
