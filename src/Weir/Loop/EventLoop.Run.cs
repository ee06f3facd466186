using System.Runtime.ExceptionServices;

namespace Weir;

public sealed partial class EventLoop
{
    // How long what was told to end may go on: a task that answers each end with another wait must not keep the loop.
    private const int UnwindTurns = 1000;

    private bool _stopRequested;
    private bool _isEnding;
    private readonly HashSet<IDisposable> _disposeAtEnd = [];
    private Task? _main;
    private Alarm? _stopAlarm; // from the moment that Stopping was cancelled
    private Exception? _fatalBeforeStop;

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
    /// <exception cref="InvalidOperationException">A loop runs on this thread already.</exception>
    /// <exception cref="KernelException">No descriptors for it.</exception>
    public static void Run(Func<Task> main, LoopOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(main);
        Start(options).RunToEnd(main).GetAwaiter().GetResult();
    }

    /// <summary>As <see cref="Run(Func{Task}, LoopOptions?)"/>, and returns the result of the main task.</summary>
    public static T Run<T>(Func<Task<T>> main, LoopOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(main);
        return ((Task<T>)Start(options).RunToEnd(main)).GetAwaiter().GetResult();
    }

    private static EventLoop Start(LoopOptions? options)
    {
        if (CurrentOnThread != null || WorkQueue.Current != null)
            throw new InvalidOperationException("EventLoop.Run was called from inside a loop: await the work instead, or spawn it.");
        options ??= new LoopOptions();
        options.Validate();
        return new EventLoop(options);
    }

    private Task RunToEnd(Func<Task> start)
    {
        SynchronizationContext? contextBefore = SynchronizationContext.Current;
        CurrentOnThread = this;
        WorkQueue.Current = _queue;
        SynchronizationContext.SetSynchronizationContext(_queue.Context);
        try
        {
            _queue.Post(new RunEntry(() => _main = StartMain(start)));
            while (GoesOn)
                Turn();
            EndTasks();
        }
        finally
        {
            CloseDown();
            SynchronizationContext.SetSynchronizationContext(contextBefore);
            WorkQueue.Current = null;
            CurrentOnThread = null;
        }

        if (_fatal != null)
            ExceptionDispatchInfo.Throw(_fatal);
        if (_main is not { IsCompleted: true })
            throw new TimeoutException($"Loop \"{Options.Name}\" was stopped, and its main task did not end within {Options.StopTimeout.TotalSeconds:0.###} s.");
        return _main;
    }

    private Task StartMain(Func<Task> start)
    {
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

    /// <summary>Asks the tasks to end and lets them, for as long as the options say.</summary>
    private void EndTasks()
    {
        // Its callbacks are user code: they run as an entry of their own.
        _queue.Post(new RunEntry(static stopping => ((CancellationTokenSource)stopping!).Cancel(), _stopping));
        _fatalBeforeStop = _fatal;
        _stopAlarm = new Alarm();
        _timers.Arm(_stopAlarm, TimerQueue.DeadlineAfter(Now, ToNanoseconds(Options.StopTimeout)));
        do
            Turn();
        while (GoesOn);
        _timers.Cancel(_stopAlarm);

        // Whatever still waits is told that its descriptor is gone, and gets the turns it needs to unwind.
        _isEnding = true;
        EndWaits();
        // The inbox alone is no reason: threads that post without pause would keep the loop from ending. CloseDown takes what is in it.
        for (int turn = 0; turn < UnwindTurns && _queue.RunCount > 0; turn++)
            Turn();
    }

    /// <summary>No posts from here on; what was accepted is run; then the descriptors go.</summary>
    private void CloseDown()
    {
        _isEnding = true;
        _queue.State.Stop();
        _queue.TakeInbox(int.MaxValue);
        RunEntries();
        // Other threads may have begun to wait for something until a moment ago.
        EndWaits();
        foreach (IDisposable resource in _disposeAtEnd.ToArray())
            resource.Dispose();
        for (int round = 0; round < UnwindTurns && _queue.RunCount > 0; round++)
            RunEntries();
        _queue.Seal();
        _driver.Dispose();
        _stopping.Dispose();
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
