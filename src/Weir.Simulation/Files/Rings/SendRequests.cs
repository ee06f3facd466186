namespace Weir.Simulation;

/// <summary>IORING_OP_SEND.</summary>
internal class SendRequest : SocketRequest
{
    private const ushort KnownPriority = IoUringPriority.PollFirst;

    private ulong _address;
    private uint _length;
    private byte[]? _to;

    internal override EpollEvents WaitsFor => EpollEvents.Out | EpollEvents.WrNorm;

    internal override unsafe int Prepare(in Submission entry)
    {
        if ((entry.Priority & ~KnownPriority) != 0)
            return -(int)Errno.EINVAL;
        NotePriority(entry.Priority, IoUringPriority.PollFirst);
        _address = entry.Address;
        _length = entry.Length;
        MessageFlags = (MessageFlags)entry.OperationFlags | MessageFlags.NoSignal;
        MayNotWait = (MessageFlags & MessageFlags.DontWait) != 0;
        if (entry.Offset == 0)
            return 0;
        int error = SimKernel.TryAddress((void*)entry.Offset, (ushort)entry.FileIndex, out ReadOnlySpan<byte> to);
        _to = to.ToArray();
        return error;
    }

    internal override unsafe void LendMemory() => Lend((byte*)_address + Done, _length - (nuint)Done, BufferUse.KernelReads);

    internal override Issue Try(bool polled)
    {
        if (MustPollFirst)
            return Issue.Again;
        if (Socket == null)
            return Failed(Errno.ENOTSOCK);
        nint count = Write(out nint wanted);
        nint least = (MessageFlags & MessageFlags.WaitAll) != 0 ? wanted : 0;
        if (count < least)
        {
            if (count == -(int)Errno.EAGAIN)
                return Issue.Again;
            if (count > 0 && WantsRest)
            {
                Done += count;
                return Issue.Again;
            }

            HasFailed = true;
        }

        return Completed(Total(count));
    }

    /// <summary>Sends what is left. <paramref name="wanted"/>: how much that is.</summary>
    protected virtual unsafe nint Write(out nint wanted)
    {
        var buffer = new IoVector { Base = (byte*)_address + Done, Length = _length - (nuint)Done };
        wanted = (nint)buffer.Length;
        nint count = World.Faults.BeforeRingWrite(Thread, Socket!, SystemCall.Send, ref buffer, MessageFlags);
        if (count == 0)
        {
            var user = new UserBuffer(&buffer, 1);
            count = Socket!.Send(Thread, ref user, MessageFlags | MessageFlags.DontWait, _to == null ? null : new MessageExtras { Address = _to });
        }

        World.Faults.AfterRing(Thread, Socket!, count, reads: false);
        return count;
    }
}

/// <summary>IORING_OP_SENDMSG. The message itself is read at the submission, its data when it is sent.</summary>
internal sealed unsafe class SendMessageRequest : SendRequest
{
    private MessageHeader _message;
    private IoVector[] _vectors = [];
    private byte[]? _name;

    internal override int Prepare(in Submission entry)
    {
        if (entry.Offset != 0 || entry.FileIndex != 0)
            return -(int)Errno.EINVAL;
        int error = base.Prepare(entry);
        if (error < 0)
            return error;
        var message = (MessageHeader*)entry.Address;
        if (!UserMemory.IsMapped(message, (nuint)sizeof(MessageHeader)))
            return -(int)Errno.EFAULT;
        _message = *message;
        if (_message.Name != null)
        {
            error = SimKernel.TryAddress(_message.Name, _message.NameLength, out ReadOnlySpan<byte> name);
            if (error < 0)
                return error;
            _name = name.ToArray();
        }

        return TryVectors((ulong)_message.Vectors, (uint)Math.Min(_message.VectorCount, uint.MaxValue), out _vectors);
    }

    internal override void LendMemory()
    {
        foreach (IoVector vector in _vectors)
            Lend(vector.Base, vector.Length, BufferUse.KernelReads);
        if (_message.Control != null)
            Lend(_message.Control, _message.ControlLength, BufferUse.KernelReads);
    }

    protected override nint Write(out nint wanted)
    {
        wanted = 0;
        foreach (IoVector vector in _vectors)
            wanted += (nint)vector.Length;
        IoVector whole = new() { Length = (nuint)wanted };
        nint result = World.Faults.BeforeRingWrite(Thread, Socket!, SystemCall.SendMessage, ref whole, MessageFlags | MessageFlags.OutOfBand); // not in parts
        if (result < 0)
            return result;
        var extras = new MessageExtras { Address = _name };
        MessageHeader message = _message;
        result = Done == 0 ? Process.TakeControl(&message, extras) : 0;
        if (result == 0)
        {
            fixed (IoVector* vectors = _vectors)
            {
                var user = new UserBuffer(vectors, _vectors.Length);
                result = Socket!.Send(Thread, ref user, MessageFlags | MessageFlags.DontWait, extras);
            }
        }

        extras.Files?.ForEach(file => file.Drop()); // those that no message has taken
        if (result > 0)
            Skip(result);
        return result;
    }

    // What has been sent is not sent again.
    private void Skip(nint count)
    {
        foreach (ref IoVector vector in _vectors.AsSpan())
        {
            nint part = Math.Min(count, (nint)vector.Length);
            vector = new IoVector { Base = (byte*)vector.Base + part, Length = vector.Length - (nuint)part };
            count -= part;
        }
    }
}
