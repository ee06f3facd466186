namespace Weir;

// Closing: what was written goes out all the same, and the peer sees what it would see of the kernel's own close.
internal sealed partial class UringDriver
{
    /// <summary>For so many milliseconds a peer may make no room for what a connection that was closed has still to send.</summary>
    private const uint MostPatience = 60_000;

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
        {
            LimitPatience(ref line);
            Poll(UringRequest.PollIn, ref line, ReadInterest);
        }
    }

    // The kernel gives up on a closed connection whose peer never makes room; on this one, which is still open to it, only so.
    private unsafe void LimitPatience(ref UringSlot line)
    {
        uint milliseconds = MostPatience;
        Kernel.SetSockOpt(line.Descriptor, SocketLevel.Tcp, SocketOption.TcpUserTimeout, &milliseconds, sizeof(uint));
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
            Poll(UringRequest.PollIn, ref line, ReadInterest);
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

    internal override int Shutdown(ulong token, ShutdownHow how)
    {
        if (how == ShutdownHow.Read || !Slots.IsLive(token))
            return base.Shutdown(token, how);
        ref UringSlot line = ref _lines.At(SlotTable.IndexOf(token));
        if (HasUnsent(ref line))
        {
            line.State |= UringState.ShutdownDue; // behind what was written
            return how == ShutdownHow.Both ? base.Shutdown(token, ShutdownHow.Read) : 0;
        }

        if (line.SendError == 0)
            line.SendError = (short)Errno.EPIPE;
        return base.Shutdown(token, how);
    }

    // Everything is sent: the end can follow.
    private void ShutdownIfDue(ref Slot slot, ref UringSlot line)
    {
        if (line.Unsent > 0 || !line.Has(UringState.ShutdownDue))
            return;
        line.State &= ~UringState.ShutdownDue;
        line.SendError = (short)Errno.EPIPE;
        Kernel.Shutdown(slot.Descriptor, ShutdownHow.Write);
    }

    private unsafe void KeepWhatIsBeingSent(ref UringSlot line)
    {
        if (!line.Has(UringState.Sending))
        {
            DropUnsent(ref line);
            return;
        }

        SendBuffer* last = line.LastSending;
        ReturnAll(ref line, last->Next);
        last->Next = null;
        line.LastUnsent = last;
    }
}
