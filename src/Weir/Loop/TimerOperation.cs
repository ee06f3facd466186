namespace Weir;

/// <summary>A wait for a deadline, of the kind that ends once: what <see cref="EventLoop.Delay"/> hands out, pooled per loop.</summary>
internal sealed class TimerOperation : LoopAwaitable
{
    private readonly EventLoop _loop;
    private readonly Node _node;
    private long _deadline;

    internal TimerOperation(EventLoop loop)
        : base(loop.Queue)
    {
        _loop = loop;
        _node = new Node(this);
    }

    internal override bool IsTimer => true;

    /// <summary>Starts to wait, from any thread. False: the loop has stopped.</summary>
    internal bool Start(long deadline)
    {
        Begin();
        _deadline = deadline;
        if (!Queue.IsCurrent)
            return StartFromElsewhere(deadline);
        Arm();
        Park();
        return true;
    }

    private void Arm() => _loop.Timers.Arm(_node, _deadline);

    protected override bool TryFinish()
    {
        Arm(); // carried over from another thread: this is its start
        return false;
    }

    protected override void Released()
    {
        if (Queue.IsCurrent)
            _loop.Return(this);
    }

    protected override void CancelOnLoop()
    {
        _loop.Timers.Cancel(_node);
        End(-(int)Errno.ECANCELED);
    }

    protected override Exception ToException(int result, CancellationToken cancellation)
        => result == -(int)Errno.ECANCELED ? new OperationCanceledException(cancellation) : new ObjectDisposedException(nameof(EventLoop), "The loop has stopped.");

    private sealed class Node(TimerOperation operation) : TimerNode
    {
        public override void OnDeadline(long now) => operation.End(0);

        public override void OnAbandoned() => operation.End(-(int)IoDriver.Closed);
    }
}
