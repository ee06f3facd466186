using System.Numerics;

namespace Weir.Simulation;

/// <summary>Flags of a timeout that the door has no name for.</summary>
internal static class TimeoutFlags
{
    internal const IoUringTimeoutFlags BootTime = (IoUringTimeoutFlags)4, RealTime = (IoUringTimeoutFlags)8, UpdateLinked = (IoUringTimeoutFlags)16;
    internal const IoUringTimeoutFlags ExpiryIsSuccess = (IoUringTimeoutFlags)32, Multishot = (IoUringTimeoutFlags)64;
    internal const IoUringTimeoutFlags Clocks = BootTime | RealTime;

    internal static bool HasOneClock(IoUringTimeoutFlags flags) => BitOperations.PopCount((uint)(flags & Clocks)) <= 1;

    /// <summary>When it is over, by the monotonic clock.</summary>
    internal static long Deadline(World world, TimeSpec time, IoUringTimeoutFlags flags)
    {
        long nanoseconds = time.Seconds >= World.Never / 1_000_000_000 ? World.Never : time.ToNanoseconds();
        if (nanoseconds == World.Never)
            return World.Never;
        if ((flags & IoUringTimeoutFlags.Absolute) == 0)
            return nanoseconds > World.Never - world.Now ? World.Never : world.Now + nanoseconds;
        return (flags & RealTime) != 0 ? nanoseconds - (SimClock.WallClockAtStart - SimClock.Start) : nanoseconds;
    }

    /// <summary>Reads the time that a submission points to.</summary>
    internal static unsafe int TryTime(ulong address, out TimeSpec time)
    {
        time = default;
        if (!UserMemory.IsMapped((void*)address, (nuint)sizeof(TimeSpec)))
            return -(int)Errno.EFAULT;
        time = *(TimeSpec*)address;
        return time.Seconds < 0 || time.Nanoseconds < 0 ? -(int)Errno.EINVAL : 0;
    }
}

/// <summary>IORING_OP_TIMEOUT: completes after a time, or after so many other completions.</summary>
internal class TimeoutRequest : RingRequest
{
    private SimClock.TimedEvent? _timer;
    private TimeSpec _time;
    private IoUringTimeoutFlags _flags;
    private uint _repeats;

    internal override bool NeedsFile => false;

    /// <summary>Completions to wait for.</summary>
    internal uint Count { get; private set; }

    /// <summary>At which completion that is.</summary>
    internal uint Target { get; set; }

    /// <summary>It counts no completions.</summary>
    internal bool IsPlain => Count == 0 || (_flags & TimeoutFlags.Multishot) != 0;

    internal LinkedListNode<TimeoutRequest>? ListPlace { get; set; }

    internal override int Prepare(in Submission entry)
    {
        _flags = (IoUringTimeoutFlags)entry.OperationFlags;
        if (entry.BufferGroup != 0 || entry.Length != 1 || entry.FileIndex != 0)
            return -(int)Errno.EINVAL;
        const IoUringTimeoutFlags Known = IoUringTimeoutFlags.Absolute | TimeoutFlags.Clocks | TimeoutFlags.ExpiryIsSuccess | TimeoutFlags.Multishot;
        const IoUringTimeoutFlags Contradiction = TimeoutFlags.Multishot | IoUringTimeoutFlags.Absolute;
        if ((_flags & ~Known) != 0 || !TimeoutFlags.HasOneClock(_flags) || (_flags & Contradiction) == Contradiction)
            return -(int)Errno.EINVAL;
        Count = (uint)entry.Offset;
        if ((_flags & TimeoutFlags.Multishot) != 0)
            _repeats = Count;
        return TimeoutFlags.TryTime(entry.Address, out _time);
    }

    internal override Issue Try(bool polled)
    {
        Ring.AddTimeout(this);
        StartTimer();
        return Issue.Pending;
    }

    private void StartTimer()
    {
        long deadline = TimeoutFlags.Deadline(World, _time, _flags);
        if (deadline != World.Never)
            _timer = World.Clock.At(deadline, OnTime);
    }

    internal void StopTimer()
    {
        _timer?.Cancel();
        _timer = null;
    }

    /// <summary>Starts again with another time; counts no completions any more.</summary>
    internal void Restart(TimeSpec time, IoUringTimeoutFlags flags)
    {
        Count = 0;
        _time = time;
        _flags = (_flags & ~IoUringTimeoutFlags.Absolute) | (flags & IoUringTimeoutFlags.Absolute);
        Ring.AddTimeout(this);
        StartTimer();
    }

    // io_timeout_fn
    private void OnTime()
    {
        _timer = null;
        Ring.TakeOut(this);
        Ring.CountTimeout();
        if ((_flags & TimeoutFlags.ExpiryIsSuccess) == 0)
            HasFailed = true;
        Result = -(int)Errno.ETIME;
        Ring.AddWork(this, RingWorkKind.Expire);
    }

    // io_timeout_complete
    internal override void Expire()
    {
        bool goesOn = (_flags & TimeoutFlags.Multishot) != 0 && (Count == 0 || (_repeats > 0 && --_repeats > 0));
        if (goesOn && Ring.TryPost(UserData, -(int)Errno.ETIME, CompletionFlags.More))
        {
            Ring.AddTimeout(this);
            StartTimer();
            return;
        }

        Ring.Complete(this);
    }

    protected override void OnAbandoned()
    {
        StopTimer();
        Ring.TakeOut(this);
    }
}

/// <summary>IORING_OP_TIMEOUT_REMOVE: ends a timeout, or gives it another time.</summary>
internal sealed class TimeoutRemoveRequest : RingRequest
{
    private ulong _target;
    private IoUringTimeoutFlags _flags;
    private TimeSpec _time;

    internal override bool NeedsFile => false;

    internal override int Prepare(in Submission entry)
    {
        if ((Flags & (SubmissionFlags.FixedFile | SubmissionFlags.BufferSelect)) != 0 || entry.BufferGroup != 0 || entry.Length != 0 || entry.FileIndex != 0)
            return -(int)Errno.EINVAL;
        _target = entry.Address;
        _flags = (IoUringTimeoutFlags)entry.OperationFlags;
        const IoUringTimeoutFlags Updates = IoUringTimeoutFlags.Update | TimeoutFlags.UpdateLinked;
        if ((_flags & Updates) == 0)
            return _flags != 0 ? -(int)Errno.EINVAL : 0;
        if ((_flags & TimeoutFlags.UpdateLinked) != 0)
            throw new NotSupportedException("not emulated: IORING_LINK_TIMEOUT_UPDATE");
        if ((_flags & ~(Updates | IoUringTimeoutFlags.Absolute)) != 0)
            return -(int)Errno.EINVAL;
        return TimeoutFlags.TryTime(entry.Offset, out _time);
    }

    internal override Issue Try(bool polled)
    {
        var match = new CancelMatch { UserData = _target };
        if ((_flags & IoUringTimeoutFlags.Update) == 0)
            return Completed(Ring.CancelTimeout(match));
        if (Ring.ExtractTimeout(match) is not { } timeout)
            return Completed(-(int)Errno.ENOENT);
        timeout.Restart(_time, _flags);
        return Completed(0);
    }
}

/// <summary>IORING_OP_LINK_TIMEOUT: a limit to how long the request in front of it may take.</summary>
internal sealed class LinkTimeoutRequest : RingRequest
{
    private SimClock.TimedEvent? _timer;
    private TimeSpec _time;
    private IoUringTimeoutFlags _flags;
    private RingRequest? _limited;
    private bool _isOver;

    internal override bool NeedsFile => false;

    internal override int Prepare(in Submission entry)
    {
        _flags = (IoUringTimeoutFlags)entry.OperationFlags;
        if (entry.BufferGroup != 0 || entry.Length != 1 || entry.FileIndex != 0 || entry.Offset != 0)
            return -(int)Errno.EINVAL;
        if ((_flags & ~(IoUringTimeoutFlags.Absolute | TimeoutFlags.Clocks | TimeoutFlags.ExpiryIsSuccess)) != 0 || !TimeoutFlags.HasOneClock(_flags))
            return -(int)Errno.EINVAL;
        int error = TimeoutFlags.TryTime(entry.Address, out _time);
        if (error < 0)
            return error;
        return Ring.ChainEnd is null or LinkTimeoutRequest ? -(int)Errno.EINVAL : 0;
    }

    // Never begun by itself: its place is behind another.
    internal override Issue Try(bool polled) => Completed(-(int)Errno.ECANCELED);

    /// <summary>The request in front of it waits: the time runs (io_queue_linked_timeout).</summary>
    internal void Arm(RingRequest limited)
    {
        if (_limited != null || HasFailed)
            return;
        _limited = limited;
        long deadline = TimeoutFlags.Deadline(World, _time, _flags);
        if (deadline != World.Never)
            _timer = World.Clock.At(deadline, OnTime);
    }

    /// <summary>The request has ended. False: the time was over before.</summary>
    internal bool Disarm()
    {
        _timer?.Cancel();
        _timer = null;
        return !_isOver;
    }

    // io_link_timeout_fn
    private void OnTime()
    {
        _timer = null;
        _isOver = true;
        RingRequest limited = _limited!;
        limited.Next = Next;
        Next = null;
        Ring.AddWork(this, RingWorkKind.Expire);
    }

    // io_req_task_link_timeout
    internal override void Expire()
    {
        int error = _limited!.HasEnded ? -(int)Errno.ENOENT : Ring.Cancel(new CancelMatch { UserData = _limited.UserData });
        Result = error != 0 ? error : -(int)Errno.ETIME;
        HasFailed = true;
        Ring.Complete(this);
    }

    protected override void OnAbandoned() => _timer?.Cancel();
}
