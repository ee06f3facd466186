namespace Weir.Simulation;

public sealed unsafe partial class SimKernel
{
    /// <inheritdoc/>
    public override int SignalFd(int fd, ulong signals) => throw NotEmulated("signalfd");

    /// <inheritdoc/>
    public override int PidFdOpen(int processId) => throw NotEmulated("pidfd_open");

    /// <summary>Takes the signals that a thread has handlers for off the books: their handlers have run.</summary>
    internal void RunHandlers(SimThread thread)
    {
        PendingSignals &= thread.BlockedSignals;
        thread.PendingSignals &= thread.BlockedSignals;
        thread.WasStopped = false;
    }
}
