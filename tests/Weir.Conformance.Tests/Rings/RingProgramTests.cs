namespace Weir.Conformance.Rings;

/// <summary>What tests of rings have in common: the modes in which each program runs.</summary>
public abstract class RingProgramTests : ConformanceTests
{
    protected const IoUringSetupFlags Coop = IoUringSetupFlags.CooperativeTaskRun | IoUringSetupFlags.TaskRunFlag;

    private protected static readonly IoUringSetupFlags[] Modes = [IoUringSetupFlags.None, Coop, Machine.Deferring];
}
