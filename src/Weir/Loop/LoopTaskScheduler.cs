namespace Weir;

/// <summary>Runs tasks as entries of a loop.</summary>
internal sealed class LoopTaskScheduler(EventLoop loop) : TaskScheduler
{
    public override int MaximumConcurrencyLevel => 1;

    protected override void QueueTask(Task task)
    {
        if (!loop.Queue.Post(new RunEntry(new TaskEntry(this, task))))
            throw new InvalidOperationException("The loop has stopped and runs nothing more.");
    }

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => loop.IsCurrent && !taskWasPreviouslyQueued && TryExecuteTask(task);

    /// <summary>Only debuggers ask; the queue is not theirs to walk.</summary>
    protected override IEnumerable<Task> GetScheduledTasks() => [];

    private sealed class TaskEntry(LoopTaskScheduler scheduler, Task task) : LoopWork
    {
        internal override void Execute() => scheduler.TryExecuteTask(task);
    }
}
