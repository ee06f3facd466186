namespace Weir.Tests.Loop;

/// <summary>Runs random operations on a <see cref="TimerQueue"/> and on a sorted set side by side.</summary>
internal sealed class TimerQueueModel
{
    private readonly Random _random;
    private readonly TimerQueue _queue = new();
    private readonly TimerQueueTests.Probe[] _timers;
    private readonly (long Deadline, long Order)?[] _armed;
    private readonly SortedSet<(long Deadline, long Order, int Id)> _model = [];
    private readonly long _span;
    private long _now;
    private long _order;

    /// <summary>The seed also picks how many timers there are and how far apart, so that runs differ in kind.</summary>
    public TimerQueueModel(int seed)
    {
        _random = new Random(seed);
        _timers = [.. Enumerable.Range(0, 1 << _random.Next(11)).Select(id => new TimerQueueTests.Probe { Id = id })];
        _armed = new (long, long)?[_timers.Length];
        _span = 1L << _random.Next(1, 62);
        _now = _random.Next(2) == 0 ? 0 : _random.NextInt64(long.MaxValue / 2);
    }

    public void Run(int steps)
    {
        for (int step = 0; step < steps; step++)
        {
            int id = _random.Next(_timers.Length);
            switch (_random.Next(10))
            {
                case < 5:
                    Arm(id, PickDeadline());
                    break;
                case < 8:
                    Cancel(id);
                    break;
                default:
                    MoveClock();
                    TakeExpired();
                    break;
            }

            CheckAnswers();
        }

        _now = long.MaxValue;
        TakeExpired();
        Assert.Equal(0, _queue.Count);
    }

    private long PickDeadline() => _random.Next(12) switch
    {
        0 => _now,
        1 => _now - _random.NextInt64(_span),
        2 => long.MaxValue,
        3 => _random.NextInt64(_now, long.MaxValue),
        4 when _model.Count > 0 => _model.Min.Deadline,
        5 when _model.Count > 0 => _model.Max.Deadline,
        6 => TimerQueue.DeadlineAfter(_now, _random.Next(2_000_000)),
        _ => TimerQueue.DeadlineAfter(_now, _random.NextInt64(_span)),
    };

    private void MoveClock()
    {
        long next = _model.Count > 0 ? _model.Min.Deadline : _now;
        _now = _random.Next(8) switch
        {
            0 => next - 1,
            1 => next,
            2 => _now,
            3 => _queue.NextDeadline,
            4 => _queue.NextWake(_random.NextInt64(_span)),
            5 => _now - _random.Next(1000),
            _ => TimerQueue.DeadlineAfter(_now, _random.NextInt64(1 + (_span / 4))),
        };
        if (_now > long.MaxValue - _span && _random.Next(4) != 0)
        {
            _now = long.MaxValue / 2;
        }

        _now = Math.Max(_now, 0);
    }

    private void Arm(int id, long deadline)
    {
        Forget(id);
        _queue.Arm(_timers[id], deadline);
        _armed[id] = (deadline, ++_order);
        _model.Add((deadline, _order, id));
    }

    private void Cancel(int id) => Assert.Equal(Forget(id), _queue.Cancel(_timers[id]));

    private bool Forget(int id)
    {
        if (_armed[id] is not { } armed)
        {
            return false;
        }

        _armed[id] = null;
        return _model.Remove((armed.Deadline, armed.Order, id));
    }

    private void TakeExpired()
    {
        while (_queue.PopExpired(_now) is TimerQueueTests.Probe taken)
        {
            (long deadline, _, int id) = _model.Min;
            Assert.Equal(id, taken.Id);
            Assert.True(deadline <= _now, "Taken before its deadline.");
            Assert.True(Forget(id));
            if (_now < long.MaxValue && _random.Next(8) == 0)
            {
                // Changes in the middle of taking; the one just taken may come back too.
                int other = _random.Next(4) == 0 ? id : _random.Next(_timers.Length);
                if (_random.Next(2) == 0)
                {
                    Arm(other, PickDeadline());
                }
                else
                {
                    Cancel(other);
                }
            }
        }

        Assert.True(_model.Count == 0 || _model.Min.Deadline > _now, "A due timer was not taken.");
    }

    private void CheckAnswers()
    {
        Assert.Equal(_model.Count, _queue.Count);
        long exact = _model.Count > 0 ? _model.Min.Deadline : long.MaxValue;
        long next = _queue.NextDeadline;
        Assert.True(next <= exact, "The next deadline is later than the earliest.");
        Assert.Equal(next, _queue.NextDeadline);
        if (_model.Count <= 16)
        {
            Assert.Equal(exact, next);
        }

        long slack = _random.NextInt64(_span);
        long wake = _queue.NextWake(slack);
        Assert.InRange(wake, next, TimerQueue.DeadlineAfter(next, slack));
        if (_model.Count <= 16)
        {
            Assert.Contains(wake, _model.Select(timer => timer.Deadline).DefaultIfEmpty(long.MaxValue));
        }
    }
}
