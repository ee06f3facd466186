using Weir.Tests;

namespace Weir.Simulation.Tests;

/// <summary>Loops on an emulated kernel, a turn at a time on one thread, under virtual time.</summary>
internal sealed class SteppedBed(ulong seed = 1) : TestBed
{
    private readonly Sim _sim = Sim.MakeBed(seed, new Choices(new RandomStrategy(seed, 0.1)), new SimOptions { Detect = SimDetectors.LostWakes | SimDetectors.BusyLoops });

    public override Kernel Kernel => _sim.Kernel;

    public override void Run(Func<Task> main, LoopOptions options) => _sim.RunLoop(main, options);
}

/// <summary>Loops on an emulated kernel on real threads in real time: for tests whose own threads meet them.</summary>
internal sealed class LiveBed : TestBed
{
    private readonly SimKernel _kernel = SimKernel.Live();

    public override Kernel Kernel => _kernel;
}
