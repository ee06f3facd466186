namespace Weir.Simulation;

/// <summary>Which call did something, and when: who opened a descriptor, who closed it.</summary>
internal readonly record struct CallPlace(long Step, long Time, SimThread? Thread, SystemCall Call)
{
    /// <summary>The call in progress.</summary>
    internal static CallPlace Here(World world)
        => world.CurrentThread is { } thread
            ? new CallPlace(world.Log.Count, world.Now, thread, thread.Call)
            : new CallPlace(world.Log.Count, world.Now, null, SystemCall.None);

    public override string ToString()
        => Call == SystemCall.None
            ? $"outside any call, at step {Step} ({StepText.Moment(Time)})"
            : $"by {Thread?.Name ?? "nobody"} in {Call.ManName()}(), at step {Step} ({StepText.Moment(Time)})";
}
