using System.Runtime.CompilerServices;

namespace Weir;

internal sealed partial class EpollDriver
{
    /// <summary>Makes the system call of an operation. True: it has its result. False: the kernel is not ready.</summary>
    private bool TryCall(IoOperation operation, ref Slot slot) => operation.Kind switch
    {
        OperationKind.Read => TryRead(operation, ref slot),
        OperationKind.Write => TryWrite(operation, ref slot),
        OperationKind.Accept => TryAccept(operation, ref slot),
        _ => TryWait(operation, ref slot),
    };

    // recv and send reach the socket without the file layer of read and write, and cannot block whatever the descriptor's flags.
    private unsafe nint Read(ref Slot slot, byte* bytes, int length) => IsSocket(ref slot)
        ? _kernel.Receive(slot.Descriptor, bytes, (nuint)length, MessageFlags.DontWait)
        : _kernel.Read(slot.Descriptor, bytes, (nuint)length);

    private unsafe nint Write(ref Slot slot, byte* bytes, int length) => IsSocket(ref slot)
        ? _kernel.Send(slot.Descriptor, bytes, (nuint)length, MessageFlags.DontWait | MessageFlags.NoSignal)
        : _kernel.Write(slot.Descriptor, bytes, (nuint)length);

    private static bool IsSocket(ref Slot slot) => slot.Kind is DescriptorKind.Tcp or DescriptorKind.Socket;

    private static bool WatchesOutOnDemand(ref Slot slot) => slot.Kind is DescriptorKind.Other or DescriptorKind.Socket;

    private unsafe bool TryRead(IoOperation operation, ref Slot slot)
    {
        Span<byte> buffer = operation.Buffer.Span;
        nint count;
        fixed (byte* bytes = buffer)
        {
            do
                count = Read(ref slot, bytes, buffer.Length);
            while (count == -(int)Errno.EINTR);
        }

        if (!NoteRead(ref slot, count, buffer.Length))
            return false;
        operation.SetResult((int)count);
        return true;
    }

    /// <summary>What a read says about readiness. False: nothing was there.</summary>
    private static bool NoteRead(ref Slot slot, nint count, int asked)
    {
        if (count == -(int)Errno.EAGAIN)
        {
            slot.Ready &= ~EpollEvents.In;
            return false;
        }

        // A short read has emptied a TCP connection: unless it stopped at an urgent mark, or the end is queued behind the data, whose
        // edge has been seen already and will not come again.
        if (count < asked && count > 0 && slot.Kind == DescriptorKind.Tcp && (slot.Ready & EndAnnounced) == 0)
            slot.Ready &= ~EpollEvents.In;
        return true;
    }

    private unsafe bool TryWrite(IoOperation operation, ref Slot slot)
    {
        Span<byte> buffer = operation.Buffer.Span;
        fixed (byte* bytes = buffer)
        {
            while (operation.Done < buffer.Length)
            {
                int left = buffer.Length - operation.Done;
                nint count = Write(ref slot, bytes + operation.Done, left);
                if (count >= 0)
                {
                    operation.Done += (int)count;
                    // A TCP socket that took only a part is full, and has noted that it owes us an edge.
                    if (count < left && slot.Kind == DescriptorKind.Tcp)
                    {
                        slot.Ready &= ~EpollEvents.Out;
                        return false;
                    }
                }
                else if (count == -(int)Errno.EAGAIN)
                {
                    int error = NoteFull(ref slot, operation.Token);
                    if (error == 0)
                        return false;
                    // Nothing would ever wake it.
                    slot.Ready |= EpollEvents.Out;
                    operation.SetResult(error);
                    return true;
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

    internal override bool IsWriting(ulong token) => _slots.IsLive(token) && _slots.At(SlotTable.IndexOf(token)).Writer != null;

    internal override int NoteFull(ulong token)
        => _slots.IsLive(token) ? NoteFull(ref _slots.At(SlotTable.IndexOf(token)), token) : -(int)Closed;

    /// <summary>There is no room: forget that there was, and watch for it. A negated errno if that cannot be watched for.</summary>
    private int NoteFull(ref Slot slot, ulong token)
    {
        slot.Ready &= ~EpollEvents.Out;
        return WatchesOutOnDemand(ref slot) && (slot.Registered & EpollEvents.Out) == 0
            ? Watch(ref slot, token, slot.Registered | EpollEvents.Out)
            : 0;
    }

    private unsafe bool TryAccept(IoOperation operation, ref Slot slot)
    {
        while (true)
        {
            int result = _kernel.Accept4(slot.Descriptor, null, null);
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

    /// <summary>One read without an operation, for callers that hold no buffer while they wait. -EAGAIN: nothing is there.</summary>
    internal override unsafe nint ReadNow(ulong token, Span<byte> buffer)
    {
        if (!_slots.IsLive(token))
            return -(nint)(int)Closed;
        ref Slot slot = ref _slots.At(SlotTable.IndexOf(token));
        nint refusal = Refusal(ref slot, slot.Reader, ReadInterest);
        if (refusal != 0)
            return refusal;
        nint count;
        fixed (byte* bytes = buffer)
            count = Read(ref slot, bytes, buffer.Length);
        NoteRead(ref slot, count, buffer.Length);
        return count;
    }

    /// <summary>One write without an operation; may take only a part. -EAGAIN: no room.</summary>
    internal override unsafe nint WriteNow(ulong token, ReadOnlySpan<byte> buffer)
    {
        if (!_slots.IsLive(token))
            return -(nint)(int)Closed;
        ref Slot slot = ref _slots.At(SlotTable.IndexOf(token));
        nint refusal = Refusal(ref slot, slot.Writer, EpollEvents.Out);
        if (refusal != 0)
            return refusal;
        nint count;
        fixed (byte* bytes = buffer)
            count = Write(ref slot, bytes, buffer.Length);
        return NoteWritten(ref slot, token, count, buffer.Length);
    }

    internal override unsafe nint WriteNow(ulong token, IoVector* vectors, int count)
    {
        if (!_slots.IsLive(token))
            return -(nint)(int)Closed;
        ref Slot slot = ref _slots.At(SlotTable.IndexOf(token));
        nint refusal = Refusal(ref slot, slot.Writer, EpollEvents.Out);
        if (refusal != 0)
            return refusal;
        nint asked = 0;
        for (int i = 0; i < count; i++)
            asked += (nint)vectors[i].Length;
        return NoteWritten(ref slot, token, _kernel.WriteV(slot.Descriptor, vectors, count), asked);
    }

    private nint NoteWritten(ref Slot slot, ulong token, nint count, nint asked)
    {
        bool full = count == -(int)Errno.EAGAIN || (count >= 0 && count < asked && slot.Kind == DescriptorKind.Tcp);
        int error = full ? NoteFull(ref slot, token) : 0;
        if (error == 0)
            return count;
        slot.Ready |= EpollEvents.Out; // so that a wait for room ends at once, and the next write says it again
        return error;
    }
}
