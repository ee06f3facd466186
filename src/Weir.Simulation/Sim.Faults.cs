namespace Weir.Simulation;

public sealed partial class Sim
{
    /// <summary>What goes wrong in this run: begins as <see cref="SimOptions.Faults"/>, and the program may add to it.</summary>
    public SimFaults Faults => _world.Faults.Plan;

    /// <summary>
    /// Has a sleep protocol of the program's own watched: whenever everybody sleeps and <paramref name="hasWork"/> says that something was left for
    /// the sleeper called <paramref name="name"/>, that is a lost wake-up. The loops of the runtime are watched anyway.
    /// </summary>
    /// <remarks><paramref name="hasWork"/> only looks, and makes no calls; it may be asked on any thread of the simulation.</remarks>
    public void WatchForLostWakes(string name, Func<bool> hasWork)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(hasWork);
        _world.Detectors.Watch(name, hasWork);
    }
}
