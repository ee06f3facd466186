namespace Weir;

/// <summary>
/// A deadline that can be set again and again, also from other threads and while someone waits for it: a timeout that each message puts
/// off, a long sleep that a colleague cuts short. Setting it allocates nothing on the loop's thread.
/// </summary>
/// <remarks>One waiter at a time, on any thread. Setting is for any thread; the last one that reaches the loop counts.</remarks>
public sealed class LoopTimer : IDisposable
{
    private readonly EventLoop _loop;
    private readonly Node _node;
    private readonly Waiter _waiter;
    private readonly Settings _settings;
    private bool _elapsed;
    private bool _disposed;

    /// <summary>A timer of <paramref name="loop"/>, by default the current one; not set.</summary>
    public LoopTimer(EventLoop? loop = null)
    {
        _loop = loop ?? EventLoop.Required;
        _node = new Node(this);
        _waiter = new Waiter(this);
        _settings = new Settings(this);
    }

    /// <summary>Lets the timer elapse <paramref name="due"/> from now, whatever it was set to before. Any thread.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="due"/> is negative, <see cref="Timeout.InfiniteTimeSpan"/> included: see <see cref="Clear"/>.</exception>
    public void Set(TimeSpan due)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(due, TimeSpan.Zero);
        SetDeadline(TimerQueue.DeadlineAfter(_loop.Now, EventLoop.ToNanoseconds(due)));
    }

    /// <summary>Lets the timer never elapse, until it is set again. Any thread.</summary>
    public void Clear() => SetDeadline(long.MaxValue);

    /// <summary>Completes when the timer has elapsed; at once if it has and was not set since.</summary>
    /// <exception cref="BusyResourceException">Someone waits already.</exception>
    public ValueTask WaitAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled(cancellationToken);
        if (!_loop.IsCurrent)
            return new Waiter(this).Start(cancellationToken);
        if (_elapsed)
            return ValueTask.CompletedTask;
        return _waiter.Start(cancellationToken);
    }

    /// <summary>Ends a wait with <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        if (_loop.IsCurrent)
            DisposeOnLoop();
        else
            _loop.Queue.Post(new RunEntry(static timer => ((LoopTimer)timer!).DisposeOnLoop(), this));
    }

    private void DisposeOnLoop()
    {
        _disposed = true;
        _loop.Timers.Cancel(_node);
        _current?.End(-(int)IoDriver.Closed);
    }

    private Waiter? _current;

    private void SetDeadline(long deadline)
    {
        if (_loop.IsCurrent)
            Arm(deadline);
        else
            _settings.Send(_loop.Queue, deadline);
    }

    private void Arm(long deadline)
    {
        if (_disposed)
            return;
        _elapsed = false;
        if (deadline == long.MaxValue && _current == null)
            _loop.Timers.Cancel(_node);
        else
            _loop.Timers.Arm(_node, deadline);
    }

    // While someone waits the node is armed, if need be for never: so the loop finds the waiter when it ends.
    private void SetWaiter(Waiter? waiter)
    {
        _current = waiter;
        if (waiter != null && !_node.IsArmed)
            _loop.Timers.Arm(_node, long.MaxValue);
        else if (waiter == null && _node.IsArmed && _node.Deadline == long.MaxValue)
            _loop.Timers.Cancel(_node);
    }

    private sealed class Node(LoopTimer timer) : TimerNode
    {
        public override void OnDeadline(long now)
        {
            if (timer._settings.AreOnTheirWay)
            {
                // The loop may end before it arrives: it must find the waiter.
                if (timer._current != null)
                    timer._loop.Timers.Arm(this, long.MaxValue);
                return;
            }

            timer._elapsed = true;
            timer._current?.End(0);
        }

        public override void OnAbandoned() => timer._current?.End(-(int)IoDriver.Closed);
    }

    private sealed class Settings(LoopTimer timer) : TimerSettings
    {
        protected override void Apply(long deadline, long period) => timer.Arm(deadline);
    }

    private sealed class Waiter(LoopTimer timer) : LoopAwaitable(timer._loop.Queue)
    {
        internal ValueTask Start(CancellationToken cancellationToken)
        {
            if (!Queue.IsCurrent)
            {
                Begin();
                return StartFromElsewhere()
                    ? AsPlainValueTask(cancellationToken)
                    : ValueTask.FromException(new ObjectDisposedException(nameof(EventLoop), "The loop has stopped."));
            }

            if (timer._current != null || Status != AwaitableStatus.Idle)
                throw Busy();
            Begin();
            timer.SetWaiter(this);
            Park();
            return AsPlainValueTask(cancellationToken);
        }

        // Only a wait carried over from another thread comes here without a result.
        protected override bool TryFinish()
        {
            if (timer._disposed)
                SetResult(-(int)IoDriver.Closed);
            else if (timer._elapsed)
                SetResult(0);
            else if (timer._current != null)
                SetResult(-(int)Errno.EBUSY);
            else
                timer.SetWaiter(this);
            return HasResult;
        }

        protected override void Finishing()
        {
            if (timer._current == this)
                timer.SetWaiter(null);
        }

        protected override void CancelOnLoop() => End(-(int)Errno.ECANCELED);

        protected override Exception ToException(int result, CancellationToken cancellation) => (Errno)(-result) switch
        {
            Errno.ECANCELED => new OperationCanceledException(cancellation),
            Errno.EBUSY => Busy(),
            _ => new ObjectDisposedException(nameof(LoopTimer)),
        };

        private static BusyResourceException Busy() => new("Another task waits for this timer already; one at a time.");
    }
}
