using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Weir;

/// <summary>Received bytes in memory that is the driver's, lent to a caller until he sends them on or gives them back.</summary>
[StructLayout(LayoutKind.Auto)]
internal struct Lease
{
    /// <summary>The memory; null: the driver knows it by <see cref="Id"/>, or there is nothing.</summary>
    internal byte[]? Array;

    /// <summary>The number of the driver's buffer.</summary>
    internal int Id;

    /// <summary>Where the bytes begin in it.</summary>
    internal int Offset;

    /// <summary>How many there are.</summary>
    internal int Length;
}

/// <summary>
/// Arrays to receive into, for one loop's thread. Mostly one of a size is in use at a time, for sending on rarely waits: so a stack is a pool
/// that nearly always hits. One that is never given back is the garbage collector's.
/// </summary>
internal sealed class LeasePool
{
    private const int SmallestBits = 12;
    private const int Sizes = 5; // 4 KiB to 64 KiB
    private const int MostKept = 16;

    // The one given back last, before it goes to the others of its size: where one is lent at a time, nothing else is touched.
    private byte[]? _last;
    private readonly Stack<byte[]>[] _idle = [.. Enumerable.Range(0, Sizes).Select(_ => new Stack<byte[]>())];

    /// <summary>An array of at least <paramref name="length"/> bytes, or of the largest size.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal byte[] Rent(int length)
    {
        byte[]? last = _last;
        if (last == null || last.Length < length)
            return RentAnother(length);
        _last = null;
        return last;
    }

    private byte[] RentAnother(int length)
    {
        int size = 0;
        while (size < Sizes - 1 && 1 << (SmallestBits + size) < length)
            size++;
        return _idle[size].TryPop(out byte[]? array) ? array : GC.AllocateUninitializedArray<byte>(1 << (SmallestBits + size), pinned: true);
    }

    internal void Return(byte[] array)
    {
        byte[]? before = _last;
        _last = array;
        if (before != null)
            Keep(before);
    }

    private void Keep(byte[] array)
    {
        Stack<byte[]> idle = _idle[System.Numerics.BitOperations.Log2((uint)array.Length) - SmallestBits];
        if (idle.Count < MostKept)
            idle.Push(array);
    }
}
