namespace Weir.Simulation;

public sealed unsafe partial class SimKernel
{
    /// <inheritdoc/>
    public override int ReceiveMessages(int fd, MessageEntry* messages, uint count, MessageFlags flags) => throw NotEmulated("recvmmsg");

    /// <inheritdoc/>
    public override int SendMessages(int fd, MessageEntry* messages, uint count, MessageFlags flags) => throw NotEmulated("sendmmsg");
}
