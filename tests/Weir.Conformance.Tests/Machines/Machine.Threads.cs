namespace Weir.Conformance;

/// <summary>Signals that programs use. None of them means anything to the .NET runtime.</summary>
public enum Signal
{
    /// <summary>A standard signal with a handler; only one of it can be pending.</summary>
    Standard = 10,

    /// <summary>A real-time signal with a handler that does nothing, installed with SA_RESTART.</summary>
    Handled = 43,

    /// <summary>A real-time signal that is ignored.</summary>
    Ignored = 44,
}

/// <summary>A child process of a program.</summary>
public sealed class MachineChild
{
    internal MachineChild(int id) => Id = id;

    internal int Id { get; }
}

// Threads, time, signals and processes.
public abstract unsafe partial class Machine
{
    // Threads

    /// <summary>Starts a thread.</summary>
    public MachineThread Start(string name, Action body) => Start(name, body, Current.Table);

    /// <summary>
    /// Starts a process: a thread with descriptors of its own, which at first are those of the caller, as after fork(2). They are closed when it ends.
    /// </summary>
    public MachineThread StartProcess(string name, Action body) => Start(name, body, new DescriptorTable(Current.Table));

    private MachineThread Start(string name, Action body, DescriptorTable table)
    {
        MachineThread thread = CreateThread(name, table);
        lock (_lock)
            _threads.Add(thread);
        Note($"start {name}");
        Launch(thread, () => Body(thread, body));
        return thread;
    }

    /// <summary>Starts the thread; it has a table of its own if that is not its creator's.</summary>
    private protected abstract void Launch(MachineThread thread, Action body);

    /// <summary>Waits until a thread has ended; its lines follow.</summary>
    public void Join(MachineThread thread)
    {
        AwaitEnd(thread);
        thread.IsJoined = true;
        foreach (string line in thread.Lines)
            Note($"{thread}: {line}");
        thread.Failure?.Throw();
    }

    /// <summary>Returns when the thread has ended, and with a process also its descriptors.</summary>
    private protected abstract void AwaitEnd(MachineThread thread);

    /// <summary>Returns once the thread is blocked in a wait; fails the program if it ends instead.</summary>
    public abstract void UntilBlocked(MachineThread thread);

    /// <summary>Returns once every thread but the caller is blocked in a wait or has ended.</summary>
    public abstract void UntilQuiet();

    /// <summary>Starts a thread and returns once it is blocked in a wait.</summary>
    public MachineThread StartBlocked(string name, Action body)
    {
        MachineThread thread = Start(name, body);
        UntilBlocked(thread);
        return thread;
    }

    /// <summary>When all is quiet: says whether the thread is blocked still, and fails the program if not.</summary>
    public void ExpectBlocked(MachineThread thread)
    {
        UntilQuiet();
        Expect(!thread.HasEnded, $"{thread} is blocked");
    }

    // Time

    /// <summary>Nanoseconds of the monotonic clock.</summary>
    public long Now => Kernel.ClockGetTime(ClockId.Monotonic);

    /// <summary>Lets so much time pass.</summary>
    public abstract void Sleep(int milliseconds);

    /// <summary>Lets what is under way on the network arrive.</summary>
    public abstract void Settle();

    /// <summary>Fails the program if less time has passed since <paramref name="start"/> than so many milliseconds.</summary>
    public void ExpectNotEarly(long start, int milliseconds) => Expect(Now - start >= milliseconds * 1_000_000L, $"{milliseconds} ms have passed");

    // Signals

    /// <summary>Sends a signal to one thread.</summary>
    public void Kill(MachineThread thread, Signal signal)
    {
        Note($"kill({thread}, {signal})");
        SendSignal(thread, signal);
    }

    private protected abstract void SendSignal(MachineThread thread, Signal signal);

    /// <summary>Blocks a signal for the calling thread.</summary>
    public void Block(Signal signal)
    {
        Note($"block({signal})");
        BlockSignal(signal);
    }

    private protected abstract void BlockSignal(Signal signal);

    /// <summary>Whether a signal waits for the calling thread; fails the program if it is otherwise.</summary>
    public void ExpectPending(Signal signal, bool pending = true)
    {
        Note($"pending({signal}) = {HasPending(signal)}");
        if (HasPending(signal) != pending)
            Fail($"{signal} is {(pending ? "not " : "")}pending");
    }

    private protected abstract bool HasPending(Signal signal);

    /// <summary>epoll_pwait(2): a wait during which a signal is not blocked that is blocked otherwise.</summary>
    public WaitOutcome WaitUnblocked(Fd set, int timeout, Signal signal)
        => Wait($"epoll_pwait({set}, {timeout}, all but {signal})", 16, events => WaitWithSignal(set.Number, events, 16, timeout, signal));

    /// <summary>epoll_pwait2(2) that only looks, with a set of blocked signals that is said to have so many bytes; they are those that are blocked anyway.</summary>
    public WaitOutcome WaitWithSet(Fd set, int size)
        => Wait($"epoll_pwait2({set}, a set of {size} bytes)", 16, events => WaitWithSet(set.Number, events, 16, size));

    private protected abstract int WaitWithSet(int epfd, void* events, int max, int size);

    private protected abstract int WaitWithSignal(int epfd, void* events, int max, int timeout, Signal signal);

    /// <summary>Stops all threads of the program by SIGSTOP and lets them go on by SIGCONT. For tests that run alone.</summary>
    public void StopAndContinue()
    {
        Note("stop and continue");
        StopAndContinueProcess();
    }

    private protected abstract void StopAndContinueProcess();

    /// <summary>A descriptor that reads a signal.</summary>
    public Fd SignalFd(Signal signal)
    {
        Fd fd = Keep(NewName("sig"), Kernel.SignalFd(-1, 1ul << ((int)signal - 1)), FdKind.Other);
        Note($"{fd} = signalfd({signal})");
        return fd;
    }

    // Processes

    /// <summary>A child that does nothing until it is killed. For tests that run alone.</summary>
    public MachineChild StartChild()
    {
        Note("start a child");
        return new MachineChild(SpawnChild());
    }

    private protected abstract int SpawnChild();

    /// <summary>A descriptor for a child.</summary>
    public Fd PidFd(MachineChild child)
    {
        Fd fd = Keep(NewName("pid"), Kernel.PidFdOpen(child.Id), FdKind.Other);
        Note($"{fd} = pidfd_open()");
        return fd;
    }

    /// <summary>Ends a child and returns when it has exited; it is not reaped yet.</summary>
    public void End(MachineChild child)
    {
        Note("the child exits");
        EndChild(child.Id);
    }

    private protected abstract void EndChild(int process);

    /// <summary>waitid(P_PIDFD): what it returned; if that is 0, then what it found: 0 nothing, else the code of siginfo_t and the status.</summary>
    public Outcome WaitId(Fd fd, WaitFlags flags, MachineChild? child = null)
    {
        int result = Kernel.WaitId(fd.Number, flags, out ChildStatus status);
        if (result == 0 && status.ProcessId != 0 && status.ProcessId != child?.Id)
            Fail($"waitid({fd}) found another process");
        return Call($"waitid({fd}, {flags})", result < 0 || status.ProcessId == 0 ? result : status.Code * 1000 + status.Status);
    }

    /// <summary>Sets O_NONBLOCK, as the only one of its status flags.</summary>
    public Outcome SetNonBlocking(Fd fd) => Call($"fcntl({fd}, F_SETFL, O_NONBLOCK)", Kernel.Fcntl(fd.Number, FcntlCommand.SetStatusFlags, (nint)FileFlags.NonBlock));

    /// <summary>pidfd_send_signal(2).</summary>
    public Outcome SendSignal(Fd fd, int signal) => Call($"pidfd_send_signal({fd}, {signal})", Kernel.PidFdSendSignal(fd.Number, signal));

    /// <summary>Returns when a child that is about to end has; it is not reaped yet.</summary>
    public void AwaitExit(Fd fd)
    {
        Fd set = Epoll();
        Add(set, fd, EpollEvents.In);
        Wait(set, Forever).Is((fd, EpollEvents.In));
        Close(set);
    }

    /// <summary>Takes the exit status of a child.</summary>
    public Outcome Reap(MachineChild child) => Call("waitid()", ReapChild(child.Id));

    private protected abstract int ReapChild(int process);
}
