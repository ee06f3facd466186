namespace Weir;

/// <summary>A task that a loop knows of: spawned on it, with a name, in the list until it has ended.</summary>
/// <remarks>Made by <see cref="EventLoop.Spawn"/>, <see cref="TaskGroup"/> and listeners. The properties may be read from any thread.</remarks>
public abstract class LoopTask
{
    private Task? _task;

    // What only some tasks need to remember is theirs: a server keeps one of these for each connection.
    private protected LoopTask(EventLoop loop)
    {
        StartedAt = loop.Now;
    }

    internal LoopTask? Next;
    internal LoopTask? Previous;

    /// <summary>The name it was given, or null.</summary>
    public abstract string? Name { get; }

    private protected abstract EventLoop Loop { get; }

    /// <summary>When it was started, in the kernel's monotonic nanoseconds.</summary>
    public long StartedAt { get; }

    /// <summary>Where its task stands.</summary>
    public TaskStatus Status => _task?.Status ?? TaskStatus.Created;

    /// <summary>Why it failed, or null.</summary>
    public Exception? Failure => _task?.Exception?.InnerException;

    /// <summary>The task itself, once started.</summary>
    internal Task? Task => _task;

    /// <summary>Runs the body up to its first wait, on the loop's thread.</summary>
    internal void Start<TState>(Func<TState, Task> body, TState state)
    {
        Loop.Add(this);
        try
        {
            _task = body(state) ?? throw new InvalidOperationException("The function returned no task.");
        }
        catch (Exception exception)
        {
            _task = System.Threading.Tasks.Task.FromException(exception);
        }

        // The body may have set another; with this one installed, the end comes back here.
        SynchronizationContext.SetSynchronizationContext(Loop.SynchronizationContext);
        if (_task.IsCompleted)
            End();
        else
            _task.GetAwaiter().UnsafeOnCompleted(End);
    }

    /// <summary>Its task has ended; called on the loop.</summary>
    private protected abstract void Ended();

    private void End()
    {
        // A task that the loop abandoned may end after it, elsewhere: the list and the hooks are for the loop's thread.
        if (Loop.IsCurrent)
            Loop.Remove(this);
        Ended();
    }
}
