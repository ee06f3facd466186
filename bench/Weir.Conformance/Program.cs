using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Weir.Bench.Parts;
using Weir.Conformance.Random;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var operations = new Option<int>("--ops") { Description = "Operations at least, over all families.", DefaultValueFactory = _ => 1_000_000 };
var seed = new Option<ulong?>("--seed") { Description = "Determines the programs. Defaults to a new one each time." };
operations.Validators.Add(result =>
{
    if (result.GetValueOrDefault<int>() <= 0)
        result.AddError("--ops must be above zero.");
});

var root = new RootCommand("Random programs, step by step the same on Linux and on the emulated kernel. Exits with 3 when they are not.") { operations, seed };
root.SetAction(arguments => Compare(arguments.GetValue(operations), arguments.GetValue(seed) ?? (ulong)Random.Shared.NextInt64(1, 1L << 32)));
return root.Parse(args).Invoke();

static int Compare(int operations, ulong seed)
{
    Console.WriteLine($"kernel {File.ReadAllText("/proc/sys/kernel/osrelease").Trim()}, seed {seed}");
    Family[] families = Enum.GetValues<Family>();
    var table = new Table("family", "operations", "programs", "divergences", "seconds");
    var divergences = new List<string>();
    long allOperations = 0, allPrograms = 0, began = Stopwatch.GetTimestamp();
    foreach (Family family in families)
    {
        Console.Error.WriteLine($"{family} ...");
        long start = Stopwatch.GetTimestamp();
        ProgramSearch search = new(family, seed);
        // A family ends with its first: the same would turn up again and again.
        RandomProgram? program = search.FindSmallest((operations + families.Length - 1) / families.Length, program => program.Difference() != null);
        if (program != null)
            divergences.Add($"{family}, seed {seed}, program {search.Programs}:\n{program.ToSource()}\n{program.Difference()}");
        Add(family.ToString(), search.Operations, search.Programs, program == null ? 0 : 1, start);
        allOperations += search.Operations;
        allPrograms += search.Programs;
    }

    Add("all", allOperations, allPrograms, divergences.Count, began);
    table.Print(Console.Out);
    foreach (string divergence in divergences)
        Console.WriteLine($"\n{divergence}");
    return divergences.Count == 0 ? 0 : 3;

    void Add(string name, long operations, long programs, int divergences, long since)
        => table.Add(name, Text.Whole(operations), Text.Whole(programs), $"{divergences}", $"{Stopwatch.GetElapsedTime(since).TotalSeconds:0.0}");
}
