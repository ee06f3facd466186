using System.Runtime.ExceptionServices;

namespace Weir;

public sealed partial class EventLoop
{
    // How long what was told to end may go on: a task that answers each end with another wait must not keep the loop.
    private const int UnwindTurns = 1000;

    private bool _stopRequested;
    private bool _isEnding;
    private readonly HashSet<IDisposable> _disposeAtEnd = [];
    private Func<Task>? _start;
    private Task? _main;
    private Alarm? _stopAlarm; // from the moment that Stopping was cancelled
    private Exception? _fatalBeforeStop;
    private int _unwindTurns;

    /// <summary>
    /// Whether there is anything to take another turn for. A turn asks before it sleeps: what its entries did may have been the last thing to
    /// happen, and no event would come to say so.
    /// </summary>
    private bool GoesOn
    {
        get
        {
            bool mainHasEnded = _main is { IsCompleted: true };
            return _stopAlarm == null
                ? !_stopRequested && _fatal == null && !mainHasEnded
                : (_taskCount > 0 || !mainHasEnded) && !_stopAlarm.HasRung && _fatal == _fatalBeforeStop;
        }
    }

    /// <summary>
    /// Runs <paramref name="main"/> on a new loop on this thread, and returns when it and the tasks it spawned have ended. When the main task
    /// ends, <see cref="Stopping"/> is cancelled to ask the other tasks to end too.
    /// </summary>
    /// <remarks>
    /// Throws what the main task failed with, and <see cref="OperationCanceledException"/> if it was cancelled. An exception that nobody could observe and
    /// <see cref="LoopOptions.UnhandledException"/> did not handle ends the loop and is thrown in its place.
    /// </remarks>
    /// <exception cref="InvalidOperationException">A loop runs on this thread already.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="KernelException">No descriptors for it, or the kernel failed to wait.</exception>
    /// <exception cref="TimeoutException">
    /// The loop was stopped (<see cref="Stop"/>), and the main task did not end within <see cref="LoopOptions.StopTimeout"/>.
    /// </exception>
    public static void Run(Func<Task> main, LoopOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(main);
        Start(main, options).RunToEnd().GetAwaiter().GetResult();
    }

    /// <summary>As <see cref="Run(Func{Task}, LoopOptions?)"/>, with its exceptions, and returns the result of the main task.</summary>
    public static T Run<T>(Func<Task<T>> main, LoopOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(main);
        return ((Task<T>)Start(main, options).RunToEnd()).GetAwaiter().GetResult();
    }

    private static EventLoop Start(Func<Task> main, LoopOptions? options)
    {
        if (ThreadIsTaken)
            throw new InvalidOperationException("EventLoop.Run was called from inside a loop: await the work instead, or spawn it.");
        return Create(main, options);
    }

    /// <summary>A loop that will run <paramref name="main"/>. Its descriptors are open: it must be closed down.</summary>
    internal static EventLoop Create(Func<Task> main, LoopOptions? options)
    {
        options ??= new LoopOptions();
        options.Validate();
        return new EventLoop(options) { _start = main };
    }

    private Task RunToEnd()
    {
        SynchronizationContext? contextBefore = TakeThread(_queue.Context);
        try
        {
            IEnumerator<long> life = Life();
            while (life.MoveNext())
            {
                // The thread is the loop's alone: it waits right away.
            }
        }
        finally
        {
            try
            {
                CloseDown();
            }
            finally
            {
                LeaveThread(contextBefore); // also when the kernel throws
            }
        }

        return Outcome();
    }

    /// <summary>Whether a loop runs on the calling thread; there is room for one at a time.</summary>
    internal static bool ThreadIsTaken => CurrentOnThread != null || WorkQueue.Current != null;

    /// <summary>From here on the calling thread is the loop's. Returns the context to give back to <see cref="LeaveThread"/>.</summary>
    internal SynchronizationContext? TakeThread(SynchronizationContext? context)
    {
        SynchronizationContext? before = SynchronizationContext.Current;
        CurrentOnThread = this;
        WorkQueue.Current = _queue;
        SynchronizationContext.SetSynchronizationContext(context);
        return before;
    }

    /// <summary>The calling thread is no loop's any more.</summary>
    internal static void LeaveThread(SynchronizationContext? contextBefore)
    {
        SynchronizationContext.SetSynchronizationContext(contextBefore);
        WorkQueue.Current = null;
        CurrentOnThread = null;
    }

    /// <summary>How the loop ended: the main task, which has ended too, or thrown what Run throws in its place.</summary>
    internal Task Outcome()
    {
        if (_fatal != null)
            ExceptionDispatchInfo.Throw(_fatal);
        if (_main is not { IsCompleted: true })
            throw new TimeoutException($"Loop \"{Options.Name}\" was stopped, and its main task did not end within {Options.StopTimeout.TotalSeconds:0.###} s.");
        return _main;
    }

    private Task StartMain()
    {
        Func<Task> start = _start!;
        _start = null; // what it holds on to may go when it is done with it
        Task main;
        try
        {
            main = start() ?? throw new InvalidOperationException("The main function returned no task.");
        }
        catch (Exception exception)
        {
            return Task.FromException(exception);
        }

        // It may end on another thread while the loop sleeps.
        if (!main.IsCompleted)
            main.ContinueWith(static (_, loop) => ((EventLoop)loop!)._queue.Post(new RunEntry(static () => { })), this, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, System.Threading.Tasks.TaskScheduler.Default);
        return main;
    }

    /// <summary>Whether there is another turn to take; on the way, what lies between the stages of the end.</summary>
    private bool TakesAnotherTurn()
    {
        if (_stopAlarm == null)
        {
            if (!GoesOn)
                AskTasksToEnd(); // they get a turn at least
            return true;
        }

        if (!_isEnding)
        {
            if (GoesOn)
                return true;
            EndTasks();
        }

        // The inbox alone is no reason: threads that post without pause would keep the loop from ending. CloseDown takes what is in it.
        return _unwindTurns++ < UnwindTurns && (_queue.RunCount > 0 || OperationsInFlight > 0);
    }

    /// <summary>Asks the tasks to end; they are let for as long as the options say.</summary>
    private void AskTasksToEnd()
    {
        // Its callbacks are user code: they run as an entry of their own.
        _queue.Post(new RunEntry(static stopping => ((CancellationTokenSource)stopping!).Cancel(), _stopping));
        _fatalBeforeStop = _fatal;
        _stopAlarm = new Alarm();
        _timers.Arm(_stopAlarm, TimerQueue.DeadlineAfter(Now, ToNanoseconds(Options.StopTimeout)));
    }

    /// <summary>From here on the tasks have no time left to end in, and the wait that the loop stands at is only a look.</summary>
    internal void GiveUpTasks()
    {
        _queue.State.Leave();
        _wait = WaitKind.Look;
        if (_stopAlarm == null)
            AskTasksToEnd();
        _stopAlarm!.OnDeadline(Now);
    }

    /// <summary>Whatever still waits is told that its descriptor is gone, and gets the turns it needs to unwind.</summary>
    private void EndTasks()
    {
        _timers.Cancel(_stopAlarm!);
        _isEnding = true;
        CancelOperations(); // and the turns that follow hear of their ends
        EndWaits();
    }

    /// <summary>No posts from here on; what was accepted is run; then the descriptors go.</summary>
    internal void CloseDown()
    {
        _isEnding = true;
        _queue.State.Stop();
        _queue.TakeInbox(int.MaxValue);
        _queue.Seal(); // before any entry: it may wait for a thread that waits in a post to hear whether that was taken
        RunEntries();
        // Other threads may have begun to wait for something until a moment ago.
        if (_driver.OperationsInFlight > 0)
            _driver.RingOperations?.EndAll();
        _calls?.EndAll();
        EndWaits();
        DisposeResources();
        for (int round = 0; round < UnwindTurns && _queue.RunCount > 0; round++)
            RunEntries();
        _calls?.Dispose();
        _driver.Dispose();
        DisposeResources(); // a file may have come of an open that completed this late
        _stopping.Dispose();
    }

    private void DisposeResources()
    {
        foreach (IDisposable resource in _disposeAtEnd.ToArray())
            resource.Dispose();
    }

    /// <summary>Everyone who waits for a descriptor or a deadline, on whatever thread, is told that nothing comes any more.</summary>
    private void EndWaits()
    {
        _driver.EndAll();
        while (_timers.PopExpired(long.MaxValue) is { } timer)
            timer.OnAbandoned();
    }

    /// <summary>Takes note of something that must learn of the loop's end before its descriptor is closed. The loop's thread only.</summary>
    internal void DisposeAtEnd(IDisposable resource) => _disposeAtEnd.Add(resource);

    /// <summary>It has been disposed before the end.</summary>
    internal void ForgetAtEnd(IDisposable resource) => _disposeAtEnd.Remove(resource);

    private sealed class Alarm : TimerNode
    {
        internal bool HasRung { get; private set; }

        public override void OnDeadline(long now) => HasRung = true;
    }
}
