using System.Runtime.InteropServices;

namespace Weir.Simulation;

/// <summary>Zeroed memory at the beginning of a page, as mmap(2) gives it. Goes with the last who refers to it, or before.</summary>
internal sealed unsafe class MappedMemory
{
    internal const nuint PageSize = 4096;

    private void* _allocated;

    internal MappedMemory(nuint length)
    {
        Length = (length + PageSize - 1) & ~(PageSize - 1);
        // What nobody writes to takes no memory, as long as the allocator need not clear it itself.
        _allocated = NativeMemory.AllocZeroed(Length + PageSize);
        Start = (byte*)(((nuint)_allocated + PageSize - 1) & ~(PageSize - 1));
        GC.AddMemoryPressure((long)Length);
    }

    ~MappedMemory() => Release();

    internal byte* Start { get; }

    /// <summary>Whole pages.</summary>
    internal nuint Length { get; }

    internal bool Overlaps(nuint start, nuint length) => (nuint)Start < start + length && start < (nuint)Start + Length;

    internal void Free()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    private void Release()
    {
        if (_allocated == null)
            return;
        NativeMemory.Free(_allocated);
        _allocated = null;
        GC.RemoveMemoryPressure((long)Length);
    }
}
