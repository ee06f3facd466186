namespace Weir.Simulation;

/// <summary>
/// Buffers that a program offers in a queue of its own memory: struct io_buffer_list of io_uring/kbuf.c. From the moment the kernel has seen a
/// buffer in the queue until a completion names it, the buffer is the kernel's.
/// </summary>
internal sealed unsafe class BufferGroup(RingFile ring, ushort number, RingBuffer* entries, uint count)
{
    private readonly Dictionary<ushort, long> _loans = []; // by the place in the queue, counted on for ever
    private ushort _head;
    private ushort _noticed;

    internal ushort Number => number;

    private ushort Tail => Volatile.Read(ref entries->Tail);

    private RingBuffer* At(ushort place) => entries + (place & (count - 1));

    /// <summary>Buffers were added: they are the kernel's from here on.</summary>
    internal void Notice()
    {
        ushort tail = Tail;
        for (; _noticed != tail; _noticed++)
        {
            RingBuffer* buffer = At(_noticed);
            long loan = ring.World.Detectors.Buffers.Lend((void*)buffer->Address, buffer->Length, BufferUse.KernelWrites, $"buffer {buffer->Id} of group {number}");
            if (loan != 0)
                _loans[_noticed] = loan;
        }
    }

    /// <summary>io_ring_buffer_select: the next one, which stays where it is until <see cref="Commit"/>. False: there is none.</summary>
    internal bool TrySelect(uint wanted, out IoVector vector, out ushort id)
    {
        vector = default;
        id = 0;
        if (Tail == _head)
            return false;
        Notice();
        RingBuffer* buffer = At(_head);
        if (_loans.TryGetValue(_head, out long loan))
            ring.World.Detectors.Buffers.Check(loan);
        vector = new IoVector { Base = (void*)buffer->Address, Length = wanted == 0 ? buffer->Length : Math.Min(wanted, buffer->Length) };
        id = buffer->Id;
        return true;
    }

    /// <summary>It has data in it, and belongs to the completion that names it.</summary>
    internal void Commit()
    {
        if (_loans.Remove(_head, out long loan))
            ring.World.Detectors.Buffers.Forget(loan);
        _head++;
    }

    internal void Forget()
    {
        foreach (long loan in _loans.Values)
            ring.World.Detectors.Buffers.Forget(loan);
        _loans.Clear();
    }
}
