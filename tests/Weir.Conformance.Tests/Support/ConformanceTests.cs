namespace Weir.Conformance;

/// <summary>
/// What the tests have in common: a program runs on the real kernel, which must do what the program says it does, and then on the emulated
/// one, which must do the same at every step.
/// </summary>
public abstract class ConformanceTests
{
    // Schedules tried for programs that end in more than one way: so many in any case, and so many until all has occurred that did in reality.
    private const int FewestSchedules = 40;
    private const int MostSchedules = 5000;

    /// <summary>Runs a program on both kernels.</summary>
    protected static void Run(Action<Machine> program)
    {
        Transcript simulated = new SimMachine().Run(program);
        Transcript real = OnLinux(program, simulated.Interruptions);
        real.AssertSucceeded();
        Transcript.AssertSame(real, simulated);
    }

    // The runtime stops threads by a signal, which ends a wait of theirs as any other would: a run that tells of more interruptions than there should
    // be is no answer.
    private static Transcript OnLinux(Action<Machine> program, int interruptions)
    {
        const int Attempts = 5;
        for (int attempt = 1; ; attempt++)
        {
            Transcript real = new LinuxMachine().Run(program);
            if (attempt == Attempts || real.Interruptions <= interruptions)
                return real;
        }
    }

    /// <summary>
    /// Runs a program that ends in more than one way, so and so often on the real kernel and under many schedules on the emulated one. All that
    /// occurs must be among the outcomes given, and what occurs on the real kernel among what the schedules lead to.
    /// </summary>
    protected static void RunForOutcome(Func<Machine, string> program, int rounds, params ReadOnlySpan<string> outcomes)
    {
        HashSet<string> allowed = [.. outcomes], real = [], simulated = [];
        for (int i = 0; i < rounds; i++)
        {
            string outcome = "";
            OnLinux(m => outcome = program(m), interruptions: 0).AssertSucceeded();
            real.Add(outcome);
        }

        for (ulong seed = 1; seed <= FewestSchedules || (seed <= MostSchedules && !real.IsSubsetOf(simulated)); seed++)
            simulated.Add(OutcomeOn(new SimMachine(seed), program));
        Assert.Subset(allowed, real);
        Assert.Subset(allowed, simulated);
        Assert.Subset(simulated, real);
    }

    private static string OutcomeOn(Machine machine, Func<Machine, string> program)
    {
        string outcome = "";
        machine.Run(m => outcome = program(m)).AssertSucceeded();
        return outcome;
    }
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
