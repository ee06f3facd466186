using Xunit.Abstractions;

namespace Weir.Conformance.Random;

/// <summary>
/// Random programs over all kinds of files, step by step the same on both kernels. A difference is reported with the smallest program
/// that shows it, as source. WEIR_RANDOM_SEED chooses other programs, WEIR_RANDOM_OPERATIONS how many operations each family runs.
/// </summary>
public sealed class RandomTests(ITestOutputHelper output)
{
    private const ulong DefaultSeed = 20_250_101;
    private const int DefaultOperations = 40_000;

    internal static ulong Seed => ulong.TryParse(Environment.GetEnvironmentVariable("WEIR_RANDOM_SEED"), out ulong seed) ? seed : DefaultSeed;

    internal static int Operations => int.TryParse(Environment.GetEnvironmentVariable("WEIR_RANDOM_OPERATIONS"), out int count) ? count : DefaultOperations;

    [Theory]
    [InlineData(Family.Counters)]
    [InlineData(Family.Pipes)]
    [InlineData(Family.UnixSockets)]
    [InlineData(Family.Network)]
    [InlineData(Family.Nesting)]
    [InlineData(Family.Everything)]
    public void Random_programs_do_the_same_on_both_kernels(Family family)
    {
        ProgramSearch search = new(family, Seed);
        if (search.FindSmallest(Operations, program => program.Difference() != null) is { } program)
            Assert.Fail($"{family}, seed {Seed}, program {search.Programs}:\n{program.ToSource()}\n{program.Difference()}");
        output.WriteLine($"{search.Programs} programs, {search.Operations} operations");
    }

    [Fact]
    public void The_smallest_program_that_shows_something_is_found_and_shown_as_source()
    {
        ProgramSearch search = new(Family.Pipes, seed: 1);
        RandomProgram? program = search.FindSmallest(10_000, program => new LinuxMachine().Run(program.Run).Lines.Any(line => line.EndsWith("[p1.w: ERR]")));
        Assert.NotNull(program);
        string source = program.ToSource();
        output.WriteLine(source);
        Assert.InRange(program.Operations.Count, 3, 6); // a pipe is made, its reader closed, its writer added
        Assert.Contains("(Fd p1r, Fd p1w) = m.Pipe();", source);
        Assert.Contains("m.Close(p1r);", source);
        Assert.Matches(@"m\.Add\(e\d, p1w, \w", source);
    }
}
