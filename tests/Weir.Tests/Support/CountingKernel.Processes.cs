namespace Weir.Tests;

public unsafe partial class CountingKernel
{
    public override int Spawn(SpawnRequest* request)
        => Refuses(nameof(Spawn), out int error) ? error : Inner.Spawn(request);

    public override int WaitId(int pidFd, WaitFlags flags, out ChildStatus status)
    {
        if (Refuses(nameof(WaitId), out int error))
        {
            status = default;
            return error;
        }

        return Inner.WaitId(pidFd, flags, out status);
    }

    public override int PidFdSendSignal(int pidFd, int signal)
        => Refuses(nameof(PidFdSendSignal), out int error) ? error : Inner.PidFdSendSignal(pidFd, signal);
}
