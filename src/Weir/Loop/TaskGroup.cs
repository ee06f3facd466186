using System.Runtime.ExceptionServices;

namespace Weir;

/// <summary>
/// Tasks that belong together: the group ends when all of them have ended; the first failure cancels the others, and is what the group
/// throws. Nothing that was started in a group outlives it.
/// </summary>
/// <remarks>Used on the loop's thread only; the token may be observed anywhere.</remarks>
public sealed class TaskGroup
{
    private readonly EventLoop _loop;
    private readonly CancellationTokenSource _cancellation;
    private readonly TaskCompletionSource _allEnded = new();
    private readonly List<Exception> _failures = [];
    private readonly bool _withoutContext = SynchronizationContext.Current == null; // where RunAsync was called, and waits
    private int _running;
    private bool _closed;

    private TaskGroup(EventLoop loop, CancellationToken outer)
    {
        _loop = loop;
        _cancellation = CancellationTokenSource.CreateLinkedTokenSource(outer);
        CancellationToken = _cancellation.Token; // a copy, which outlives the source
    }

    /// <summary>Cancelled when a task of the group failed, when <see cref="Cancel"/> was called, or when the token given to RunAsync was.</summary>
    public CancellationToken CancellationToken { get; }

    /// <summary>
    /// Runs <paramref name="body"/> with a group on the current loop; completes when the body and all tasks spawned in the group have ended.
    /// </summary>
    /// <exception cref="InvalidOperationException">No loop runs on this thread.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled, and no task failed.</exception>
    /// <exception cref="AggregateException">Several tasks failed, each for a reason of its own. One failure is thrown as it is.</exception>
    public static async Task RunAsync(Func<TaskGroup, Task> body, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(body);
        var group = new TaskGroup(EventLoop.Required, cancellationToken);
        try
        {
            group.Start(_ => body(group), "group body");
            await group._allEnded.Task;
        }
        finally
        {
            group._closed = true;
            group._cancellation.Dispose();
        }

        group.ThrowFailures(cancellationToken);
    }

    /// <summary>Starts a task in the group. The body gets <see cref="CancellationToken"/>.</summary>
    /// <exception cref="InvalidOperationException">The group has ended.</exception>
    public void Spawn(Func<CancellationToken, Task> body, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(body);
        if (_closed)
            throw new InvalidOperationException("The task group has ended; spawn on the loop instead.");
        Start(body, name);
    }

    /// <summary>Asks all tasks of the group to end. Does nothing once it has ended.</summary>
    public void Cancel()
    {
        if (!_closed)
            _cancellation.Cancel();
    }

    private void Start(Func<CancellationToken, Task> body, string? name)
    {
        Task task = _loop.Spawn(() => body(CancellationToken), name);
        _running++;
        _ = Observe(task);
    }

    private async Task Observe(Task task)
    {
        // The counts belong to the loop's thread, also when the group was made by code that runs without a context.
        SynchronizationContext.SetSynchronizationContext(_loop.SynchronizationContext);
        try
        {
            await task;
        }
        catch (OperationCanceledException) when (_cancellation.IsCancellationRequested)
        {
            // It was asked to end, and did.
        }
        catch (Exception exception)
        {
            _failures.Add(exception);
            try
            {
                _cancellation.Cancel();
            }
            catch (AggregateException fromCallbacks)
            {
                _failures.AddRange(fromCallbacks.InnerExceptions);
            }
        }

        if (--_running == 0)
        {
            _closed = true;
            // RunAsync goes on right here, with the context that it was called with.
            SynchronizationContext? context = SynchronizationContext.Current;
            if (_withoutContext)
                SynchronizationContext.SetSynchronizationContext(null);
            _allEnded.SetResult();
            SynchronizationContext.SetSynchronizationContext(context);
        }
    }

    private void ThrowFailures(CancellationToken outer)
    {
        if (_failures.Count == 1)
            ExceptionDispatchInfo.Throw(_failures[0]);
        if (_failures.Count > 1)
            throw new AggregateException(_failures);
        outer.ThrowIfCancellationRequested();
    }
}
