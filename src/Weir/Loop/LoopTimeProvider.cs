namespace Weir;

/// <summary>The clock of a loop's kernel and timers that fire on the loop.</summary>
internal sealed class LoopTimeProvider(EventLoop loop) : TimeProvider
{
    private static readonly DateTimeOffset Epoch = DateTimeOffset.UnixEpoch;

    public override long TimestampFrequency => 1_000_000_000;

    public override long GetTimestamp() => loop.Now;

    public override DateTimeOffset GetUtcNow() => Epoch.AddTicks(loop.Kernel.ClockGetTime(ClockId.Realtime) / 100);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(callback);
        var timer = new CallbackTimer(loop, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class CallbackTimer(EventLoop loop, TimerCallback callback, object? state) : TimerSettings, ITimer
    {
        private readonly ExecutionContext? _context = ExecutionContext.Capture();
        private Node? _node;
        private long _period;
        private volatile bool _disposed;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Check(dueTime);
            Check(period);
            if (_disposed)
                return false;
            long deadline = dueTime < TimeSpan.Zero
                ? long.MaxValue
                : TimerQueue.DeadlineAfter(loop.Now, EventLoop.ToNanoseconds(dueTime));
            // A period of zero means once, as for System.Threading.Timer.
            long interval = period <= TimeSpan.Zero ? 0 : EventLoop.ToNanoseconds(period);
            if (loop.IsCurrent)
            {
                Apply(deadline, interval);
                return true;
            }

            return Send(loop.Queue, deadline, interval);
        }

        public void Dispose()
        {
            _disposed = true;
            if (loop.IsCurrent)
                Apply(long.MaxValue, 0);
            else
                Send(loop.Queue, long.MaxValue, 0);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }

        private static void Check(TimeSpan time)
        {
            if (time < TimeSpan.Zero && time != Timeout.InfiniteTimeSpan)
                throw new ArgumentOutOfRangeException(nameof(time), time, "Not negative, but for Timeout.InfiniteTimeSpan.");
        }

        protected override void Apply(long deadline, long period)
        {
            _period = period;
            if (deadline != long.MaxValue && !_disposed)
                loop.Timers.Arm(_node ??= new Node(this), deadline);
            else if (_node != null)
                loop.Timers.Cancel(_node);
        }

        private void Fire(Node node, long now)
        {
            if (AreOnTheirWay)
                return;
            if (_period > 0)
                loop.Timers.Arm(node, TimerQueue.DeadlineAfter(Math.Max(node.Deadline, now - _period + 1), _period));
            loop.Queue.Enqueue(node.Entry);
        }

        private void Invoke()
        {
            if (_disposed)
                return;
            // With no context installed, so that what waits for this timer without one goes on here and not on the thread pool.
            SynchronizationContext? context = SynchronizationContext.Current;
            SynchronizationContext.SetSynchronizationContext(null);
            try
            {
                if (_context == null)
                    callback(state);
                else
                    ExecutionContext.Run(_context, static timer => ((CallbackTimer)timer!).CallBack(), this);
            }
            finally
            {
                SynchronizationContext.SetSynchronizationContext(context);
            }
        }

        private void CallBack() => callback(state);

        private sealed class Node(CallbackTimer timer) : TimerNode
        {
            internal FireEntry Entry { get; } = new(timer);

            public override void OnDeadline(long now) => timer.Fire(this, now);
        }

        private sealed class FireEntry(CallbackTimer timer) : LoopWork
        {
            internal override void Execute() => timer.Invoke();
        }
    }
}
