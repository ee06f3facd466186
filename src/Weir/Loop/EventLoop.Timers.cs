namespace Weir;

public sealed partial class EventLoop
{
    private readonly Stack<TimerOperation> _idleDelays = new();

    /// <summary>
    /// Completes once <paramref name="delay"/> has passed: never earlier, later by at most <see cref="LoopOptions.TimerSlack"/> and what the
    /// turn in progress takes. <see cref="Timeout.InfiniteTimeSpan"/> waits for the token alone. Any thread.
    /// </summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The loop has stopped.</exception>
    public ValueTask Delay(TimeSpan delay, CancellationToken cancellationToken = default)
    {
        if (delay < TimeSpan.Zero && delay != Timeout.InfiniteTimeSpan)
            throw new ArgumentOutOfRangeException(nameof(delay), delay, "A delay is not negative, but for Timeout.InfiniteTimeSpan.");
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled(cancellationToken);
        if (delay == TimeSpan.Zero)
            return ValueTask.CompletedTask;
        long deadline = delay < TimeSpan.Zero ? long.MaxValue : TimerQueue.DeadlineAfter(Now, ToNanoseconds(delay));
        TimerOperation operation = IsCurrent && _idleDelays.TryPop(out TimerOperation? idle) ? idle : new TimerOperation(this);
        return operation.Start(deadline)
            ? operation.AsPlainValueTask(cancellationToken)
            : ValueTask.FromException(new ObjectDisposedException(nameof(EventLoop), "The loop has stopped."));
    }

    internal void Return(TimerOperation operation)
    {
        const int MostKept = 1024;
        if (_idleDelays.Count < MostKept)
            _idleDelays.Push(operation);
    }
}
