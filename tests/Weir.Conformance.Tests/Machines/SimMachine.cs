using System.Runtime.InteropServices;
using Weir.Simulation;

namespace Weir.Conformance;

/// <summary>
/// The emulated kernel: threads that hand on a baton, and virtual time. By default threads run until they block, and then the next in turn; a
/// strategy with a seed finds other schedules.
/// </summary>
public sealed unsafe class SimMachine : Machine
{
    // A program that goes on for longer than this many points at which another thread could run does not end.
    private const long MostPoints = 2_000_000;

    private const ulong MostDescriptors = 1 << 20;

    private readonly Sim _sim;
    private readonly BatonScheduler _scheduler;

    /// <summary>One on which always the same happens.</summary>
    public SimMachine()
        : this(new RoundRobinStrategy(), 0)
    {
    }

    /// <summary>One on which the seed decides who runs when.</summary>
    public SimMachine(ulong seed)
        : this(Strategy.For(seed, new SimOptions()), seed)
    {
    }

    private SimMachine(Strategy strategy, ulong seed)
    {
        // Programs here do what the detectors warn of: they leave readiness alone, use closed numbers, and do not clean up.
        SimOptions options = new() { Mode = SimMode.Threads, Detect = SimDetectors.None };
        _sim = Sim.MakeBed(seed, new Choices(strategy) { PointLimit = MostPoints }, options);
        _scheduler = (BatonScheduler)_sim.World.Scheduler;
        _sim.Kernel.SetResourceLimit(ResourceLimit.OpenFiles, MostDescriptors, MostDescriptors);
        _sim.Kernel.HandleSignal((int)Signal.Standard, restart: true);
        _sim.Kernel.HandleSignal((int)Signal.Handled, restart: true);
        _sim.Kernel.IgnoreSignal((int)Signal.Ignored);
    }

    public override string Name => "simulated";

    public override Kernel Kernel => Process;

    public override int PageSize => 4096;

    private SimKernel Process => SimThread.Current?.Process ?? _sim.Kernel;

    private static SimThread Self => SimThread.Current!;

    // Running

    private sealed class Thread(string name, DescriptorTable table) : MachineThread(name, table)
    {
        internal SimThread Simulated { get; set; } = null!;
    }

    private protected override MachineThread CreateThread(string name, DescriptorTable table) => new Thread(name, table);

    protected override void Execute(MachineThread main, Action body)
    {
        ((Thread)main).Simulated = _scheduler.StartThread(_sim.Kernel, main.Name, body);
        try
        {
            _scheduler.Run();
        }
        catch (Exception) when (main.Failure is { SourceException: not SimulationEndedException })
        {
            // The program has failed, and left threads behind that wait for ever.
        }
    }

    private protected override void Launch(MachineThread thread, Action body)
    {
        SimKernel process = thread.Table == Current.Table ? Process : Process.Fork(thread.Name);
        ((Thread)thread).Simulated = _scheduler.StartThread(process, thread.Name, body);
    }

    private protected override void AwaitEnd(MachineThread thread)
    {
        while (!thread.HasEnded)
            _scheduler.LetOthersRun(Self);
        SimKernel process = ((Thread)thread).Simulated.Process;
        if (process == Process)
            return;
        process.Exit(0);
        Process.WaitFor(process.ProcessId, out _);
    }

    // They have ended with the simulation, and so has the kernel in which they had descriptors.

    protected override void ReleaseThreads(IReadOnlyList<MachineThread> threads)
    {
    }

    protected override void ReleaseDescriptors(IReadOnlyList<Fd> descriptors)
    {
    }

    // As on the real kernel, for the same reason: what is closed stays closed.
    protected override int Adopt(int number)
    {
        const int first = 600;
        int own = Process.Fcntl(number, FcntlCommand.DupCloseOnExec, first + Interlocked.Increment(ref _numbers));
        Process.Close(number);
        return own;
    }

    private int _numbers;

    // Waiting

    public override void UntilBlocked(MachineThread thread)
    {
        while (((Thread)thread).Simulated.State == Simulation.ThreadState.Runnable)
            _scheduler.LetOthersRun(Self);
        if (thread.HasEnded)
            Fail($"'{thread}' has ended instead of blocking{(thread.Failure is { } failure ? $": {failure.SourceException.Message}" : "")}");
    }

    public override void UntilQuiet()
    {
        while (Threads.Any(thread => thread != Current && ((Thread)thread).Simulated.State == Simulation.ThreadState.Runnable))
            _scheduler.LetOthersRun(Self);
    }

    public override void Sleep(int milliseconds)
    {
        Note($"sleep {milliseconds} ms");
        Process.Poll(null, 0, milliseconds);
    }

    public override void Settle()
    {
        const int acknowledgement = 50; // longer than one is put off
        Process.Poll(null, 0, acknowledgement);
    }

    private protected override int CreateEpoll(int size) => Process.EpollCreate(size);

    // Signals

    private protected override void SendSignal(MachineThread thread, Signal signal)
    {
        SimThread target = ((Thread)thread).Simulated;
        target.Process.RaiseIn(target, (int)signal);
    }

    private static ulong Bit(Signal signal) => 1ul << ((int)signal - 1);

    private protected override void BlockSignal(Signal signal) => Process.BlockSignals(Self.BlockedSignals | Bit(signal));

    private protected override bool HasPending(Signal signal) => ((Self.Pending.Set | Process.Pending.Set) & Self.BlockedSignals & Bit(signal)) != 0;

    private protected override int WaitWithSignal(int epfd, void* events, int max, int timeout, Signal signal)
        => Process.EpollPWait(epfd, events, max, timeout, Self.BlockedSignals & ~Bit(signal));

    private protected override int WaitWithSet(int epfd, void* events, int max, int size)
    {
        ulong blocked = Self.BlockedSignals;
        TimeSpec now = default;
        return Process.EpollPWait2(epfd, events, max, &now, &blocked, (nuint)size);
    }

    private protected override void StopAndContinueProcess() => Process.StopAndContinue();

    // Processes

    private protected override int SpawnChild()
    {
        SimKernel child = Process.Fork("child");
        child.Exec();
        return child.ProcessId;
    }

    private protected override void EndChild(int process)
    {
        const int kill = 9;
        Process.Machine.FindProcess(process)!.Raise(kill);
    }

    private protected override int ReapChild(int process) => Math.Min(Process.WaitFor(process, out _), 0);

    private protected override void ChangeUser(uint user, uint group) => Process.SetUser(user, group);

    // Files

    private protected override int OpenUnpollable(UnpollableFile file)
    {
        switch (file)
        {
            case UnpollableFile.Regular:
                int fd = Open("/tmp/file"u8, FileFlags.ReadWrite | FileFlags.Create);
                fixed (byte* name = "/tmp/file"u8)
                    Process.Unlink(name);
                return fd;
            case UnpollableFile.Directory:
                return Open("/"u8, FileFlags.ReadOnly);
            case UnpollableFile.Null:
                return Open("/dev/null"u8, FileFlags.ReadWrite);
            case UnpollableFile.Zero:
                return Open("/dev/zero"u8, FileFlags.ReadWrite);
            case UnpollableFile.Memory:
                return Process.MakeMemoryFile("");
            default:
                return Open("/"u8, OpenFlags.Path);
        }
    }

    private int Open(ReadOnlySpan<byte> path, FileFlags flags)
    {
        fixed (byte* first = path) // a literal ends with a zero
            return Process.Open(first, flags | FileFlags.CloseOnExec, 0x180);
    }

    private int _paths;

    private protected override string NewPath() => $"/tmp/{++_paths}";

    private protected override byte* MapWithHole(int usable)
    {
        byte* start = (byte*)NativeMemory.Alloc((nuint)(usable + PageSize));
        byte* hole = start + usable;
        UserMemory.Unmap(hole, (nuint)PageSize);
        AtEnd(() =>
        {
            UserMemory.Map(hole);
            NativeMemory.Free(start);
        });
        return start;
    }
}
