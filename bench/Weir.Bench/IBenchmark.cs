using System.CommandLine;
using Weir.Bench.Parts;

namespace Weir.Bench;

/// <summary>One sub-command of the benchmark suite. A new one is a class of its own and a line in Program.cs.</summary>
internal interface IBenchmark
{
    /// <summary>The name it is started by.</summary>
    string Name { get; }

    /// <summary>One line for the help text.</summary>
    string Description { get; }

    /// <summary>Its own options, beside those that every benchmark has.</summary>
    IReadOnlyList<Option> Options => [];

    int DefaultRounds => 8;

    double DefaultSeconds => 1;

    /// <summary>
    /// Measures, and tells the report. Runs on the process's first thread. Throws <see cref="BenchException"/> where
    /// something the user can mend is wrong.
    /// </summary>
    void Run(Settings settings, ParseResult arguments, Report report);
}
