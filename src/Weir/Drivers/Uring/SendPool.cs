using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>The head of a buffer of bytes on their way to the kernel; they follow it in memory, or are in a buffer they were received into.</summary>
internal unsafe struct SendBuffer
{
    /// <summary>Bytes of the head.</summary>
    internal const int HeadSize = 48;

    /// <summary>Stands for "its own memory" in the place of a received buffer's number.</summary>
    internal const int Own = -1;

    /// <summary>The next in line, or in the pool.</summary>
    internal SendBuffer* Next;

    /// <summary>The first byte.</summary>
    internal byte* Bytes;

    /// <summary>Bytes there is room for.</summary>
    internal int Capacity;

    /// <summary>Bytes there are.</summary>
    internal int Length;

    /// <summary>Bytes of these that were sent.</summary>
    internal int Sent;

    /// <summary>Which of the pool's sizes it has.</summary>
    internal int Size;

    /// <summary>The number of the received buffer that the bytes are in; <see cref="Own"/>: in none.</summary>
    internal int Received;
}

/// <summary>
/// Buffers for what was written until the kernel has taken it: the writer's own memory is free again as soon as the write returns. In a few
/// sizes, so that a slow reader of small messages holds little. For one loop's thread.
/// </summary>
internal sealed unsafe class SendPool(Kernel kernel) : IDisposable
{
    private const nuint SlabLength = 256 * 1024;

    // Odd numbers of cache lines: with powers of two all buffers would begin in the same few places of the cache.
    private static readonly int[] Strides = [5 * 64, 65 * 64, 257 * 64];

    private readonly List<nint> _slabs = [];
    private readonly SendBuffer*[] _free = new SendBuffer*[3];

    /// <summary>The most bytes one buffer holds.</summary>
    internal static int Largest => Strides[2] - SendBuffer.HeadSize;

    /// <summary>Buffers handed out.</summary>
    internal int InUse { get; private set; }

    /// <summary>An empty buffer with room for <paramref name="length"/> bytes, or as many as the largest holds. Null: no memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal SendBuffer* Rent(int length)
    {
        int size = length <= Strides[0] - SendBuffer.HeadSize ? 0 : length <= Strides[1] - SendBuffer.HeadSize ? 1 : 2;
        SendBuffer* buffer = _free[size];
        if (buffer == null && (buffer = AddSlab(size)) == null)
            return null;
        _free[size] = buffer->Next;
        buffer->Next = null;
        buffer->Bytes = (byte*)buffer + SendBuffer.HeadSize;
        buffer->Capacity = Strides[size] - SendBuffer.HeadSize;
        buffer->Received = SendBuffer.Own;
        buffer->Length = 0;
        buffer->Sent = 0;
        InUse++;
        return buffer;
    }

    /// <summary>Takes a buffer back.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Return(SendBuffer* buffer)
    {
        // The last one back is the first to go: it is in the cache.
        buffer->Next = _free[buffer->Size];
        _free[buffer->Size] = buffer;
        InUse--;
    }

    private SendBuffer* AddSlab(int size)
    {
        nint slab = kernel.MMap(SlabLength, -1, 0);
        if (slab is < 0 and > -4096)
            return null;
        _slabs.Add(slab);
        int stride = Strides[size];
        for (int i = (int)SlabLength / stride - 1; i >= 0; i--)
        {
            var buffer = (SendBuffer*)(slab + i * stride);
            buffer->Size = size;
            buffer->Next = _free[size];
            _free[size] = buffer;
        }

        return _free[size];
    }

    /// <summary>Gives all memory back; the kernel must be done with it.</summary>
    public void Dispose()
    {
        foreach (nint slab in _slabs)
            kernel.MUnmap((void*)slab, SlabLength);
        _slabs.Clear();
    }
}
