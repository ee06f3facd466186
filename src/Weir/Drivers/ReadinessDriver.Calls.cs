using System.Runtime.CompilerServices;

namespace Weir;

internal abstract partial class ReadinessDriver
{
    private readonly LeasePool _leases = new();

    /// <summary>Makes the system call of an operation. True: it has its result. False: the kernel is not ready.</summary>
    private bool TryCall(IoOperation operation, ref Slot slot) => operation.Kind switch
    {
        OperationKind.Read => TryRead(operation, ref slot),
        OperationKind.Write => TryWrite(operation, ref slot),
        OperationKind.Accept => TryAccept(operation, ref slot),
        _ => TryWait(operation, ref slot),
    };

    private static bool IsSocket(ref Slot slot) => slot.Kind is DescriptorKind.Tcp or DescriptorKind.Socket;

    private unsafe bool TryRead(IoOperation operation, ref Slot slot)
    {
        Span<byte> buffer = operation.Buffer.Span;
        nint count;
        fixed (byte* bytes = buffer)
        {
            do
                count = ReadOnce(ref slot, operation.Token, bytes, buffer.Length);
            while (count == -(int)Errno.EINTR);
        }

        if (count == -(int)Errno.EAGAIN)
            return false;
        operation.SetResult((int)count);
        return true;
    }

    /// <summary>One read, which also takes note of what it says about readiness. -EAGAIN: nothing was there.</summary>
    protected virtual unsafe nint ReadOnce(ref Slot slot, ulong token, byte* bytes, int length)
    {
        // recv and send reach the socket without the file layer of read and write, and cannot block whatever the descriptor's flags.
        nint count = IsSocket(ref slot)
            ? Kernel.Receive(slot.Descriptor, bytes, (nuint)length, MessageFlags.DontWait)
            : Kernel.Read(slot.Descriptor, bytes, (nuint)length);
        if (count == -(int)Errno.EAGAIN)
        {
            slot.Ready &= ~EpollEvents.In;
            return count;
        }

        // A short read has emptied a TCP connection: unless it stopped at an urgent mark, or the end is queued behind the data, whose
        // edge has been seen already and will not come again.
        if (count < length && count > 0 && slot.Kind == DescriptorKind.Tcp && (slot.Ready & EndAnnounced) == 0)
            slot.Ready &= ~EpollEvents.In;
        return count;
    }

    protected virtual unsafe bool TryWrite(IoOperation operation, ref Slot slot)
    {
        Span<byte> buffer = operation.Buffer.Span;
        fixed (byte* bytes = buffer)
        {
            while (operation.Done < buffer.Length)
            {
                int left = buffer.Length - operation.Done;
                nint count = WriteOnce(ref slot, operation.Token, bytes + operation.Done, left);
                if (count >= 0)
                {
                    operation.Done += (int)count;
                    if (count < left && (slot.Ready & EpollEvents.Out) == 0)
                        return false;
                }
                else if (count == -(int)Errno.EAGAIN)
                {
                    return false;
                }
                else if (count != -(int)Errno.EINTR)
                {
                    operation.SetResult((int)count);
                    return true;
                }
            }
        }

        operation.SetResult(buffer.Length);
        return true;
    }

    /// <summary>
    /// One write, which also takes note of what it says about readiness, and watches for room where there was none. May take only a part.
    /// -EAGAIN: there is no room.
    /// </summary>
    protected virtual unsafe nint WriteOnce(ref Slot slot, ulong token, byte* bytes, int length)
    {
        nint count = IsSocket(ref slot)
            ? Kernel.Send(slot.Descriptor, bytes, (nuint)length, MessageFlags.DontWait | MessageFlags.NoSignal)
            : Kernel.Write(slot.Descriptor, bytes, (nuint)length);
        return NoteWritten(ref slot, token, count, length);
    }

    protected nint NoteWritten(ref Slot slot, ulong token, nint count, nint asked)
    {
        // A TCP socket that took only a part is full, and has noted that it owes us an edge.
        bool full = count == -(int)Errno.EAGAIN || (count >= 0 && count < asked && slot.Kind == DescriptorKind.Tcp);
        int error = full ? NoteFull(ref slot, token) : 0;
        if (error == 0)
            return count;
        // Nothing would ever wake a waiter: so a wait for room ends at once, and the next write says it again.
        slot.Ready |= EpollEvents.Out;
        return error;
    }

    internal override void Discard(ulong token)
    {
        if (Slots.IsLive(token))
            ResetAtClose(Slots.At(SlotTable.IndexOf(token)).Descriptor);
    }

    protected unsafe void ResetAtClose(int fd)
    {
        long onAndZeroSeconds = 1; // struct linger { int l_onoff, l_linger; }
        Kernel.SetSockOpt(fd, SocketLevel.Socket, SocketOption.SocketLinger, &onAndZeroSeconds, sizeof(long));
    }

    internal override int NoteFull(ulong token)
        => Slots.IsLive(token) ? NoteFull(ref Slots.At(SlotTable.IndexOf(token)), token) : -(int)Closed;

    /// <summary>There is no room: forget that there was, and watch for it. A negated errno if that cannot be watched for.</summary>
    private int NoteFull(ref Slot slot, ulong token)
    {
        slot.Ready &= ~EpollEvents.Out;
        return WatchRoom(ref slot, token);
    }

    private bool TryAccept(IoOperation operation, ref Slot slot)
    {
        while (true)
        {
            int result = AcceptOnce(ref slot, operation.Token);
            switch (result)
            {
                case -(int)Errno.EAGAIN:
                    slot.Ready &= ~EpollEvents.In;
                    return false;
                // The connection died before it was taken, or its network did; the next may be well (accept(2), "Error handling").
                case -(int)Errno.EINTR:
                case -(int)Errno.ECONNABORTED:
                case -(int)Errno.ENETDOWN:
                case -(int)Errno.EPROTO:
                case -(int)Errno.ENONET:
                case -(int)Errno.ENOPROTOOPT:
                case -(int)Errno.EHOSTDOWN:
                case -(int)Errno.EHOSTUNREACH:
                case -(int)Errno.ENETUNREACH:
                    continue;
                default:
                    operation.SetResult(result);
                    return true;
            }
        }
    }

    protected virtual unsafe int AcceptOnce(ref Slot slot, ulong token) => Kernel.Accept4(slot.Descriptor, null, null);

    private bool TryWait(IoOperation operation, ref Slot slot)
    {
        EpollEvents seen = slot.Ready & (operation.Interest | AlwaysReported);
        if (seen == 0)
        {
            if ((operation.Interest & EpollEvents.Out) == 0)
                return false;
            int error = NoteFull(ref slot, operation.Token);
            if (error == 0)
                return false;
            operation.SetResult(error);
            return true;
        }

        operation.SetResult((int)seen);
        return true;
    }

    /// <summary>Why a call without an operation is not made: someone is at it, or the kernel is known not to be ready. 0: it may be made.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nint Refusal(ref Slot slot, IoOperation? inProgress, EpollEvents interest)
        => inProgress != null ? -(int)Errno.EBUSY
            : (slot.Ready & (interest | AlwaysReported)) == 0 ? -(int)Errno.EAGAIN
            : 0;

    // Calls without an operation: whether the descriptor is open, nobody else is at it in that direction, and it is not known to have nothing.

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref Slot Open(ulong token, out nint refusal)
    {
        ref Slot slot = ref Slots.Find(token);
        refusal = Unsafe.IsNullRef(ref slot) ? -(nint)(int)Closed : 0;
        return ref slot;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref Slot ToRead(ulong token, out nint refusal)
    {
        ref Slot slot = ref Open(token, out refusal);
        if (refusal != 0)
            return ref slot;
        refusal = Refusal(ref slot, slot.Reader, ReadInterest);
        if (refusal == -(int)Errno.EAGAIN)
            Wanted(ref slot, token);
        return ref slot;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref Slot ToWrite(ulong token, out nint refusal)
    {
        ref Slot slot = ref Open(token, out refusal);
        if (refusal == 0)
            refusal = Refusal(ref slot, slot.Writer, EpollEvents.Out);
        return ref slot;
    }

    /// <summary>One read without an operation, for callers that hold no buffer while they wait. -EAGAIN: nothing is there.</summary>
    internal override unsafe nint ReadNow(ulong token, Span<byte> buffer)
    {
        ref Slot slot = ref ToRead(token, out nint refusal);
        if (refusal != 0)
            return refusal;
        fixed (byte* bytes = buffer)
            return ReadOnce(ref slot, token, bytes, buffer.Length);
    }

    internal override unsafe nint PeekNow(ulong token, Span<byte> buffer)
    {
        ref Slot slot = ref ToRead(token, out nint refusal);
        if (refusal != 0)
            return refusal;
        nint count;
        fixed (byte* bytes = buffer)
            count = PeekOnce(ref slot, token, bytes, buffer.Length);
        if (count == -(int)Errno.EAGAIN)
            slot.Ready &= ~EpollEvents.In;
        return count;
    }

    protected virtual unsafe nint PeekOnce(ref Slot slot, ulong token, byte* bytes, int length)
        => Kernel.Receive(slot.Descriptor, bytes, (nuint)length, MessageFlags.Peek | MessageFlags.DontWait);

    /// <summary>One write without an operation; may take only a part. -EAGAIN: no room.</summary>
    internal override unsafe nint WriteNow(ulong token, ReadOnlySpan<byte> buffer)
    {
        ref Slot slot = ref ToWrite(token, out nint refusal);
        if (refusal != 0)
            return refusal;
        fixed (byte* bytes = buffer)
            return WriteOnce(ref slot, token, bytes, buffer.Length);
    }

    internal override unsafe nint WriteNow(ulong token, IoVector* vectors, int count)
    {
        ref Slot slot = ref ToWrite(token, out nint refusal);
        return refusal != 0 ? refusal : WriteOnce(ref slot, token, vectors, count);
    }

    protected virtual unsafe nint WriteOnce(ref Slot slot, ulong token, IoVector* vectors, int count)
    {
        nint asked = 0;
        for (int i = 0; i < count; i++)
            asked += (nint)vectors[i].Length;
        return NoteWritten(ref slot, token, Kernel.WriteV(slot.Descriptor, vectors, count), asked);
    }

    internal override nint SpliceNow(ulong token, int pipe, nuint length)
    {
        ref Slot slot = ref ToRead(token, out nint refusal);
        return refusal != 0 ? refusal : SpliceOnce(ref slot, token, pipe, length);
    }

    protected virtual unsafe nint SpliceOnce(ref Slot slot, ulong token, int pipe, nuint length)
        => Kernel.Splice(slot.Descriptor, null, pipe, null, length, PassOn);

    internal override unsafe nint SpliceFromNow(ulong token, int pipe, nuint length)
    {
        ref Slot slot = ref ToWrite(token, out nint refusal);
        if (refusal == 0)
            refusal = ObstacleToWriting(token);
        if (refusal != 0 && refusal != -(int)Errno.EAGAIN)
            return refusal;
        nint count = refusal != 0 ? refusal : Kernel.Splice(pipe, null, slot.Descriptor, null, length, PassOn);
        int error = count == -(int)Errno.EAGAIN ? NoteFull(ref slot, token) : 0;
        return error == 0 ? count : error;
    }

    internal override nint ReceiveNow(ulong token, int most, out Lease lease)
    {
        lease = default;
        ref Slot slot = ref ToRead(token, out nint refusal);
        return refusal != 0 ? refusal : ReceiveOnce(ref slot, token, most, out lease);
    }

    protected virtual unsafe nint ReceiveOnce(ref Slot slot, ulong token, int most, out Lease lease)
    {
        lease = new Lease { Array = _leases.Rent(most) };
        nint count;
        fixed (byte* bytes = lease.Array)
            count = ReadOnce(ref slot, token, bytes, Math.Min(most, lease.Array.Length));
        if (count > 0)
            lease.Length = (int)count;
        else
            Return(ref lease);
        return count;
    }

    internal override nint SendNow(ulong token, ref Lease lease)
    {
        ref Slot slot = ref ToWrite(token, out nint refusal);
        return refusal != 0 ? refusal : SendOnce(ref slot, token, ref lease);
    }

    protected virtual unsafe nint SendOnce(ref Slot slot, ulong token, ref Lease lease)
    {
        ReadOnlySpan<byte> left = BytesOf(lease);
        nint count;
        fixed (byte* bytes = left)
            count = WriteOnce(ref slot, token, bytes, left.Length);
        if (count == left.Length)
        {
            Return(ref lease);
        }
        else if (count > 0)
        {
            lease.Offset += (int)count;
            lease.Length -= (int)count;
        }

        return count;
    }

    internal override ReadOnlySpan<byte> BytesOf(Lease lease) => lease.Array.AsSpan(lease.Offset, lease.Length);

    internal override void Return(ref Lease lease)
    {
        if (lease.Array != null)
            _leases.Return(lease.Array);
        lease = default;
    }
}
