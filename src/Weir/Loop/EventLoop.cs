namespace Weir;

/// <summary>
/// A loop that waits for descriptors, timers and other threads, and runs async code on the one thread that called
/// <see cref="Run(Func{Task}, LoopOptions?)"/>. Code started on a loop resumes on it after every await.
/// </summary>
/// <remarks>
/// Members may be called from the loop's thread only, unless they say otherwise. A loop lives as long as its Run; a process may run any
/// number, one after the other or on threads of their own.
/// </remarks>
public sealed partial class EventLoop
{
    [ThreadStatic]
    private static EventLoop? CurrentOnThread;

    private readonly LoopWorkQueue _queue;
    private readonly IoDriver _driver;
    private readonly string? _driverReason;
    private readonly TimerQueue _timers = new();
    private readonly LoopInstrument[] _instruments;
    private readonly CancellationTokenSource _stopping = new();

    private EventLoop(LoopOptions options)
    {
        Options = options;
        Kernel = options.Kernel;
        _instruments = [.. options.Instruments];
        _slack = ToNanoseconds(options.TimerSlack);
        _spin = ToNanoseconds(options.SpinBeforeSleep);
        _queue = new LoopWorkQueue(options);
        _driver = MakeDriver(options, out _driverReason);
        _queue.Driver = _driver;
        Stopping = _stopping.Token; // a copy, which outlives the source
        TaskScheduler = new LoopTaskScheduler(this);
        PipeScheduler = new LoopPipeScheduler(this);
        TimeProvider = new LoopTimeProvider(this);
    }

    private IoDriver MakeDriver(LoopOptions options, out string? reason)
    {
        reason = null;
        if (options.Driver == DriverKind.Epoll)
            return new EpollDriver(Kernel, _queue);
        try
        {
            return new UringDriver(Kernel, _queue, options.ReceiveBufferCount, options.ReceiveBufferSize, options.ZeroCopyThreshold);
        }
        catch (KernelException exception) when (options.Driver == DriverKind.Auto && exception.Errno is not (Errno.EMFILE or Errno.ENFILE))
        {
            reason = exception.Message;
            return new EpollDriver(Kernel, _queue);
        }
    }

    /// <summary>The loop that runs on the calling thread, or null. Any thread.</summary>
    public static EventLoop? Current => CurrentOnThread;

    /// <summary>The loop that runs on the calling thread.</summary>
    /// <exception cref="InvalidOperationException">None does.</exception>
    internal static EventLoop Required => CurrentOnThread
        ?? throw new InvalidOperationException("No event loop runs on this thread: call it from code started by EventLoop.Run, or bring it to a loop with its InvokeAsync.");

    /// <summary>The options it was made with.</summary>
    public LoopOptions Options { get; }

    /// <summary>The kernel it runs on. Any thread.</summary>
    public Kernel Kernel { get; }

    /// <summary>Cancelled when the loop begins to stop. Any thread.</summary>
    public CancellationToken Stopping { get; }

    /// <summary>Whether the caller runs on this loop's thread. Any thread.</summary>
    public bool IsCurrent => _queue.IsCurrent;

    /// <summary>Whether the loop waits in the kernel at this moment, so that a post would have to wake it. Any thread.</summary>
    public bool IsAsleep => _queue.State.Phase == LoopPhase.Sleeping;

    /// <summary>Brings awaiting code back to this loop; <c>Send</c> from another thread blocks that thread. Any thread.</summary>
    public SynchronizationContext SynchronizationContext => _queue.Context;

    /// <summary>Runs tasks on this loop. Any thread.</summary>
    public TaskScheduler TaskScheduler { get; }

    /// <summary>Runs the callbacks of System.IO.Pipelines on this loop: always queued, never inline. Any thread.</summary>
    public System.IO.Pipelines.PipeScheduler PipeScheduler { get; }

    /// <summary>
    /// The loop's own clock and timers, for <c>Task.Delay(time, loop.TimeProvider)</c> and the like: virtual where the kernel is. Once the loop has
    /// ended its timers never fire, and nobody is told: what may outlive it needs another way to end. Any thread.
    /// </summary>
    public TimeProvider TimeProvider { get; }

    /// <summary>Whether it shares its thread with others (<see cref="LoopStepper"/>), so that whoever blocks the thread blocks them all.</summary>
    internal bool IsStepped { get; set; }

    internal LoopWorkQueue Queue => _queue;

    internal IoDriver Driver => _driver;

    internal TimerQueue Timers => _timers;

    /// <summary>The kernel's monotonic clock in nanoseconds. Any thread.</summary>
    internal long Now => Kernel.ClockGetTime(ClockId.Monotonic);

    /// <summary>Nanoseconds of a time span, saturated.</summary>
    internal static long ToNanoseconds(TimeSpan span)
        => span.Ticks >= long.MaxValue / 100 ? long.MaxValue : span.Ticks * 100;

    /// <summary>What the loop has done so far. Any thread.</summary>
    public LoopStatistics Statistics
    {
        get
        {
            DriverCounts counts = _driver.Counts;
            return new LoopStatistics
            {
                Backend = _driver.Name,
                BackendReason = _driverReason,
                FileBackend = _callsName,
                FileBackendReason = _driver.RingRefusal,
                Turns = _turns,
                Sleeps = _sleeps,
                WakeUpsSent = _queue.State.WakesOwed,
                WakeUpsSaved = _queue.State.WakesSaved,
                Posts = _queue.Posts,
                Entries = _entries,
                Events = counts.Events,
                GhostEvents = counts.GhostEvents,
                Rebuilds = counts.Rebuilds,
                WaitingReaders = counts.WaitingReaders,
                WaitingWriters = counts.WaitingWriters,
                Descriptors = counts.Descriptors,
                ReceiveBuffersInUse = counts.ReceiveBuffersInUse,
                Timers = _timers.Count,
                Tasks = _taskCount,
                LongestTurn = TimeSpan.FromTicks(_longestTurn / 100),
                BudgetYields = _queue.BudgetYields,
                HopsOffLoop = _queue.HopsOffLoop,
            };
        }
    }

    /// <summary>
    /// Runs <paramref name="action"/> on the loop, after what is queued there already. From another thread it costs no system call while
    /// the loop is awake, and one while it sleeps. Any thread. False: the loop has stopped and the action will not run.
    /// </summary>
    /// <remarks>The execution context of the caller (its AsyncLocal values) flows along.</remarks>
    public bool Post(Action action)
    {
        ArgumentNullException.ThrowIfNull(action);
        return ExecutionContext.Capture() is { } context
            ? _queue.Post(new RunEntry(new ContextualAction(action, context)))
            : _queue.Post(new RunEntry(action));
    }

    /// <summary>As <see cref="Post(Action)"/>, with a state that spares a closure; the caller's execution context does not flow.</summary>
    public bool Post(Action<object?> action, object? state)
    {
        ArgumentNullException.ThrowIfNull(action);
        return _queue.Post(new RunEntry(action, state));
    }

    /// <summary>Gives the other entries of this turn, and the kernel's events, a chance before the caller goes on.</summary>
    public static YieldAwaitable Yield() => new(Required);

    /// <summary>
    /// Ends the loop in an orderly way: <see cref="Stopping"/> is cancelled, Run goes on until the main task and all spawned tasks have ended
    /// or <see cref="LoopOptions.StopTimeout"/> has passed. Any thread; more than once does nothing more.
    /// </summary>
    public void Stop() => _queue.Post(new RunEntry(static loop => ((EventLoop)loop!)._stopRequested = true, this));

    private sealed class ContextualAction(Action action, ExecutionContext context) : LoopWork
    {
        internal override void Execute() => ExecutionContext.Run(context, static action => ((Action)action!)(), action);
    }
}
