using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Weir;

/// <summary>
/// What the io_uring driver keeps beside each <see cref="Slot"/>, by the same index, in pages that never move: in native memory, as the buffers
/// they point to.
/// </summary>
internal sealed unsafe class UringSlotTable : IDisposable
{
    private const int PageBits = 8;
    private const int PageSize = 1 << PageBits;

    private nint[] _pages = [];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref UringSlot At(int index) => ref ((UringSlot*)_pages[index >> PageBits])[index & (PageSize - 1)];

    /// <summary>There is a place for this index from now on.</summary>
    internal void Prepare(int index)
    {
        while (index >> PageBits >= _pages.Length)
        {
            var page = (UringSlot*)NativeMemory.Alloc(PageSize, (nuint)sizeof(UringSlot));
            new Span<UringSlot>(page, PageSize).Fill(UringSlot.Unused);
            Array.Resize(ref _pages, _pages.Length + 1);
            _pages[^1] = (nint)page;
        }
    }

    internal void Reset(int index) => At(index) = UringSlot.Unused;

    /// <summary>Whether the kernel has something in progress for one of the first <paramref name="count"/> slots.</summary>
    internal bool AnyPending(int count)
    {
        for (int i = 0; i < Math.Min(count, _pages.Length << PageBits); i++)
        {
            if (At(i).Pending != 0)
                return true;
        }

        return false;
    }

    /// <summary>Gives the memory back. Whoever asks for a slot after that gets an exception, and not what is there by then.</summary>
    public void Dispose()
    {
        nint[] pages = _pages;
        _pages = [];
        foreach (nint page in pages)
            NativeMemory.Free((void*)page);
    }
}
