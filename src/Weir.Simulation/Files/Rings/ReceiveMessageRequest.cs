namespace Weir.Simulation;

/// <summary>
/// IORING_OP_RECVMSG. With multishot each buffer begins with a header (struct io_uring_recvmsg_out), then come the address, the ancillary data
/// and the data, each in the room that the submission's own message asked for.
/// </summary>
internal sealed unsafe class ReceiveMessageRequest : ReceiveRequest
{
    private const int OutHeader = 16;

    private MessageHeader* _message;
    private MessageHeader _asked;
    private IoVector[] _vectors = [];
    private byte* _out;
    private bool _wasTruncated;

    protected override bool IsMessage => true;

    protected override bool WasTruncated => _wasTruncated;

    internal override int Prepare(in Submission entry)
    {
        int error = base.Prepare(entry);
        if (error < 0)
            return error;
        _message = (MessageHeader*)entry.Address;
        if (!UserMemory.IsMapped(_message, (nuint)sizeof(MessageHeader)))
            return -(int)Errno.EFAULT;
        _asked = *_message;
        if (SelectsBuffer)
            return 0;
        return TryVectors((ulong)_asked.Vectors, (uint)Math.Min(_asked.VectorCount, uint.MaxValue), out _vectors);
    }

    internal override void LendMemory()
    {
        Lend(_message, (nuint)sizeof(MessageHeader), BufferUse.KernelWrites);
        if (IsMultishot)
            return;
        foreach (IoVector vector in _vectors)
            Lend(vector.Base, vector.Length, BufferUse.KernelWrites);
        if (_asked.Name != null)
            Lend(_asked.Name, _asked.NameLength, BufferUse.KernelWrites);
        if (_asked.Control != null)
            Lend(_asked.Control, _asked.ControlLength, BufferUse.KernelWrites);
    }

    private nuint Reserved => OutHeader + _asked.NameLength + _asked.ControlLength;

    protected override bool TryReserve(ref IoVector buffer)
    {
        if (!IsMultishot)
            return true;
        if (buffer.Length < Reserved)
            return false;
        _out = (byte*)buffer.Base;
        buffer = new IoVector { Base = _out + Reserved, Length = buffer.Length - Reserved };
        return true;
    }

    protected override nint Read(IoVector buffer, MessageFlags flags)
    {
        var extras = new MessageExtras();
        nint count;
        if (SelectsBuffer)
        {
            var user = new UserBuffer(&buffer, 1);
            count = Socket!.Receive(Thread, ref user, flags, extras);
        }
        else
        {
            fixed (IoVector* vectors = _vectors)
            {
                var user = new UserBuffer(vectors, _vectors.Length);
                count = Socket!.Receive(Thread, ref user, flags, extras);
            }
        }

        if (count < 0)
            return count;
        const MessageFlags Cut = (MessageFlags)(0x20 | 0x08); // MSG_TRUNC, MSG_CTRUNC
        MessageFlags told = extras.Flags | (flags & MessageFlags.CloseOnExec);
        if (IsMultishot)
            return count == 0 ? 0 : PutOut(count, (nint)buffer.Length, extras, told, flags);
        MessageHeader message = _asked;
        message.Flags = told;
        int error = 0;
        if (message.Name != null)
            error = SimKernel.PutAddress(extras.Address ?? [], message.Name, &message.NameLength);
        else
            message.NameLength = 0;
        Process.PutControl(&message, extras, flags);
        _wasTruncated = (message.Flags & Cut) != 0;
        _message->NameLength = message.NameLength;
        _message->ControlLength = message.ControlLength;
        _message->Flags = message.Flags;
        return error < 0 ? error : count;
    }

    private nint PutOut(nint count, nint room, MessageExtras extras, MessageFlags told, MessageFlags flags)
    {
        byte[] address = _asked.NameLength > 0 ? extras.Address ?? [] : [];
        address.AsSpan(0, (int)Math.Min((uint)address.Length, _asked.NameLength)).CopyTo(new Span<byte>(_out + OutHeader, (int)_asked.NameLength));
        MessageHeader message = new() { Control = _out + OutHeader + _asked.NameLength, ControlLength = _asked.ControlLength, Flags = told };
        if (_asked.ControlLength == 0)
            message.Control = null;
        Process.PutControl(&message, extras, flags);
        var header = (uint*)_out;
        header[0] = (uint)address.Length;
        header[1] = (uint)message.ControlLength;
        header[2] = (uint)count;
        header[3] = (uint)message.Flags;
        return (nint)Reserved + Math.Min(count, room);
    }
}
