namespace Weir.Simulation;

/// <summary>Unwinds the threads of a process that has ended.</summary>
internal sealed class ProcessEndedException() : SimulationEndedException("The process has ended.");

// Processes: kernel/fork.c and kernel/exit.c, as far as descriptors and those who wait see them.
public sealed unsafe partial class SimKernel
{
    private const uint NoId = uint.MaxValue; // INVALID_UID, INVALID_GID

    private readonly WaitQueue _childQueue = new(); // signal->wait_chldexit

    /// <summary>The user that the process belongs to, as getuid(2) and geteuid(2) would give it. A process begins as root, 0, or as its parent is.</summary>
    public uint UserId { get; private set; }

    /// <summary>The group that the process belongs to, as getgid(2) and getegid(2) would give it.</summary>
    public uint GroupId { get; private set; }

    /// <summary>Root has every capability, and nobody else has one.</summary>
    private bool IsPrivileged => UserId == 0;

    /// <summary>
    /// Makes the process another user's, for good unless that is root: setresgid(2) and setresuid(2) with one value for all three. What it may say of itself over
    /// unix sockets depends on it (SCM_CREDENTIALS), and what they say of it; files have no owners here.
    /// </summary>
    /// <exception cref="KernelException">EPERM: it is not root's; EINVAL: no such user or group.</exception>
    public void SetUser(uint userId, uint groupId)
    {
        if (userId == NoId || groupId == NoId)
            throw new KernelException("setresuid", -1, Errno.EINVAL);
        if (!IsPrivileged && (userId != UserId || groupId != GroupId))
            throw new KernelException("setresuid", -1, Errno.EPERM);
        GroupId = groupId;
        UserId = userId;
    }

    /// <summary>Whether the process has ended: its descriptors are closed, and what its threads call does not return.</summary>
    public bool HasExited { get; private set; }

    /// <summary>Who waits for it; null: nobody, so that it is gone as soon as it ends.</summary>
    internal SimKernel? Parent { get; private set; }

    /// <summary>Its parent has taken note of its end, or nobody has to.</summary>
    internal bool IsReaped { get; private set; }

    /// <summary>As wait(2) gives it: exit status in bits 8 to 15, or the signal in bits 0 to 6.</summary>
    internal int WaitStatus { get; private set; }

    /// <summary>pid->wait_pidfd: those who watch its pidfds.</summary>
    internal WaitQueue ExitQueue { get; } = new();

    /// <summary>
    /// Another process on the same machine, a child of this one, whose descriptors refer to the same open file descriptions, as after fork(2).
    /// It has no threads yet. Signals are handled as here.
    /// </summary>
    public SimKernel Fork(string name)
    {
        var child = new SimKernel(Machine, name) { Parent = this, UserId = UserId, GroupId = GroupId };
        for (int fd = 0; fd < 3; fd++)
            child.Descriptors.Take(fd)!.Drop();
        foreach ((int fd, SimFile file, _) in Descriptors.Open)
            child.Descriptors.Set(fd, file, Descriptors.IsCloseOnExec(fd), isInherited: true);
        child.Descriptors.SoftLimit = Descriptors.SoftLimit;
        child.Descriptors.HardLimit = Descriptors.HardLimit;
        _actions.CopyTo(child._actions, 0);
        return child;
    }

    /// <summary>Closes the descriptors that are close-on-exec and forgets handlers of signals, as execve(2) does.</summary>
    public void Exec()
    {
        foreach ((int fd, _, _) in Descriptors.Open.ToArray())
        {
            if (!Descriptors.IsCloseOnExec(fd))
                continue;
            SimFile file = Descriptors.Take(fd)!;
            file.Drop();
            World.Detectors.Closed(this, fd, file);
        }

        foreach (ref SignalAction action in _actions.AsSpan())
        {
            if (action.Disposition == SignalDisposition.Handled)
                action = default;
        }
    }

    /// <summary>
    /// Ends the process, as exit_group(2) does: closes its descriptors, ends its threads, tells its parent. To a thread of the process itself
    /// it does not return: an exception unwinds that, as it does the others when they next call.
    /// </summary>
    /// <param name="status">The exit status; its low 8 bits count.</param>
    public void Exit(int status)
    {
        using Call call = BeginFromOutside(SystemCall.ExitGroup);
        if (call.IsRefused)
            return;
        EndProcess((status & 0xFF) << 8);
        call.Returns(0);
    }

    // A thread of a process that has ended is told once. On its way out its finally blocks may call, and find nothing open; who calls on and
    // on is told again. A loop's clean-up may be anywhere, so that is told only where it waits.
    private static void Unwind(SimThread thread)
    {
        const int MostCalls = 1000, MostCallsOfLoop = 100_000;
        if (thread.IsLoop ? thread.CallsWhileUnwinding > MostCallsOfLoop : thread.CallsWhileUnwinding is 0 or > MostCalls)
            throw Ended(thread);
        thread.CallsWhileUnwinding++;
    }

    /// <summary>What unwinds a thread of a process that has ended.</summary>
    internal static ProcessEndedException Ended(SimThread thread)
    {
        thread.CallsWhileUnwinding++;
        return new ProcessEndedException();
    }

    // do_exit
    internal void EndProcess(int waitStatus)
    {
        if (HasExited)
            return;
        HasExited = true;
        WaitStatus = waitStatus;
        foreach (SimThread thread in World.Threads)
        {
            if (thread.Process != this || thread.State == ThreadState.Ended)
                continue;
            thread.HasSignal = true;
            thread.Wake();
        }

        foreach ((int fd, _, _) in Descriptors.Open.ToArray())
            Descriptors.Take(fd)!.Drop();
        AbandonRings();
        UnmapAll();
        foreach (SimKernel child in Machine.Processes)
        {
            if (child.Parent != this)
                continue;
            child.Parent = null;
            if (child.HasExited)
                child.Reap();
        }

        NotifyParent();
    }

    // do_notify_parent
    private void NotifyParent()
    {
        ExitQueue.Wake(EpollEvents.In | EpollEvents.RdNorm, 0);
        if (Parent == null)
        {
            Reap();
            return;
        }

        bool isWatched = Parent._actions[SignalNumbers.Child].Disposition != SignalDisposition.Ignored;
        if (isWatched)
        {
            bool killed = (WaitStatus & 0x7F) != 0;
            Parent.Send(SignalNumbers.Child, new SignalInfo(
                SignalNumbers.Child,
                killed ? SignalInfo.ChildKilled : SignalInfo.ChildExited,
                ProcessId,
                killed ? WaitStatus & 0x7F : WaitStatus >> 8));
        }

        Parent._childQueue.Wake(EpollEvents.None, 0);
        if (!isWatched)
            Reap();
    }

    // release_task
    private void Reap()
    {
        IsReaped = true;
        ExitQueue.Wake(EpollEvents.None, 0);
        // signalfd_cleanup: nobody can be in this queue any more (POLLFREE).
        SignalQueue.Wake(EpollEvents.Hup, 0);
        foreach (WaitEntry entry in SignalQueue.Entries.ToArray())
            entry.Leave();
    }

    /// <summary>waitpid(2): takes the end of a child. Its number, 0 if it lives (and is not waited for), or -ECHILD, -EINTR.</summary>
    internal int WaitFor(int processId, out int status, bool block = true)
    {
        using Call call = Begin(SystemCall.Wait);
        status = 0;
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        while (true)
        {
            SimKernel? child = Machine.FindProcess(processId);
            if (child?.Parent != this)
                return call.Returns(-(int)Errno.ECHILD);
            if (child.HasExited)
            {
                status = child.WaitStatus;
                child.Reap();
                return call.Returns(processId);
            }

            int error = block ? World.WaitIn(call.Thread, _childQueue, exclusive: false) : 0;
            if (error < 0 || !block)
                return call.Returns(error);
        }
    }

    /// <inheritdoc/>
    public override int PidFdOpen(int processId)
    {
        using Call call = Begin(SystemCall.PidFdOpen);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if (processId <= 0)
            return call.Returns(-(int)Errno.EINVAL);
        SimKernel? process = Machine.FindProcess(processId);
        return call.Returns(process == null ? -(int)Errno.ESRCH : Install(new PidFdFile(World, process), closeOnExec: true));
    }
}
