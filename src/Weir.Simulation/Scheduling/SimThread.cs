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
internal sealed class SimThread
{
    [ThreadStatic]
    private static SimThread? CurrentOnThread;

    private SimClock.TimedEvent? _timeout;

    internal SimThread(World world, SimKernel process, int id, string name)
    {
        World = world;
        Process = process;
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

    /// <summary>The call it is in, for findings.</summary>
    internal SystemCall Call { get; set; }

    /// <summary>The descriptor that call is about.</summary>
    internal int CallDescriptor { get; set; } = -1;

    /// <summary>The last block ended by its deadline.</summary>
    internal bool TimedOut { get; private set; }

    /// <summary>What the scheduler keeps with it: how it is run.</summary>
    internal object? Runner { get; set; }

    /// <summary>Signals waiting for this thread (bit n-1: signal n), and those it does not want now.</summary>
    internal ulong PendingSignals { get; set; }

    internal ulong BlockedSignals { get; set; }

    /// <summary>A signal that it would run a handler for interrupts its calls.</summary>
    internal bool HasSignal => ((PendingSignals | Process.PendingSignals) & ~BlockedSignals) != 0 || WasStopped;

    /// <summary>Stopped and continued: calls that signals interrupt are interrupted by that too.</summary>
    internal bool WasStopped { get; set; }

    /// <summary>Its machine has crashed: it goes no further than its next call.</summary>
    internal bool IsKilled { get; set; }

    internal void BeginBlock(long deadline)
    {
        State = ThreadState.Blocked;
        Deadline = deadline;
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
        Deadline = World.Never;
        _timeout?.Cancel();
        _timeout = null;
        World.Scheduler.OnWoken(this);
    }

    internal void OnTimeout()
    {
        if (State != ThreadState.Blocked)
            return;
        TimedOut = true;
        Wake();
    }

    internal void End() => State = ThreadState.Ended;

    public override string ToString() => $"{Name} (thread {Id} of {Process.ProcessName})";
}
