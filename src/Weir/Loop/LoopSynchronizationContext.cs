using System.Runtime.ExceptionServices;

namespace Weir;

/// <summary>Brings code that awaits anything at all back to its loop.</summary>
internal sealed class LoopSynchronizationContext(LoopWorkQueue queue) : SynchronizationContext
{
    /// <summary>Queued; on the loop's own thread without a wake-up. After the loop has stopped it goes to the thread pool: code waits for it.</summary>
    public override void Post(SendOrPostCallback d, object? state)
    {
        if (queue.Post(new RunEntry(d, state)))
            return;
        queue.CountHop();
        ThreadPool.UnsafeQueueUserWorkItem(static call => call.d(call.state), (d, state), preferLocal: false);
    }

    public override void Send(SendOrPostCallback d, object? state)
    {
        if (queue.IsCurrent)
        {
            d(state);
            return;
        }

        if (EventLoop.Current is { IsStepped: true })
            throw new InvalidOperationException("Send would block the thread that this loop shares with the one it sends to: use Post, or await InvokeAsync.");
        using var done = new ManualResetEventSlim();
        ExceptionDispatchInfo? failure = null;
        bool accepted = queue.Post(new RunEntry(() =>
        {
            try
            {
                d(state);
            }
            catch (Exception exception)
            {
                failure = ExceptionDispatchInfo.Capture(exception);
            }
            finally
            {
                done.Set();
            }
        }));
        if (!accepted)
            throw new InvalidOperationException("The loop has stopped and runs nothing more.");
        Marks.Wait(Mark.SendWait, done);
        failure?.Throw();
    }

    public override SynchronizationContext CreateCopy() => this;
}
