using System.Buffers;
using System.Runtime.InteropServices;

namespace Weir.Tests;

/// <summary>Memory that knows how often it is pinned at the moment.</summary>
public sealed class PinCountingMemory(byte[] bytes) : MemoryManager<byte>
{
    private readonly GCHandle _handle = GCHandle.Alloc(bytes, GCHandleType.Pinned);

    /// <summary>Pins that were not given back.</summary>
    public int Pins { get; private set; }

    public override Span<byte> GetSpan() => bytes;

    public override unsafe MemoryHandle Pin(int elementIndex = 0)
    {
        Pins++;
        return new MemoryHandle((byte*)_handle.AddrOfPinnedObject() + elementIndex, default, this);
    }

    public override void Unpin() => Pins--;

    protected override void Dispose(bool disposing)
    {
        if (_handle.IsAllocated)
            _handle.Free();
    }
}
