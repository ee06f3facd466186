namespace Weir.Simulation;

public sealed unsafe partial class SimKernel
{
    /// <inheritdoc/>
    public override int Spawn(SpawnRequest* request) => throw NotEmulated("posix_spawn");

    /// <inheritdoc/>
    public override int WaitId(int pidFd, WaitFlags flags, out ChildStatus status) => throw NotEmulated("waitid");

    /// <inheritdoc/>
    public override int PidFdSendSignal(int pidFd, int signal) => throw NotEmulated("pidfd_send_signal");
}
