namespace Weir;

public abstract unsafe partial class Kernel
{
    /// <summary>
    /// Starts a program as a child of this process, with all signals unblocked and back to their defaults, and with the three standard
    /// descriptors alone; returns its process id, and its pidfd in <see cref="SpawnRequest.ProcessDescriptor"/>. Returns when the program has
    /// been loaded, or could not be. On failure nothing runs. posix_spawn(3), pidfd_open(2).
    /// </summary>
    public abstract int Spawn(SpawnRequest* request);

    /// <summary>
    /// Waits for a child named by a pidfd to end, and takes note of its end (reaps it) unless asked not to. Returns 0; with
    /// <see cref="WaitFlags.NoHang"/> a child that lives leaves <see cref="ChildStatus.ProcessId"/> at 0. waitid(P_PIDFD), Linux 5.4.
    /// </summary>
    public abstract int WaitId(int pidFd, WaitFlags flags, out ChildStatus status);

    /// <summary>Sends a signal to the process of a pidfd. pidfd_send_signal(2), Linux 5.1.</summary>
    public abstract int PidFdSendSignal(int pidFd, int signal);
}
