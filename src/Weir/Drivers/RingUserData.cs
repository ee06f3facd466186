using System.Diagnostics;

namespace Weir;

/// <summary>
/// What completions are told apart by: the place of what they belong to and its generation, as <see cref="SlotTable"/>'s tokens have them, and
/// between the two what was asked for.
/// </summary>
internal static class RingUserData
{
    private const int IndexBits = 24;

    internal static ulong Of(UringRequest request, ulong token)
    {
        Debug.Assert((uint)token < 1 << IndexBits, "More descriptors than a process can have.");
        return token | (ulong)request << IndexBits;
    }

    internal static UringRequest RequestIn(ulong userData) => (UringRequest)(byte)(userData >> IndexBits);

    internal static int IndexIn(ulong userData) => (int)(userData & ((1 << IndexBits) - 1));

    internal static uint GenerationIn(ulong userData) => (uint)(userData >> 32);
}
