using System.Numerics;

namespace Weir.Simulation;

/// <summary>What buffers cost: the sizes of include/linux/skbuff.h on a 64-bit machine with pages of 4 KiB.</summary>
internal static class UnixMemory
{
    private const int PageSize = 4096;
    private const int CacheLine = 64;
    private const int SharedInfo = 320; // struct skb_shared_info
    private const int BufferHead = 256; // struct sk_buff
    private const int LeastSlab = 512; // the smallest kmalloc cache that holds an empty head
    private const int MostFragments = 17; // MAX_SKB_FRAGS
    private const int LargestHead = PageSize - SharedInfo; // SKB_MAX_HEAD(0)
    private const int LargestLinear = 4 * PageSize - SharedInfo; // SKB_MAX_ALLOC
    private const int FragmentSpace = 32768; // UNIX_SKB_FRAGS_SZ

    /// <summary>The bytes of the next buffer of a stream that has <paramref name="left"/> to send: two buffers fit, 36544 at most.</summary>
    internal static int StreamChunk(nuint left, int sendBuffer)
        => (int)Math.Min(left, (nuint)Math.Min((sendBuffer >> 1) - 64, LargestHead + FragmentSpace));

    internal static int StreamTrueSize(int length)
    {
        int paged = Math.Min(length, PageAlign(Math.Max(0, length - LargestHead)));
        return TrueSize(length - paged, paged);
    }

    internal static int DatagramTrueSize(int length)
    {
        int paged = length <= LargestLinear ? 0 : PageAlign(Math.Min(length - LargestLinear, MostFragments * PageSize));
        return TrueSize(length - paged, paged);
    }

    // sock_alloc_send_pskb: the head comes from a kmalloc cache, the rest is whole pages.
    private static int TrueSize(int head, int paged)
    {
        int slab = (head + CacheLine - 1) / CacheLine * CacheLine + SharedInfo;
        return Math.Max(LeastSlab, (int)BitOperations.RoundUpToPowerOf2((uint)slab)) + BufferHead + PageAlign(paged);
    }

    private static int PageAlign(int length) => (length + PageSize - 1) & ~(PageSize - 1);
}
