using Weir.Tests;

namespace Weir.Simulation.Tests;

/// <summary>
/// Loops on an emulated kernel, a turn at a time on one thread, under virtual time. Little is watched for: the tests misbehave on purpose.
/// </summary>
internal class SteppedBed(ulong seed = 1) : TestBed
{
    private readonly Sim _sim = MakeSim(seed);

    public override Kernel Kernel => _sim.Kernel;

    private static Sim MakeSim(ulong seed)
    {
        Sim sim = Sim.MakeBed(seed, new Choices(new RandomStrategy(seed, 0.1)), new SimOptions { Detect = SimDetectors.LostWakes | SimDetectors.BusyLoops });
        SimBeds.LiftLimit(sim.Kernel);
        return sim;
    }

    public override void Run(Func<Task> main, LoopOptions options) => _sim.RunLoop(main, options);
}

/// <summary>Loops on an emulated kernel on real threads in real time: for tests whose own threads meet them.</summary>
internal class LiveBed : TestBed
{
    private readonly SimKernel _kernel = MakeKernel();

    public override Kernel Kernel => _kernel;

    private static SimKernel MakeKernel()
    {
        SimKernel kernel = SimKernel.Live();
        SimBeds.LiftLimit(kernel);
        return kernel;
    }
}

/// <summary>As <see cref="SteppedBed"/>, on the io_uring driver.</summary>
internal sealed class SteppedUringBed : SteppedBed
{
    public override DriverKind Driver => DriverKind.IoUring;
}

/// <summary>As <see cref="LiveBed"/>, on the io_uring driver.</summary>
internal sealed class LiveUringBed : LiveBed
{
    public override DriverKind Driver => DriverKind.IoUring;
}

internal static class SimBeds
{
    /// <summary>The tests use numbers that nobody else in the process would be given.</summary>
    internal static void LiftLimit(Kernel kernel)
    {
        Assert.Equal(0, kernel.GetResourceLimit(ResourceLimit.OpenFiles, out _, out ulong hard));
        Assert.Equal(0, kernel.SetResourceLimit(ResourceLimit.OpenFiles, hard, hard));
    }
}
