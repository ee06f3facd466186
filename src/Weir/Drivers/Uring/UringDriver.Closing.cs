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
            Reset(ref line);
        ResetIfHeld(index);
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
            WatchPeer(ref line);
    }

    private void WatchPeer(ref UringSlot line)
    {
        line.State |= UringState.PollingIn;
        Submit(UringRequest.PollIn, IoUringOp.PollAdd, ref line).OperationFlags = (uint)ReadInterest;
    }

    /// <summary>Something has come for a connection that is being closed.</summary>
    private unsafe void PeerHasSent(ref UringSlot line, int result)
    {
        if (result == -(int)Errno.ECANCELED || !line.Has(UringState.PollingIn))
            return;
        line.State &= ~UringState.PollingIn;
        byte one;
        nint count = result < 0 ? result : Kernel.Receive(line.Descriptor, &one, 1, MessageFlags.Peek | MessageFlags.DontWait);
        // Its end is not the end of ours. A failure ends the send in progress by itself.
        if (count > 0)
            Reset(ref line);
        else if (count == -(int)Errno.EAGAIN)
            WatchPeer(ref line);
    }

    internal override void Discard(ulong token)
    {
        if (Slots.IsLive(token))
            Reset(ref _lines.At(SlotTable.IndexOf(token)));
    }

    /// <summary>As the kernel does with a connection that is closed with something left to read: what was not sent yet is dropped.</summary>
    private void Reset(ref UringSlot line)
    {
        ResetAtClose(line.Descriptor);
        if (line.Has(UringState.Sending))
            Cancel(UringRequest.Send, ref line);
        line.SendError = (short)Errno.EPIPE; // nothing more is written
        KeepWhatIsBeingSent(ref line);
    }
}
