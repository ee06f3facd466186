namespace Weir.Simulation;

/// <summary>IORING_OP_RECV and, with a header, IORING_OP_RECVMSG: one read, or with multishot one after the other into buffers of a group.</summary>
internal class ReceiveRequest : SocketRequest
{
    private const ushort Bundle = 1 << 4; // IORING_RECVSEND_BUNDLE
    private const int MostLoops = 32; // MULTISHOT_MAX_RETRY

    private ulong _address;
    private uint _length;
    private ushort _group;
    private int _loops;
    private BufferGroup? _selected;
    private ushort _bufferId;
    private IoVector _buffer;

    internal override bool MaySelectBuffer => true;

    internal override EpollEvents WaitsFor => EpollEvents.In | EpollEvents.RdNorm;

    protected bool SelectsBuffer => (Flags & SubmissionFlags.BufferSelect) != 0;

    protected virtual bool IsMessage => false;

    internal override int Prepare(in Submission entry)
    {
        const ushort Known = IoUringPriority.PollFirst | IoUringPriority.ReceiveMultishot | Bundle;
        if (entry.FileIndex != 0 || entry.Offset != 0 || (entry.Priority & ~Known) != 0)
            return -(int)Errno.EINVAL;
        if ((entry.Priority & Bundle) != 0)
            return IsMessage ? -(int)Errno.EINVAL : throw new NotSupportedException("not emulated: IORING_RECVSEND_BUNDLE");
        NotePriority(entry.Priority, IoUringPriority.PollFirst);
        _address = entry.Address;
        _length = entry.Length;
        _group = entry.BufferGroup;
        MessageFlags = (MessageFlags)entry.OperationFlags;
        MayNotWait = (MessageFlags & MessageFlags.DontWait) != 0;
        if ((entry.Priority & IoUringPriority.ReceiveMultishot) != 0)
        {
            if (!SelectsBuffer || (MessageFlags & MessageFlags.WaitAll) != 0 || (!IsMessage && entry.Length != 0))
                return -(int)Errno.EINVAL;
            IsMultishot = true;
        }

        return 0;
    }

    internal override unsafe void LendMemory()
    {
        if (!SelectsBuffer)
            Lend((byte*)_address + Done, _length - (nuint)Done, BufferUse.KernelWrites);
    }

    /// <summary>How many bytes, or a negated errno.</summary>
    protected virtual unsafe nint Read(IoVector buffer, MessageFlags flags)
    {
        var user = new UserBuffer(&buffer, 1);
        return Socket!.Receive(Thread, ref user, flags, null);
    }

    /// <summary>Whether data was cut off, which fails one that wants all.</summary>
    protected virtual bool WasTruncated => false;

    /// <summary>The part of a buffer that takes the data; the rest is for what describes it. False: it is too small.</summary>
    protected virtual bool TryReserve(ref IoVector buffer) => true;

    internal override unsafe Issue Try(bool polled)
    {
        if (MustPollFirst)
            return Issue.Again;
        if (Socket == null)
            return Failed(Errno.ENOTSOCK);
        while (true)
        {
            if (!TryBuffer(out IoVector buffer, out Errno error))
                return IsMessage ? Failed(error) : Completed(-(nint)(int)error);
            nint least = (MessageFlags & MessageFlags.WaitAll) != 0 ? (nint)buffer.Length : 0;
            nint count = World.Faults.BeforeRingRead(Thread, Socket, SystemCallOf, ref buffer, MessageFlags)
                ? Read(buffer, MessageFlags | MessageFlags.DontWait)
                : -(nint)(int)Errno.EAGAIN;
            World.Faults.AfterRing(Thread, Socket, count, reads: true);
            if (count < least)
            {
                if (count == -(int)Errno.EAGAIN)
                {
                    if (Done == 0)
                        _selected = null; // recycled: it stays in its queue
                    return polled && IsMultishot ? Issue.Pending : Issue.Again;
                }

                if (count > 0 && WantsRest)
                {
                    Done += count;
                    return Issue.Again;
                }

                HasFailed = true;
            }
            else if (least > 0 && WasTruncated)
            {
                HasFailed = true;
            }

            if (Finish(count, polled) is { } issue)
                return issue;
        }
    }

    // io_recv_finish. Null: goes on at once.
    private Issue? Finish(nint count, bool polled)
    {
        bool isLast = count <= 0;
        count = count > 0 ? count + Done : Done != 0 ? Done : count;
        int unread = count >= 0 ? Socket!.UnreadHint : -1;
        CompletionFlags flags = unread > 0 ? CompletionFlags.SocketNotEmpty : CompletionFlags.None;
        if (_selected is { } group)
        {
            if (count > 0)
            {
                flags |= CompletionFlags.Buffer | (CompletionFlags)((uint)_bufferId << 16);
                group.Commit();
            }

            _selected = null;
        }

        if (!IsMultishot || isLast || World.Faults.EndsMultishot(Thread, File) || !Ring.TryPost(UserData, (int)count, flags | CompletionFlags.More))
            return Completed(count, flags);
        Done = 0;
        if (unread == 0)
            return polled ? Issue.Pending : Issue.Again;
        if (_loops++ < MostLoops)
            return null;
        _loops = 0;
        return polled ? Issue.Requeue : Issue.Again;
    }

    // Where the data goes: the program's buffer, or the next of the group.
    private unsafe bool TryBuffer(out IoVector buffer, out Errno error)
    {
        error = Errno.None;
        if (!SelectsBuffer)
        {
            buffer = new IoVector { Base = (byte*)_address + Done, Length = _length - (nuint)Done };
            return true;
        }

        if (_selected == null)
        {
            if (Ring.FindGroup(_group) is not { } group || !group.TrySelect(IsMessage ? 0 : _length, out _buffer, out _bufferId))
            {
                buffer = default;
                error = Errno.ENOBUFS;
                return false;
            }

            _selected = group;
        }

        buffer = new IoVector { Base = (byte*)_buffer.Base + Done, Length = _buffer.Length - (nuint)Done };
        if (TryReserve(ref buffer))
            return true;
        _selected = null;
        error = Errno.EFAULT;
        return false;
    }

    private SystemCall SystemCallOf => IsMessage ? SystemCall.ReceiveMessage : SystemCall.Receive;
}
