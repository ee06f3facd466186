using System.Numerics;

namespace Weir.Simulation;

/// <summary>
/// What is between the two ends of a pipe or FIFO: struct pipe_inode_info of fs/pipe.c. A ring of page slots, not a ring of bytes: which
/// bytes share a page decides when it is full and who is woken.
/// </summary>
internal sealed partial class Pipe
{
    internal const int PageSize = 4096;

    private const int DefaultSlots = 16;
    private const uint MaxSize = 1 << 20; // fs.pipe-max-size, for processes without privileges

    private readonly World _world;
    private Slot[] _slots = new Slot[DefaultSlots];
    private uint _head;
    private uint _tail;

    internal Pipe(World world) => _world = world;

    // struct pipe_buffer: a stretch of one page.
    private struct Slot
    {
        internal byte[] Page;
        internal int Offset;
        internal int Length;
        internal bool CanMerge;
        internal bool IsPacket;
    }

    /// <summary>Open files that read and that write.</summary>
    internal int Readers { get; set; }

    internal int Writers { get; set; }

    /// <summary>Open files of either kind: with the last of them the bytes go.</summary>
    internal int Files { get; set; }

    /// <summary>r_counter and w_counter: how often it has been opened for reading and for writing.</summary>
    internal int ReaderCounter { get; set; } = 1;

    internal int WriterCounter { get; set; } = 1;

    /// <summary>poll_usage: somebody has polled it, so from now on every write wakes, not only one into an empty pipe.</summary>
    internal bool IsPolled { get; set; }

    /// <summary>rd_wait, where also those stand who open a FIFO and wait for the other side.</summary>
    internal WaitQueue ReadQueue { get; } = new();

    /// <summary>wr_wait.</summary>
    internal WaitQueue WriteQueue { get; } = new();

    internal bool IsEmpty => _head == _tail;

    /// <summary>No slot is free, though the last page may have room.</summary>
    internal bool IsFull => _head - _tail >= (uint)_slots.Length;

    /// <summary>F_GETPIPE_SZ.</summary>
    internal int Size => _slots.Length * PageSize;

    /// <summary>FIONREAD.</summary>
    internal int Count
    {
        get
        {
            int count = 0;
            for (uint at = _tail; at != _head; at++)
                count += SlotAt(at).Length;
            return count;
        }
    }

    private ref Slot SlotAt(uint index) => ref _slots[index & (uint)(_slots.Length - 1)];

    /// <summary>pipe_read.</summary>
    internal nint Read(SimThread thread, bool mayBlock, ref UserBuffer buffer)
    {
        if (buffer.Length == 0)
            return 0;
        Lock(thread);
        nint total = 0;
        bool wakeWriter = false, wakeNextReader = false;
        while (true)
        {
            if (!IsEmpty)
            {
                ref Slot slot = ref SlotAt(_tail);
                int count = (int)Math.Min((nuint)slot.Length, buffer.Length);
                if (!buffer.Put(slot.Page.AsSpan(slot.Offset, count)))
                {
                    if (total == 0)
                        total = -(int)Errno.EFAULT;
                    break;
                }

                total += count;
                slot.Offset += count;
                slot.Length -= count;
                bool isPacket = slot.IsPacket;
                if (isPacket)
                    slot.Length = 0; // what does not fit is lost
                if (slot.Length == 0)
                {
                    wakeWriter |= IsFull;
                    ReleaseTail();
                }

                if (isPacket || buffer.Length == 0)
                    break;
                if (!IsEmpty)
                    continue;
            }

            if (Writers == 0 || total != 0)
                break;
            if (!mayBlock)
            {
                total = -(int)Errno.EAGAIN;
                break;
            }

            int error = WaitReadable(thread, exclusive: true);
            if (error < 0)
                return error;
            wakeNextReader = true; // this thread took the one wake-up, and may leave something for the next
            Lock(thread);
        }

        wakeNextReader &= !IsEmpty;
        if (wakeWriter)
            WriteQueue.Wake(EpollEvents.Out | EpollEvents.WrNorm);
        if (wakeNextReader)
            ReadQueue.Wake(EpollEvents.In | EpollEvents.RdNorm);
        return total;
    }

    /// <summary>pipe_write. Up to a page goes in as a whole or not at all: it fits into the last page, or takes a slot.</summary>
    internal nint Write(SimThread thread, bool mayBlock, bool isPacket, ref UserBuffer buffer)
    {
        if (buffer.Length == 0)
            return 0;
        Lock(thread);
        nint total = 0;
        bool wasEmpty = IsEmpty, wakeNextWriter = false;
        if (Readers == 0)
            total = Broken(thread);
        else if (wasEmpty || !Merge(ref buffer, ref total))
            total = Append(thread, mayBlock, isPacket, ref buffer, total, ref wasEmpty, ref wakeNextWriter);
        wakeNextWriter &= !IsFull;
        // Also after a failed call, if somebody has ever polled: epoll is used to that.
        if (wasEmpty || IsPolled)
            ReadQueue.Wake(EpollEvents.In | EpollEvents.RdNorm);
        if (wakeNextWriter)
            WriteQueue.Wake(EpollEvents.Out | EpollEvents.WrNorm);
        return total;
    }

    // Puts what does not fill whole pages behind the last byte, if it fits there. True: nothing is left to do.
    private bool Merge(ref UserBuffer buffer, ref nint total)
    {
        int count = (int)(buffer.Length & (PageSize - 1));
        ref Slot slot = ref SlotAt(_head - 1);
        int end = slot.Offset + slot.Length;
        if (count == 0 || !slot.CanMerge || end + count > PageSize)
            return false;
        if (!buffer.Take(slot.Page.AsSpan(end, count)))
        {
            total = -(int)Errno.EFAULT;
            return true;
        }

        slot.Length += count;
        total = count;
        return buffer.Length == 0;
    }

    private nint Append(SimThread thread, bool mayBlock, bool isPacket, ref UserBuffer buffer, nint total, ref bool wasEmpty, ref bool wakeNextWriter)
    {
        while (true)
        {
            if (Readers == 0)
            {
                nint broken = Broken(thread);
                return total == 0 ? broken : total;
            }

            if (!IsFull)
            {
                byte[] page = _world.Pages.Rent();
                int count = (int)Math.Min(buffer.Length, PageSize);
                if (!buffer.Take(page.AsSpan(0, count)))
                {
                    _world.Pages.Return(page);
                    return total == 0 ? -(int)Errno.EFAULT : total;
                }

                Push(new Slot { Page = page, Length = count, CanMerge = !isPacket, IsPacket = isPacket });
                total += count;
                if (buffer.Length == 0)
                    return total;
                continue;
            }

            if (!mayBlock)
                return total == 0 ? -(int)Errno.EAGAIN : total;
            if (thread.HasSignal && total != 0)
                return total;
            if (wasEmpty)
                ReadQueue.Wake(EpollEvents.In | EpollEvents.RdNorm);
            int error = WaitWritable(thread, exclusive: true);
            if (error < 0)
                return total == 0 ? error : total;
            Lock(thread);
            wasEmpty = IsEmpty;
            wakeNextWriter = true;
        }
    }

    // Whoever writes for nobody gets a signal besides the error.
    private static nint Broken(SimThread thread)
    {
        thread.Process.SendTo(thread, SignalNumbers.Pipe, new SignalInfo(SignalNumbers.Pipe, SignalInfo.FromUser, thread.Process.ProcessId));
        return -(int)Errno.EPIPE;
    }

    private void Push(in Slot slot) => SlotAt(_head++) = slot;

    private void ReleaseTail()
    {
        ref Slot slot = ref SlotAt(_tail++);
        _world.Pages.Return(slot.Page);
        slot = default;
    }

    // Waiting

    private int WaitReadable(SimThread thread, bool exclusive)
    {
        int error = 0;
        while (IsEmpty && Writers != 0 && error == 0)
            error = _world.WaitIn(thread, ReadQueue, exclusive);
        return error;
    }

    private int WaitWritable(SimThread thread, bool exclusive)
    {
        int error = 0;
        while (IsFull && Readers != 0 && error == 0)
            error = _world.WaitIn(thread, WriteQueue, exclusive);
        return error;
    }

    /// <summary>F_SETPIPE_SZ: pipe_resize_ring. The new size, or a negated errno.</summary>
    internal int Resize(nint argument)
    {
        uint size = (uint)argument;
        if (size > 1u << 31)
            return -(int)Errno.EINVAL;
        size = size < PageSize ? PageSize : BitOperations.RoundUpToPowerOf2(size);
        uint count = size / PageSize;
        if (count > _slots.Length && size > MaxSize)
            return -(int)Errno.EPERM;
        uint used = _head - _tail;
        if (used > count)
            return -(int)Errno.EBUSY;
        var slots = new Slot[count];
        for (uint i = 0; i < used; i++)
            slots[i] = SlotAt(_tail + i);
        _slots = slots;
        _tail = 0;
        _head = used;
        // There may be more room now; the kernel does not ask whether there is.
        WriteQueue.Wake(EpollEvents.None);
        return (int)size;
    }

    /// <summary>free_pipe_info.</summary>
    internal void Free()
    {
        while (!IsEmpty)
            ReleaseTail();
    }
}

/// <summary>Pages of the simulated machines' memory. They lie still, so that a call can be given their addresses.</summary>
internal sealed class PagePool
{
    private const int MostKept = 1024;

    private readonly Stack<byte[]> _pages = new();

    internal byte[] Rent() => _pages.TryPop(out byte[]? page) ? page : GC.AllocateUninitializedArray<byte>(Pipe.PageSize, pinned: true);

    internal void Return(byte[] page)
    {
        if (_pages.Count < MostKept)
            _pages.Push(page);
    }
}
