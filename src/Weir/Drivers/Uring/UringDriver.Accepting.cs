namespace Weir;

// Listeners: connections are accepted as they come, a few ahead of those who ask.
internal sealed partial class UringDriver
{
    /// <summary>So many connections are accepted ahead; the others wait in the backlog, as they would without.</summary>
    private const int MostAhead = 64;

    private readonly Dictionary<int, Queue<int>> _accepted = [];

    private void AcceptFrom(ref UringSlot line)
    {
        if (line.Has(UringState.TakingOrStopping))
            return;
        ref Submission entry = ref Submit(UringRequest.Accept, IoUringOp.Accept, ref line);
        entry.Priority = IoUringPriority.AcceptMultishot;
        entry.OperationFlags = (uint)(FileFlags.NonBlock | FileFlags.CloseOnExec);
        line.State |= UringState.Taking;
    }

    private void Accepted(int index, ref Slot slot, ref UringSlot line, bool live, int result, bool more)
    {
        if (!live)
        {
            if (result >= 0)
                Kernel.Close(result);
            return;
        }

        if (!more)
            line.State &= ~UringState.TakingOrStopping;
        if (result is -(int)Errno.ECANCELED or -(int)Errno.EAGAIN)
        {
            if (slot.Reader is { HasResult: false })
                AcceptFrom(ref line);
            return;
        }

        if (!_accepted.TryGetValue(index, out Queue<int>? queue))
            _accepted.Add(index, queue = new Queue<int>());
        queue.Enqueue(result); // a failure too: whoever accepts is told in its turn
        if (queue.Count >= MostAhead && line.Has(UringState.Taking))
        {
            line.State = (line.State & ~UringState.Taking) | UringState.StoppingTaking;
            Cancel(UringRequest.Accept, ref line);
        }

        Deliver(ref slot, EpollEvents.In);
    }

    protected override int AcceptOnce(ref Slot slot, ulong token)
        => _accepted.TryGetValue(SlotTable.IndexOf(token), out Queue<int>? queue) && queue.TryDequeue(out int result) ? result : -(int)Errno.EAGAIN;

    private void CloseAccepted(int index)
    {
        if (!_accepted.Remove(index, out Queue<int>? queue))
            return;
        foreach (int fd in queue)
        {
            if (fd >= 0)
                Kernel.Close(fd);
        }
    }

    private void CloseAccepted()
    {
        foreach (int index in _accepted.Keys.ToArray())
            CloseAccepted(index);
    }
}
