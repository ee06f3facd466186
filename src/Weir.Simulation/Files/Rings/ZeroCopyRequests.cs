namespace Weir.Simulation;

/// <summary>
/// IORING_OP_SEND_ZC: the buffer is the kernel's beyond the result, until a second completion says that nobody needs it any more
/// (<see cref="ZeroCopyNotice"/>). What is sent is read when it is sent; who changes it between the two completions is found all the same.
/// </summary>
internal sealed unsafe class SendZeroCopyRequest : SendRequest
{
    private const ushort FixedBuffer = 1 << 2, ReportUsage = 1 << 3; // IORING_RECVSEND_FIXED_BUF, IORING_SEND_ZC_REPORT_USAGE

    private ulong _address;
    private uint _length;
    private bool _hasNotice; // whatever comes of it
    private bool _isAbandoned;

    internal override int Prepare(in Submission entry)
    {
        if (entry.Address3 != 0 || SkipsCompletion)
            return -(int)Errno.EINVAL;
        if ((entry.Priority & (FixedBuffer | ReportUsage)) != 0)
            throw new NotSupportedException($"not emulated: flags {entry.Priority:x} of a ring's send without a copy");
        _hasNotice = true;
        _address = entry.Address;
        _length = entry.Length;
        return base.Prepare(entry);
    }

    internal override Issue Try(bool polled)
    {
        if (Socket is { Domain: SocketDomain.Unix })
            return Failed(Errno.EOPNOTSUPP);
        Issue issue = base.Try(polled);
        if (issue == Issue.Complete)
            ResultFlags |= CompletionFlags.More;
        return issue;
    }

    internal override void OnFailure()
    {
        base.OnFailure();
        if (_hasNotice)
            ResultFlags |= CompletionFlags.More;
    }

    internal override void OnEnd()
    {
        if (!_hasNotice || _isAbandoned || Ring.IsClosed)
            return;
        var notice = new ZeroCopyNotice((void*)_address, _length, ToString());
        Ring.Adopt(notice, Thread, UserData);
        notice.LendMemory();
        if (Result <= 0)
            notice.Release();
        else if (!Socket!.TryTellWhenLetGo(notice.Release))
            notice.ReleaseLater();
    }

    protected override void OnAbandoned() => _isAbandoned = true;
}

/// <summary>
/// What tells that the buffer of an IORING_OP_SEND_ZC is the program's again: the notification of io_uring/notif.c. It is no request of the program's, so nothing
/// cancels it.
/// </summary>
internal sealed unsafe class ZeroCopyNotice(void* start, nuint length, string send) : RingRequest
{
    private SimClock.TimedEvent? _due;

    internal override bool NeedsFile => false;

    internal override int Prepare(in Submission entry) => 0;

    internal override Issue Try(bool polled) => Issue.Complete;

    internal override void LendMemory() => Lend(start, length, BufferUse.KernelReads);

    /// <summary>The last packet with bytes of the buffer is gone.</summary>
    internal void Release()
    {
        if (HasEnded || Ring.IsClosed)
            return;
        ResultFlags = CompletionFlags.Notification;
        Ring.AddWork(this, RingWorkKind.Complete);
    }

    /// <summary>It will be gone at a time that the strategy chooses.</summary>
    internal void ReleaseLater() => _due = World.Clock.At(World.Now + World.Faults.WorkerDelay(this), () =>
    {
        _due = null;
        Release();
    });

    protected override void OnAbandoned() => _due?.Cancel();

    public override string ToString() => send;
}
