namespace Weir.Simulation;

public partial class SimOptions
{
    /// <summary>
    /// What is watched for. Defaults to <see cref="SimDetectors.Default"/>. In <see cref="SimMode.Live"/> nothing is: other threads may act at any
    /// moment, so that nobody can say that nothing is to come.
    /// </summary>
    public SimDetectors Detect { get; set; } = SimDetectors.Default;

    /// <summary>How many calls or reports in a row with nothing coming of them are a busy loop. Defaults to 1,000.</summary>
    public int BusyLoopLimit { get; set; } = 1000;

    /// <summary>How many steps somebody may wait for its turn under <see cref="SimDetectors.Starvation"/>. Defaults to 100,000.</summary>
    public long StarvationLimit { get; set; } = 100_000;

    /// <summary>How long in virtual time readiness may be left alone under <see cref="SimDetectors.LongStalls"/>. Defaults to 10 s.</summary>
    public TimeSpan StallLimit { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Faults that are there from the beginning of each run. What a run adds to its own (<see cref="Sim.Faults"/>) does not come back here.</summary>
    public SimFaults Faults { get; } = new();

    /// <summary>
    /// How long in real time a simulation that is stuck waits for work on the thread pool to show itself by a call, so that an escape is reported
    /// as such. Defaults to 20 ms.
    /// </summary>
    internal TimeSpan EscapePatience { get; set; } = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// How long in real time a thread that runs may wait for something outside the simulation, two looks in a row, before that is said to be the
    /// end of it. Defaults to 5 s.
    /// </summary>
    internal TimeSpan LockPatience { get; set; } = TimeSpan.FromSeconds(5);
}
