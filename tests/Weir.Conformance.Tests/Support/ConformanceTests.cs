namespace Weir.Conformance;

/// <summary>
/// What the tests have in common: a program runs on the real kernel, which must do what the program says it does, and then on the emulated
/// one, which must do the same at every step.
/// </summary>
public abstract class ConformanceTests
{
    /// <summary>Runs a program on both kernels.</summary>
    protected static void Run(Action<Machine> program)
    {
        Transcript real = new LinuxMachine().Run(program);
        real.AssertSucceeded();
    }

    /// <summary>Runs on the real kernel a program that ends in more than one way, and says in which.</summary>
    protected static string Outcome(Func<Machine, string> program)
    {
        string outcome = "";
        new LinuxMachine().Run(m => outcome = program(m)).AssertSucceeded();
        return outcome;
    }

    /// <summary>Runs on the real kernel what the door cannot express, or what the emulation does not take part in.</summary>
    protected static void RunOnLinux(Action<Machine> program) => new LinuxMachine().Run(program).AssertSucceeded();
}

/// <summary>
/// Tests during which nothing else may run: those that stop the process, and those that start processes (or what passes for one), which
/// hold for a moment a copy of every descriptor that there is.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    public const string Name = "alone";
}
