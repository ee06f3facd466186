using System.Buffers;
using System.Runtime.InteropServices;

namespace Weir.Tests;

/// <summary>Memory that knows how often it is pinned at the moment.</summary>
public sealed unsafe class PinCountingMemory(byte[] bytes) : MemoryManager<byte>
{
    private GCHandle _handle;

    /// <summary>Pins that were not given back.</summary>
    public int Pins { get; private set; }

    public override Span<byte> GetSpan() => bytes;

    public override MemoryHandle Pin(int elementIndex = 0)
    {
        if (Pins++ == 0)
            _handle = GCHandle.Alloc(bytes, GCHandleType.Pinned);
        return new MemoryHandle((byte*)_handle.AddrOfPinnedObject() + elementIndex, default, this);
    }

    public override void Unpin()
    {
        if (--Pins == 0)
            _handle.Free();
    }

    protected override void Dispose(bool disposing)
    {
    }
}
