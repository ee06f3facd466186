namespace Weir.Simulation;

/// <summary>A process as a descriptor: pidfd_open(2), fs/pidfs.c.</summary>
internal sealed class PidFdFile(World world, SimKernel process) : SimFile(world, FileFlags.ReadWrite)
{
    internal override string Kind => "pidfd";

    internal SimKernel Process => process;

    internal override WaitQueue WaitQueue => process.ExitQueue;

    internal override EpollEvents Poll()
        => process.IsReaped ? EpollEvents.In | EpollEvents.RdNorm | EpollEvents.Hup
            : process.HasExited ? EpollEvents.In | EpollEvents.RdNorm
            : EpollEvents.None;
}
