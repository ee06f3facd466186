namespace Weir.Simulation;

// Children by pidfd: kernel_waitid of kernel/exit.c and pidfd_send_signal of kernel/signal.c. They come from Fork, for there are no programs here.
public sealed unsafe partial class SimKernel
{
    // WSTOPPED, WCONTINUED, __WNOTHREAD, __WALL, __WCLONE: known, and beside the point here, where no child stops.
    private const WaitFlags OtherEvents = (WaitFlags)0xA, OtherWaitFlags = (WaitFlags)unchecked((int)0xE000_0000) | OtherEvents;

    /// <inheritdoc/>
    public override int Spawn(SpawnRequest* request) => throw NotEmulated("posix_spawn");

    /// <inheritdoc/>
    public override int WaitId(int pidFd, WaitFlags flags, out ChildStatus status)
    {
        using Call call = Begin(SystemCall.WaitId, pidFd);
        status = default;
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        const WaitFlags Known = WaitFlags.NoHang | WaitFlags.Exited | WaitFlags.NoReap | OtherWaitFlags;
        if ((flags & ~Known) != 0 || (flags & (WaitFlags.Exited | OtherEvents)) == 0 || pidFd < 0)
            return call.Returns(-(int)Errno.EINVAL);
        if (Descriptors.Find(pidFd) is not PidFdFile file)
            return call.Returns(-(int)Errno.EBADF);
        // A description that does not block makes the call not hang, and says EAGAIN where there is nothing to say.
        bool isNonBlocking = (file.Flags & FileFlags.NonBlock) != 0;
        SimKernel child = file.Process;
        while (true)
        {
            if (child.Parent != this || child.IsReaped)
                return call.Returns(-(int)Errno.ECHILD);
            if (child.HasExited && (flags & WaitFlags.Exited) != 0)
            {
                status = StatusOf(child);
                if ((flags & WaitFlags.NoReap) == 0)
                    child.Reap();
                return call.Returns(0);
            }

            if ((flags & WaitFlags.NoHang) != 0)
                return call.Returns(0);
            if (isNonBlocking)
                return call.Returns(-(int)Errno.EAGAIN);
            int error = World.WaitIn(call.Thread, _childQueue, exclusive: false);
            if (error < 0)
                return call.Returns(error);
        }
    }

    private static ChildStatus StatusOf(SimKernel child)
    {
        int signal = child.WaitStatus & 0x7F;
        return new ChildStatus
        {
            ProcessId = child.ProcessId,
            Code = signal != 0 ? SignalInfo.ChildKilled : SignalInfo.ChildExited,
            Status = signal != 0 ? signal : child.WaitStatus >> 8,
        };
    }

    /// <inheritdoc/>
    public override int PidFdSendSignal(int pidFd, int signal)
    {
        using Call call = Begin(SystemCall.PidFdSendSignal, pidFd);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if (Descriptors.Find(pidFd) is not PidFdFile file)
            return call.Returns(-(int)Errno.EBADF);
        // The process is looked up before the number of the signal is looked at.
        return call.Returns(file.Process.IsReaped ? -(int)Errno.ESRCH : file.Process.Send(signal, new SignalInfo(signal, SignalInfo.FromUser, ProcessId)));
    }
}
