using System.Runtime.InteropServices;

namespace Weir.Simulation;

// splice(2): fs/splice.c.
internal sealed unsafe partial class Pipe
{
    // While a splice call waits for the other file, nobody else gets at the pipe: the kernel holds its mutex then.
    private readonly WaitQueue _lockQueue = new();
    private SimThread? _holder;

    private void Lock(SimThread thread)
    {
        while (_holder != null && _holder != thread)
        {
            var entry = new ThreadWait(thread);
            _lockQueue.AddLast(entry);
            try
            {
                _world.Block(thread, World.Never);
            }
            finally
            {
                entry.Leave();
            }
        }
    }

    private void Hold(SimThread thread) => _holder = thread;

    private void LetGo()
    {
        _holder = null;
        _lockQueue.Wake(EpollEvents.None, 0);
    }

    private static IoVector VectorOf(byte[] page, int offset, int length) => new()
    {
        // Pages are pinned: PagePool.
        Base = (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(page, 0) + offset,
        Length = (nuint)length,
    };

    /// <summary>splice_file_to_pipe: waits for a free slot, and has the file fill what there is.</summary>
    internal nint SpliceFrom(SimThread thread, SimFile file, nuint length, SpliceFlags flags)
    {
        Lock(thread);
        int error = WaitForSpace(thread, flags);
        if (error < 0)
            return error;
        nuint room = ((nuint)_slots.Length - (_head - _tail)) * PageSize;
        nint count = file.SpliceRead(thread, this, Math.Min(length, room), flags);
        if (count > 0)
            ReadQueue.Wake(EpollEvents.None);
        return count;
    }

    // wait_for_space
    private int WaitForSpace(SimThread thread, SpliceFlags flags)
    {
        while (true)
        {
            if (Readers == 0)
                return (int)Broken(thread);
            if (!IsFull)
                return 0;
            if ((flags & SpliceFlags.NonBlock) != 0)
                return -(int)Errno.EAGAIN;
            int error = WaitWritable(thread, exclusive: false);
            if (error < 0)
                return error;
            Lock(thread);
        }
    }

    /// <summary>
    /// Reads from a file into pages of its own and takes these as slots: copy_splice_read. There is room for <paramref name="length"/> bytes.
    /// </summary>
    internal nint Fill(SimThread thread, SimFile file, nuint length, MessageFlags flags)
    {
        int pages = (int)((length + PageSize - 1) / PageSize);
        byte[][] taken = new byte[pages][];
        IoVector[] vectors = new IoVector[pages];
        nuint left = length;
        for (int i = 0; i < pages; i++)
        {
            taken[i] = _world.Pages.Rent();
            vectors[i] = VectorOf(taken[i], 0, (int)Math.Min(left, PageSize));
            left -= vectors[i].Length;
        }

        nint count;
        Hold(thread);
        try
        {
            fixed (IoVector* first = vectors)
            {
                var buffer = new UserBuffer(first, pages);
                count = file is SimSocket socket ? socket.Receive(thread, ref buffer, flags, null) : file.Read(thread, ref buffer);
            }
        }
        finally
        {
            LetGo();
        }

        for (int i = 0; i < pages; i++)
        {
            int used = (int)Math.Clamp(count - i * PageSize, 0, PageSize);
            if (used > 0)
                Push(new Slot { Page = taken[i], Length = used });
            else
                _world.Pages.Return(taken[i]);
        }

        return count;
    }

    /// <summary>
    /// Writes from the slots to a file, as much as it takes, and drops from them exactly that: splice_to_socket, iter_file_splice_write.
    /// </summary>
    internal nint Drain(SimThread thread, SimFile file, nuint length, SpliceFlags flags)
    {
        const int MostVectors = 16;
        IoVector* vectors = stackalloc IoVector[MostVectors];
        Lock(thread);
        nint total = 0, result = 0;
        bool wakeWriters = false;
        while (length > 0)
        {
            if (IsEmpty)
            {
                if (Writers == 0 || total > 0)
                    break;
                result = (flags & SpliceFlags.NonBlock) != 0 ? -(int)Errno.EAGAIN : WaitReadable(thread, exclusive: false);
                if (result < 0)
                    break;
                Lock(thread);
                continue;
            }

            int gathered = 0;
            nuint left = length;
            for (uint at = _tail; at != _head && gathered < MostVectors && left > 0; at++)
            {
                ref Slot slot = ref SlotAt(at);
                vectors[gathered] = VectorOf(slot.Page, slot.Offset, (int)Math.Min(left, (nuint)slot.Length));
                left -= vectors[gathered++].Length;
            }

            Hold(thread);
            try
            {
                var buffer = new UserBuffer(vectors, gathered);
                result = file.Write(thread, ref buffer);
            }
            finally
            {
                LetGo();
            }

            if (result <= 0)
                break;
            wakeWriters |= Consume(result);
            total += result;
            length -= (nuint)result;
        }

        if (wakeWriters)
            WriteQueue.Wake(EpollEvents.None);
        return total > 0 ? total : result;
    }

    // Whether a slot has become free.
    private bool Consume(nint count)
    {
        bool freed = false;
        while (count > 0)
        {
            ref Slot slot = ref SlotAt(_tail);
            int used = (int)Math.Min(count, slot.Length);
            slot.Offset += used;
            slot.Length -= used;
            count -= used;
            if (slot.Length == 0)
            {
                ReleaseTail();
                freed = true;
            }
        }

        return freed;
    }

    /// <summary>splice_pipe_to_pipe: whole slots change hands, the last one may be divided.</summary>
    internal nint SpliceTo(SimThread thread, Pipe output, nuint length, SpliceFlags flags)
    {
        nint total = 0;
        bool wakeWriters = false;
        while (true)
        {
            int error = Prepare(thread, output, flags);
            if (error < 0)
                return error;
            if (IsEmpty)
                return 0; // the end
            if (!output.IsFull)
                break;
        }

        while (length > 0 && !IsEmpty && !output.IsFull)
        {
            ref Slot slot = ref SlotAt(_tail);
            int count = (int)Math.Min(length, (nuint)slot.Length);
            if (count == slot.Length)
            {
                output.Push(slot);
                slot = default;
                _tail++;
                wakeWriters = true;
            }
            else
            {
                byte[] page = _world.Pages.Rent();
                slot.Page.AsSpan(slot.Offset, count).CopyTo(page);
                output.Push(new Slot { Page = page, Length = count });
                slot.Offset += count;
                slot.Length -= count;
            }

            total += count;
            length -= (nuint)count;
        }

        output.ReadQueue.Wake(EpollEvents.None);
        if (wakeWriters)
            WriteQueue.Wake(EpollEvents.None);
        return total;
    }

    // ipipe_prep and opipe_prep.
    private int Prepare(SimThread thread, Pipe output, SpliceFlags flags)
    {
        Lock(thread);
        while (IsEmpty && Writers != 0)
        {
            int error = (flags & SpliceFlags.NonBlock) != 0 ? -(int)Errno.EAGAIN : WaitReadable(thread, exclusive: false);
            if (error < 0)
                return error;
            Lock(thread);
        }

        if (IsEmpty)
            return output.Readers == 0 ? (int)Broken(thread) : 0;
        output.Lock(thread);
        return output.WaitForSpace(thread, flags);
    }
}
