using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>What the io_uring driver keeps beside each <see cref="Slot"/>, by the same index, in pages that never move.</summary>
internal sealed class UringSlotTable
{
    private const int PageBits = 8;
    private const int PageSize = 1 << PageBits;

    private UringSlot[][] _pages = [];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref UringSlot At(int index) => ref _pages[index >> PageBits][index & (PageSize - 1)];

    /// <summary>There is a place for this index from now on.</summary>
    internal void Prepare(int index)
    {
        while (index >> PageBits >= _pages.Length)
        {
            var page = new UringSlot[PageSize];
            foreach (ref UringSlot line in page.AsSpan())
                line.FirstReceived = -1;
            Array.Resize(ref _pages, _pages.Length + 1);
            _pages[^1] = page;
        }
    }

    internal void Reset(int index) => At(index) = new UringSlot { FirstReceived = -1 };

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
}
