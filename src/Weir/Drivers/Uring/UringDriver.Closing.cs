namespace Weir;

// Closing: what was written goes out all the same, and the peer sees what it would see of the kernel's own close.
internal sealed partial class UringDriver
{
    internal override void Close(ulong token)
    {
        if (!Slots.IsLive(token))
            return;
        int index = SlotTable.IndexOf(token);
        ref UringSlot line = ref _lines.At(index);
        int fd = line.Descriptor;
        // The kernel would reset a connection that is closed with data nobody has read; it does not know that nobody has.
        if (line.Held > 0 && Slots.At(index).Kind == DescriptorKind.Tcp)
            Reset(ref line, token);
        bool later = line.Unsent > 0;
        if (later)
            line.State |= UringState.CloseDue; // behind what was written
        Unregister(token);
        if (!later)
        {
            Kernel.Close(fd);
            return;
        }

        // Mostly the kernel has taken all of it by now, and it is closed with the last word. Else nobody reads meanwhile: a peer that goes on
        // sending must learn of it, or each would wait for the other.
        Dispatch(int.MaxValue);
        if (line.Has(UringState.CloseDue) && line.Unsent > 0 && line.SendError == 0)
            WatchPeer(ref line, token);
    }

    private void WatchPeer(ref UringSlot line, ulong token)
    {
        line.State |= UringState.PollingIn;
        Submit(UringRequest.PollIn, IoUringOp.PollAdd, line.Descriptor, ref line, token).OperationFlags = (uint)ReadInterest;
    }

    /// <summary>Something has come for a connection that is being closed.</summary>
    private unsafe void PeerHasSent(ref UringSlot line, ulong token, int result)
    {
        if (result == -(int)Errno.ECANCELED || !line.Has(UringState.PollingIn))
            return;
        line.State &= ~UringState.PollingIn;
        byte one;
        nint count = result < 0 ? result : Kernel.Receive(line.Descriptor, &one, 1, MessageFlags.Peek | MessageFlags.DontWait);
        // Its end is not the end of ours. A failure ends the send in progress by itself.
        if (count > 0)
            Reset(ref line, token);
        else if (count == -(int)Errno.EAGAIN)
            WatchPeer(ref line, token);
    }

    /// <summary>As the kernel does with a connection that is closed with something left to read: what was not sent yet is dropped.</summary>
    private unsafe void Reset(ref UringSlot line, ulong token)
    {
        long onAndZeroSeconds = 1; // struct linger { int l_onoff, l_linger; }
        Kernel.SetSockOpt(line.Descriptor, SocketLevel.Socket, SocketOption.SocketLinger, &onAndZeroSeconds, sizeof(long));
        Discard(ref line, token);
    }
}
