using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>
/// Buffers of one size that a ring's kernel picks from as data arrives (io_uring_register_buf_ring(3)): offered, taken by a completion that
/// names the number, given back. For the ring's thread.
/// </summary>
internal sealed unsafe class BufferRing : IDisposable
{
    private readonly Kernel _kernel;
    private readonly Ring _ring;
    private readonly ushort _group;
    private readonly RingBuffer* _entries;
    private readonly nuint _entriesLength;
    private readonly byte* _memory;
    private readonly nuint _memoryLength;
    private readonly int _mask;
    private ushort _tail;
    private bool _disposed;

    /// <summary>
    /// Registers <paramref name="count"/> buffers (a power of two up to 32768) of <paramref name="size"/> bytes as a group, and offers the first
    /// <paramref name="offered"/> of them.
    /// </summary>
    /// <exception cref="KernelException">EINVAL: the kernel knows no such buffers (before 5.19); ENOMEM; EEXIST: the group is in use.</exception>
    internal BufferRing(Kernel kernel, Ring ring, ushort group, int count, int size, int offered)
    {
        _kernel = kernel;
        _ring = ring;
        _group = group;
        _mask = count - 1;
        Size = size;
        _entriesLength = (nuint)(count * sizeof(RingBuffer));
        _memoryLength = (nuint)count * (nuint)size;
        _entries = (RingBuffer*)KernelException.CheckAddress(kernel.MMap(_entriesLength, -1, 0));
        try
        {
            // Pages are the kernel's to give when they are first written to: what is never used costs nothing.
            _memory = (byte*)KernelException.CheckAddress(kernel.MMap(_memoryLength, -1, 0));
            var registration = new BufferRingRegistration { Address = (ulong)_entries, Entries = (uint)count, Group = group };
            KernelException.Check(ring.Register(IoUringRegisterOp.BufferRing, &registration, 1), "io_uring_register(PBUF_RING)", ring.FileDescriptor);
        }
        catch
        {
            Unmap();
            throw;
        }

        for (int i = 0; i < offered; i++)
            Put(i);
        Publish();
    }

    /// <summary>How many buffers there are.</summary>
    internal int Count => _mask + 1;

    /// <summary>Bytes of each.</summary>
    internal int Size { get; }

    /// <summary>The first byte of a buffer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal byte* At(int id) => _memory + (nint)id * Size;

    /// <summary>Offers a buffer to the kernel, for the first time or again.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Offer(int id)
    {
        Put(id);
        Publish();
    }

    private void Put(int id)
    {
        RingBuffer* entry = _entries + (_tail++ & _mask);
        // Field by field: the last one of the first entry is the tail.
        entry->Address = (ulong)At(id);
        entry->Length = (uint)Size;
        entry->Id = (ushort)id;
    }

    private void Publish() => Volatile.Write(ref _entries->Tail, _tail);

    /// <summary>Takes the group from the ring and gives its memory back. Nothing that picks from it may be in progress.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        var registration = new BufferRingRegistration { Group = _group };
        _ring.Register(IoUringRegisterOp.UnregisterBufferRing, &registration, 1);
        Unmap();
    }

    private void Unmap()
    {
        if (_memory != null)
            _kernel.MUnmap(_memory, _memoryLength);
        _kernel.MUnmap(_entries, _entriesLength);
    }
}
