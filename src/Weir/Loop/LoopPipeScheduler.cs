using System.IO.Pipelines;

namespace Weir;

/// <summary>Queues the callbacks of a pipe on the loop. Never inline: a pipe may call while it is in the middle of a change.</summary>
internal sealed class LoopPipeScheduler(EventLoop loop) : PipeScheduler
{
    public override void Schedule(Action<object?> action, object? state)
    {
        if (!loop.Post(action, state))
            ThreadPool.Schedule(action, state);
    }
}
