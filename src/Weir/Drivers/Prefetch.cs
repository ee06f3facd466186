using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Weir;

/// <summary>
/// Fetches objects into the cache ahead of their use. With a thousand connections none of the objects of the one that is served next is
/// there any more: the kernel has used the cache meanwhile. A system call's length ahead is enough for all of them to arrive.
/// </summary>
internal static unsafe class Prefetch
{
    private const int LineSize = 64;

    /// <summary>Asks for the first <paramref name="lines"/> cache lines of an object. Does nothing where the processor cannot be asked.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Object(object? target, int lines)
    {
        // The address may be stale by the time it is used, if a collection moves the object: a prefetch of any address is harmless.
        if (target != null)
            Lines(*(byte**)Unsafe.AsPointer(ref target), lines);
    }

    /// <summary>Asks for the cache line that <paramref name="target"/> begins in.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Reference<T>(ref T target) => Lines(Unsafe.AsPointer(ref target), 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Lines(void* address, int lines)
    {
        if (!Sse.IsSupported)
            return;
        for (int i = 0; i < lines; i++)
            Sse.Prefetch0((byte*)address + i * LineSize);
    }
}
