namespace Weir.Simulation;

/// <summary>IORING_OP_ASYNC_CANCEL.</summary>
internal sealed class AsyncCancelRequest : RingRequest
{
    private AsyncCancelFlags _flags;
    private ulong _userData;
    private IoUringOp _op;

    internal override bool NeedsFile => false;

    internal override int Prepare(in Submission entry)
    {
        _flags = (AsyncCancelFlags)entry.OperationFlags;
        if (entry.Offset != 0 || entry.FileIndex != 0 || (_flags & ~CancelMatch.Known) != 0)
            return -(int)Errno.EINVAL;
        if ((_flags & AsyncCancelFlags.Any) != 0 && (_flags & (AsyncCancelFlags.Descriptor | CancelMatch.ByOperation)) != 0)
            return -(int)Errno.EINVAL;
        _userData = entry.Address;
        _op = (IoUringOp)entry.Length;
        return 0;
    }

    internal override Issue Try(bool polled)
    {
        SimFile? file = null;
        if ((_flags & AsyncCancelFlags.Descriptor) != 0)
        {
            bool isFixed = (_flags & CancelMatch.ByFixedFile) != 0 || (Flags & SubmissionFlags.FixedFile) != 0;
            file = isFixed ? Ring.FindRegistered(Descriptor) : Process.Descriptors.Find(Descriptor);
            if (file == null)
                return Completed(-(int)Errno.EBADF);
        }

        return Completed(Ring.Cancel(new CancelMatch { Flags = _flags, UserData = _userData, Op = _op, File = file }));
    }
}

/// <summary>IORING_OP_MSG_RING: puts a completion into another ring.</summary>
internal sealed class MessageRingRequest : RingRequest
{
    private ulong _userData;
    private int _length;
    private bool _passesFlags;
    private CompletionFlags _flags;

    internal override int Prepare(in Submission entry)
    {
        const uint SkipCompletion = 1, PassFlags = 2;
        if (entry.BufferGroup != 0 || entry.Personality != 0 || (entry.OperationFlags & ~(SkipCompletion | PassFlags)) != 0)
            return -(int)Errno.EINVAL;
        if (entry.Address != 0)
            return entry.Address == 1 ? throw new NotSupportedException("not emulated: IORING_MSG_SEND_FD") : -(int)Errno.EINVAL;
        _passesFlags = (entry.OperationFlags & PassFlags) != 0;
        _userData = entry.Offset;
        _length = (int)entry.Length;
        _flags = (CompletionFlags)entry.FileIndex;
        _isBad = entry.Address3 != 0 || (entry.OperationFlags & SkipCompletion) != 0 || (!_passesFlags && entry.FileIndex != 0);
        return 0;
    }

    private bool _isBad;

    internal override Issue Try(bool polled)
    {
        if (File is not RingFile target)
            return Completed(-(int)Errno.EBADFD);
        if (_isBad)
            return Completed(-(int)Errno.EINVAL);
        target.Receive(Thread, _userData, _length, _passesFlags ? _flags : CompletionFlags.None);
        return Completed(0);
    }
}

/// <summary>A message on its way to a ring whose completions are worked out on its own thread.</summary>
internal sealed class MessageFromRing : RingRequest
{
    internal override bool NeedsFile => false;

    internal override int Prepare(in Submission entry) => 0;

    internal override Issue Try(bool polled) => Issue.Complete;
}
