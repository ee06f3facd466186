using System.Threading.Tasks.Sources;

namespace Weir;

/// <summary>
/// How to resume a caller that is not simply called back on the loop: it awaited from another thread, captured another context or
/// scheduler, or wants its execution context restored.
/// </summary>
internal sealed class Resumption
{
    private readonly object? _scheduler; // SynchronizationContext, TaskScheduler, the loop's queue, or null for the thread pool
    private readonly ExecutionContext? _executionContext;

    private Resumption(object? scheduler, ExecutionContext? executionContext)
    {
        _scheduler = scheduler;
        _executionContext = executionContext;
    }

    /// <summary>Whether the caller is resumed somewhere else than on the loop of <paramref name="queue"/>.</summary>
    internal bool Leaves(WorkQueue queue) => _scheduler != queue && _scheduler != queue.Context;

    /// <summary>
    /// Looks at the awaiting thread. Null: nothing was captured and the caller is on the loop <paramref name="queue"/>, so it may be
    /// called back there directly.
    /// </summary>
    internal static Resumption? Capture(ValueTaskSourceOnCompletedFlags flags, WorkQueue? queue)
    {
        ExecutionContext? execution = (flags & ValueTaskSourceOnCompletedFlags.FlowExecutionContext) != 0 ? ExecutionContext.Capture() : null;
        object? scheduler = null;
        if ((flags & ValueTaskSourceOnCompletedFlags.UseSchedulingContext) != 0)
        {
            if (SynchronizationContext.Current is { } context && context.GetType() != typeof(SynchronizationContext))
                scheduler = context;
            else if (TaskScheduler.Current != TaskScheduler.Default)
                scheduler = TaskScheduler.Current;
        }

        if (scheduler == null && execution == null && queue != null)
            return null;
        return new Resumption(scheduler ?? queue, execution);
    }

    internal void Invoke(Action<object?> continuation, object? state)
    {
        var call = new Call(continuation, state, _executionContext);
        switch (_scheduler)
        {
            case SynchronizationContext context:
                context.Post(static call => ((Call)call!).Run(), call);
                break;
            case TaskScheduler scheduler:
                Task.Factory.StartNew(static call => ((Call)call!).Run(), call, CancellationToken.None, TaskCreationOptions.DenyChildAttach, scheduler);
                break;
            case WorkQueue queue:
                queue.Enqueue(call);
                break;
            default:
                ThreadPool.UnsafeQueueUserWorkItem(static call => call.Run(), call, preferLocal: false);
                break;
        }
    }

    private sealed class Call(Action<object?> continuation, object? state, ExecutionContext? context) : LoopWork
    {
        internal void Run()
        {
            if (context == null)
                continuation(state);
            else
                ExecutionContext.Run(context, static call => ((Call)call!).Continue(), this);
        }

        internal override void Execute() => Run();

        private void Continue() => continuation(state);
    }
}
