using System.Runtime.CompilerServices;

namespace Weir.Net;

/// <summary>
/// Awaited on the thread pool, by a caller who left a loop where no context was installed: goes on there, again with none. So whoever awaits that caller
/// without a context stays on the loop, too. Once the loop has stopped it goes on on the thread pool.
/// </summary>
internal readonly struct ReturnAwaitable(EventLoop loop) : ICriticalNotifyCompletion
{
    public ReturnAwaitable GetAwaiter() => this;

    public bool IsCompleted => loop.IsCurrent;

    public void GetResult()
    {
    }

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation)
    {
        if (!loop.Queue.Post(new RunEntry(static continuation => GoOn((Action)continuation!), continuation)))
            ThreadPool.UnsafeQueueUserWorkItem(static continuation => continuation(), continuation, preferLocal: false);
    }

    // The queue puts the loop's context back behind each entry.
    private static void GoOn(Action continuation)
    {
        SynchronizationContext.SetSynchronizationContext(null);
        continuation();
    }
}
