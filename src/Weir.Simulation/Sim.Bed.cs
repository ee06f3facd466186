namespace Weir.Simulation;

public sealed partial class Sim
{
    /// <summary>A simulation whose kernel may be used before and after its loops run, and that may run several, one after the other: a bed for tests.</summary>
    internal static Sim MakeBed(ulong seed, Choices choices, SimOptions options) => new(seed, choices, options);

    /// <summary>Runs one loop, and what it starts, to the end. Throws what it failed with as it was.</summary>
    internal void RunLoop(Func<Task> main, LoopOptions options)
    {
        var loop = new SimLoop(this, Kernel, main, options);
        var scheduler = (BatonScheduler)_world.Scheduler;
        if (_options.Mode == SimMode.Stepping)
            loop.StartStepped(scheduler);
        else
            scheduler.StartThread(Kernel, options.Name, loop.RunToEnd);
        scheduler.Run();
        if (loop.Failure != null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(loop.Failure);
    }
}
