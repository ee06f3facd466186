namespace Weir.Simulation;

internal enum ThreadState
{
    /// <summary>It goes on when the scheduler picks it.</summary>
    Runnable,

    /// <summary>In a system call, until it is woken or its deadline has come.</summary>
    Blocked,

    /// <summary>For good.</summary>
    Ended,
}

/// <summary>
/// A thread of a simulated process: what the scheduler picks, what blocks in a call, what a signal interrupts. On what it runs is the
/// scheduler's matter: a stepped loop has no thread of its own, the others have a real one.
/// </summary>
internal sealed partial class SimThread
{
    [ThreadStatic]
    private static SimThread? CurrentOnThread;

    private SimClock.TimedEvent? _timeout;

    internal SimThread(World world, SimKernel process, int id, string name)
    {
        World = world;
        Process = CallProcess = process;
        Id = id;
        Name = name;
    }

    /// <summary>The simulated thread that runs on this real one now, if any.</summary>
    internal static SimThread? Current
    {
        get => CurrentOnThread;
        set => CurrentOnThread = value;
    }

    internal World World { get; }

    internal SimKernel Process { get; }

    /// <summary>Counts up from 0 in the order of creation.</summary>
    internal int Id { get; }

    internal string Name { get; }

    internal ThreadState State { get; private set; } = ThreadState.Runnable;

    /// <summary>While blocked: until when; <see cref="World.Never"/>: without limit.</summary>
    internal long Deadline { get; private set; } = World.Never;

    /// <summary>The deadline of the last block, which a thread that was woken for nothing keeps.</summary>
    internal long LastDeadline { get; private set; } = World.Never;

    /// <summary>A stepped loop has waited outside the call: its next wait only looks what there is.</summary>
    internal bool WaitIsOver { get; set; }

    /// <summary>The call it is in or about to enter, for findings.</summary>
    internal SystemCall Call { get; set; }

    /// <summary>Outside of a call: the marked operation that it came to last.</summary>
    internal Mark? Site { get; set; }

    /// <summary>The descriptor that call is about.</summary>
    internal int CallDescriptor { get; set; } = -1;

    /// <summary>The process whose kernel that call went to: its own, but for programs that act for others.</summary>
    internal SimKernel CallProcess { get; set; }

    /// <summary>What else tells the call: the operation of epoll_ctl.</summary>
    internal int CallOperation { get; set; }

    /// <summary>When its last block began.</summary>
    internal long BlockedAt { get; private set; }

    /// <summary>What the detectors keep with it.</summary>
    internal ThreadWatch Watch;

    /// <summary>The last block ended by its deadline.</summary>
    internal bool TimedOut { get; private set; }

    /// <summary>Stores at marked operations that others do not see yet, the oldest first.</summary>
    internal List<MarkedStore> Stores { get; } = [];

    /// <summary>It has a real thread beneath, and others may go on at its marked operations.</summary>
    internal bool IsPreemptible { get; set; }

    /// <summary>It runs an event loop.</summary>
    internal bool IsLoop { get; set; }

    /// <summary>It can do nothing until another thread has changed something.</summary>
    internal bool IsSpinning { get; set; }

    /// <summary>How often it has read the clock since its last call.</summary>
    internal int ClockReads { get; set; }

    /// <summary>Calls since the simulation or its process has ended under it.</summary>
    internal int CallsWhileUnwinding { get; set; }

    /// <summary>What the scheduler keeps with it: how it is run.</summary>
    internal object? Runner { get; set; }

    /// <summary>Signals sent to this thread and not yet taken.</summary>
    internal PendingSignals Pending { get; } = new();

    /// <summary>Signals it does not want now (bit n-1: signal n).</summary>
    internal ulong BlockedSignals { get; set; }

    /// <summary>
    /// TIF_SIGPENDING: a signal, a stop or the end of the process waits for it. Interrupts its calls; taken note of on the way out of them.
    /// </summary>
    internal bool HasSignal
    {
        get => _hasSignal || HasTaskWork; // TIF_NOTIFY_SIGNAL interrupts just so
        set => _hasSignal = value;
    }

    /// <summary>As <see cref="HasSignal"/>, without work that others have left for it.</summary>
    internal bool HasPendingSignal => _hasSignal;

    private bool _hasSignal;

    /// <summary>A fault has interrupted it: as a signal with a handler does, of which nothing else shows.</summary>
    internal bool IsInterrupted { get; set; }

    /// <summary>It runs on the scheduler's own thread, which must not be kept.</summary>
    internal bool IsStepped => Runner is SteppedLoop;

    internal void BeginBlock(long deadline)
    {
        State = ThreadState.Blocked;
        Deadline = LastDeadline = deadline;
        BlockedAt = World.Now;
        TimedOut = false;
        if (deadline != World.Never && !World.IsLive)
            _timeout = World.Clock.At(deadline, OnTimeout);
    }

    /// <summary>Ends its block. Does nothing to one that runs.</summary>
    internal void Wake()
    {
        if (State != ThreadState.Blocked)
            return;
        State = ThreadState.Runnable;
        Watch.RunnableSince = World.Log.Count;
        Deadline = World.Never;
        _timeout?.Cancel();
        _timeout = null;
        World.Log.Woken(this);
        World.Scheduler.OnWoken(this);
    }

    internal void OnTimeout()
    {
        if (State != ThreadState.Blocked)
            return;
        TimedOut = true;
        Wake();
    }

    internal void End()
    {
        State = ThreadState.Ended;
        RunTaskWork();
        DropRegisteredRings();
    }

    public override string ToString() => $"{Name} (thread {Id} of {Process.ProcessName})";
}
