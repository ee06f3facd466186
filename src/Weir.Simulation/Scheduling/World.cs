namespace Weir.Simulation;

/// <summary>
/// One simulation's whole: clock, threads, machines, choices and log. Everything in it is touched by one thread at a time: the one that
/// the scheduler lets run, or in live mode the one that holds the lock.
/// </summary>
internal sealed class World
{
    /// <summary>A deadline that does not come.</summary>
    internal const long Never = long.MaxValue;

    private readonly List<Machine> _machines = [];
    private readonly List<SimThread> _threads = [];
    private int _files;
    private int _processes;

    internal World(Choices choices, SimOptions options)
    {
        Choices = choices;
        Options = options;
        Log = new StepLog(this);
        Memory = options.Memory?.Invoke(this) ?? new StoreBuffers(this);
        Network = new SimNetwork(this);
        Scheduler = options.Mode == SimMode.Live ? new LiveScheduler(this) : new BatonScheduler(this);
        Faults = new Faults(this, options.Faults);
        Detectors = new Detectors(this, options);
        Edges = new StrictEdges(options.Edges == EdgeSemantics.Strict);
    }

    internal SimOptions Options { get; }

    internal Choices Choices { get; }

    internal StepLog Log { get; }

    /// <summary>What the threads share at marked operations.</summary>
    internal StoreBuffers Memory { get; }

    internal Faults Faults { get; }

    internal Detectors Detectors { get; }

    internal StrictEdges Edges { get; }

    /// <summary>The loops that run here.</summary>
    internal List<SimLoop> Loops { get; } = [];

    internal SimClock Clock { get; } = new();

    internal PagePool Pages { get; } = new();

    internal Scheduler Scheduler { get; }

    internal SimNetwork Network { get; }

    internal IReadOnlyList<SimThread> Threads => _threads;

    internal IReadOnlyList<Machine> Machines => _machines;

    /// <summary>Ordinary threads in real time: nothing is deterministic, a lock keeps the kernel whole.</summary>
    internal bool IsLive => Options.Mode == SimMode.Live;

    /// <summary>Nanoseconds of the monotonic clock.</summary>
    internal long Now => Scheduler.Now;

    /// <summary>
    /// The monotonic clock, as a program reads it without entering the kernel. Who reads it over and over and makes no call between, a loop over a
    /// ring that always has something to do, say, lets time pass by that and others have their turn.
    /// </summary>
    internal long ReadClock()
    {
        const int MostReads = 100;
        const long Cost = 100;
        if (!IsLive && CurrentThread is { } thread && ++thread.ClockReads > MostReads && !Scheduler.HasEnded)
        {
            Clock.AdvanceTo(Now + Cost);
            if (thread.ClockReads % MostReads == 0 && Scheduler is BatonScheduler scheduler && thread.Call == SystemCall.None)
                scheduler.Preempt(thread);
        }

        return Now;
    }

    /// <summary>The simulated thread that makes the call in progress.</summary>
    internal SimThread? CurrentThread => SimThread.Current is { } thread && thread.World == this ? thread : null;

    internal int NextFileNumber() => ++_files;

    internal int NextProcessId() => 100 + _processes++;

    internal void Add(Machine machine) => _machines.Add(machine);

    internal SimThread AddThread(SimKernel process, string name)
    {
        var thread = new SimThread(this, process, _threads.Count, name);
        _threads.Add(thread);
        return thread;
    }

    /// <summary>Blocks the calling thread until it is woken. False: its deadline has come first.</summary>
    internal bool Block(SimThread thread, long deadline)
    {
        if (Faults.Interrupts(thread))
            return true; // as woken by the signal, which the caller sees
        Detectors.Blocking(thread);
        thread.BeginBlock(deadline);
        Scheduler.Block(thread);
        if (thread.Process.HasExited)
            throw SimKernel.Ended(thread);
        return !thread.TimedOut;
    }

    /// <summary>
    /// One round of wait_event_interruptible: sleeps in a queue until told (of <paramref name="conditions"/>, if any are named), or has a signal
    /// taken care of. The caller then looks for himself: 0, or -EINTR.
    /// </summary>
    internal int WaitIn(SimThread thread, WaitQueue queue, bool exclusive, EpollEvents conditions = EpollEvents.None)
    {
        if (thread.HasSignal)
            return thread.Process.Interrupt(thread);
        var entry = new ThreadWait(thread, conditions) { IsExclusive = exclusive };
        if (exclusive)
            queue.AddLast(entry);
        else
            queue.AddFirst(entry);
        try
        {
            Block(thread, Never);
        }
        finally
        {
            entry.Leave();
        }

        return 0;
    }

    /// <summary>
    /// For a call that would block on <paramref name="file"/> until one of <paramref name="conditions"/> may hold: 0 once it may, or the
    /// negated errno the call returns: EAGAIN for a non-blocking file, EINTR for a signal with a handler that does not ask for a restart.
    /// </summary>
    internal int BlockOn(SimThread thread, SimFile file, EpollEvents conditions)
    {
        if (file.IsNonBlocking)
            return -(int)Errno.EAGAIN;
        if (thread.HasSignal)
            return thread.Process.Interrupt(thread);
        var first = new ThreadWait(thread, conditions);
        ThreadWait? second = file.SecondWaitQueue == null ? null : new ThreadWait(thread, conditions);
        file.WaitQueue.AddFirst(first);
        if (second != null)
            file.SecondWaitQueue!.AddFirst(second);
        file.Acquire(); // a close meanwhile must not take the file away
        try
        {
            Block(thread, Never);
        }
        finally
        {
            first.Leave();
            second?.Leave();
            file.Drop();
        }

        return 0; // what was waited for beats a signal
    }

    /// <summary>A stepped loop called something that would block the one thread they all run on.</summary>
    internal SimulationException WouldBlock(SimThread thread) => Report.Make(
        this,
        FindingKind.Misuse,
        $"{thread.Name}: {thread.Call.ManName()}(fd {thread.CallDescriptor}) would block, and with it all loops of the simulation: a stepped loop only awaits.",
        "Run what blocks on a thread of its own (Sim.Thread), or use SimMode.Threads.");
}
