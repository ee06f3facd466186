using Xunit.Abstractions;

namespace Weir.Conformance.Random;

/// <summary>
/// Random programs on names, open files and watches, step by step the same on both kernels, every event compared. The variables are those of
/// <see cref="RandomTests"/>.
/// </summary>
public sealed class FileTests(ITestOutputHelper output)
{
    [Fact]
    public void Random_programs_on_files_do_the_same_on_both_kernels()
    {
        FileProgram? program = FileProgram.FindSmallest(RandomTests.Seed, RandomTests.Operations, program => program.Difference() != null, out int programs);
        if (program != null)
            Assert.Fail($"seed {RandomTests.Seed}, program {programs}:\n{program.ToSource()}\n{program.Difference()}");
        output.WriteLine($"{programs} programs");
    }

    [Fact]
    public void The_smallest_program_that_shows_something_is_found()
    {
        FileProgram? program = FileProgram.FindSmallest(
            1, 20_000, program => new SimMachine().Run(program.Run).Lines.Any(line => line.Contains("MOVED_TO|ISDIR")), out _);
        Assert.NotNull(program);
        Assert.InRange(program.Steps.Count, 2, 3); // a directory is made and renamed; into another, perhaps
    }
}
