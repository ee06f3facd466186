namespace Weir.Simulation;

// Timeouts: io_uring/timeout.c. Those that count completions come first, the nearest before the others.
internal sealed unsafe partial class RingFile
{
    private readonly LinkedList<TimeoutRequest> _timeoutList = new();
    private uint _lastFlush; // cq_last_tm_flush
    private bool _countsUsed; // off_timeout_used
    private bool _flushing;

    internal void AddTimeout(TimeoutRequest timeout)
    {
        if (timeout.IsPlain)
        {
            timeout.ListPlace = _timeoutList.AddLast(timeout);
            return;
        }

        _countsUsed = true;
        uint tail = _tail - (uint)_timeouts;
        timeout.Target = tail + timeout.Count;
        _lastFlush = tail;
        LinkedListNode<TimeoutRequest>? before = _timeoutList.Last;
        while (before != null && (before.Value.IsPlain || timeout.Count < before.Value.Target - tail))
            before = before.Previous;
        timeout.ListPlace = before == null ? _timeoutList.AddFirst(timeout) : _timeoutList.AddAfter(before, timeout);
    }

    internal void TakeOut(TimeoutRequest timeout)
    {
        if (timeout.ListPlace != null)
            _timeoutList.Remove(timeout.ListPlace);
        timeout.ListPlace = null;
    }

    /// <summary>One is over: whoever waits for completions looks again.</summary>
    internal void CountTimeout() => _timeouts++;

    // io_flush_timeouts
    private void FlushTimeouts()
    {
        if (!_countsUsed || _flushing)
            return;
        _flushing = true;
        uint now = _tail - (uint)_timeouts;
        while (_timeoutList.First?.Value is { IsPlain: false } timeout && now - _lastFlush >= timeout.Target - _lastFlush)
        {
            TakeOut(timeout);
            timeout.StopTimer();
            CountTimeout();
            timeout.Result = 0;
            AddWork(timeout, RingWorkKind.Complete);
        }

        _lastFlush = now;
        _flushing = false;
    }

    /// <summary>io_timeout_extract: takes one that matches out, stopped. Null: there is none.</summary>
    internal TimeoutRequest? ExtractTimeout(CancelMatch match)
    {
        foreach (TimeoutRequest timeout in _timeoutList)
        {
            if (!match.Matches(timeout))
                continue;
            TakeOut(timeout);
            timeout.StopTimer();
            return timeout;
        }

        return null;
    }

    /// <summary>io_timeout_cancel.</summary>
    internal int CancelTimeout(CancelMatch match)
    {
        if (ExtractTimeout(match) is not { } timeout)
            return -(int)Errno.ENOENT;
        timeout.Result = -(int)Errno.ECANCELED;
        AddWork(timeout, RingWorkKind.Fail);
        return 0;
    }
}
