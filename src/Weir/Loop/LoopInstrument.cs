namespace Weir;

/// <summary>
/// Hooks that a loop calls on its own thread, in the order of registration. A hook must not block; an exception from one goes to
/// <see cref="LoopOptions.UnhandledException"/>. Times are the kernel's monotonic nanoseconds.
/// </summary>
public abstract class LoopInstrument
{
    /// <summary>A turn begins.</summary>
    public virtual void TurnStarting(EventLoop loop)
    {
    }

    /// <summary>A turn has run <paramref name="entries"/> entries.</summary>
    public virtual void TurnEnded(EventLoop loop, int entries)
    {
    }

    /// <summary>The loop is about to wait; <paramref name="timeout"/> is in nanoseconds, 0 for a mere look, negative for ever.</summary>
    public virtual void WaitStarting(EventLoop loop, long timeout)
    {
    }

    /// <summary>The wait has ended with <paramref name="events"/> events.</summary>
    public virtual void WaitEnded(EventLoop loop, int events)
    {
    }

    /// <summary>A task was spawned.</summary>
    public virtual void TaskSpawned(EventLoop loop, LoopTask task)
    {
    }

    /// <summary>A task has ended; <see cref="LoopTask.Failure"/> says how.</summary>
    public virtual void TaskEnded(EventLoop loop, LoopTask task)
    {
    }
}
