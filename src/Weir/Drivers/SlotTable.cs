using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Weir;

/// <summary>
/// What a driver knows of one descriptor: 32 bytes, so that an event touches half a cache line before it reaches the operation
/// that waits.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal struct Slot
{
    /// <summary>The operation in progress in the reading direction.</summary>
    internal IoOperation? Reader;

    /// <summary>The operation in progress in the writing direction.</summary>
    internal IoOperation? Writer;

    /// <summary>Goes up whenever the slot is freed: events and operations that carry an older one are dead.</summary>
    internal uint Generation;

    /// <summary>The descriptor; -1 while the slot is free.</summary>
    internal int Descriptor;

    // The poll bits fit into 16; the modes above them are implied by the kind.
    private ushort _ready;
    private ushort _registered;

    internal DescriptorKind Kind;

    /// <summary>Readiness seen and not yet used up.</summary>
    internal EpollEvents Ready
    {
        readonly get => (EpollEvents)_ready;
        set => _ready = (ushort)value;
    }

    /// <summary>What the kernel was last asked to report.</summary>
    internal EpollEvents Registered
    {
        readonly get => (EpollEvents)_registered;
        set => _registered = (ushort)value;
    }
}

/// <summary>
/// The slots of a driver, in pages that never move. A token is an index and a generation, never a pointer: an event that comes after
/// its descriptor was given back finds another generation and nothing else.
/// </summary>
internal sealed class SlotTable
{
    private const int PageBits = 8;
    private const int PageSize = 1 << PageBits;

    private Slot[][] _pages = [];
    private int[] _free = [];
    private int _freeCount;

    /// <summary>Slots in use.</summary>
    internal int Count { get; private set; }

    private int _extent;

    /// <summary>Slots ever made; each index below has a page. Any thread: statistics are asked for from anywhere.</summary>
    internal int Extent => Volatile.Read(ref _extent);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref Slot At(int index) => ref _pages[index >> PageBits][index & (PageSize - 1)];

    internal static int IndexOf(ulong token) => (int)(uint)token;

    internal static uint GenerationOf(ulong token) => (uint)(token >> 32);

    internal ulong TokenOf(int index) => ((ulong)At(index).Generation << 32) | (uint)index;

    /// <summary>Whether the token's slot has not been freed since the token was made.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool IsLive(ulong token) => !Unsafe.IsNullRef(ref Find(token));

    /// <summary>The slot of a token, if it has not been freed since the token was made; else a null reference.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref Slot Find(ulong token)
    {
        ref Slot slot = ref Find(token, out bool exists);
        return ref exists && slot.Generation == GenerationOf(token) ? ref slot : ref Unsafe.NullRef<Slot>();
    }

    // Each index below the extent has a page, so there is no need to look at the lengths as well.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref Slot Find(ulong token, out bool exists)
    {
        int index = IndexOf(token);
        exists = (uint)index < (uint)_extent;
        if (!exists)
            return ref Unsafe.NullRef<Slot>();
        Slot[] page = Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_pages), index >> PageBits);
        return ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(page), index & (PageSize - 1));
    }

    /// <summary>Asks for a token's slot ahead of its use.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Prefetch(ulong token)
    {
        ref Slot slot = ref Find(token, out bool exists);
        if (exists)
            Weir.Prefetch.Reference(ref slot);
    }

    /// <summary>Asks for the operation that waits to read from a token's slot ahead of its use.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void PrefetchReader(ulong token)
    {
        ref Slot slot = ref Find(token, out bool exists);
        if (exists)
            Weir.Prefetch.Object(slot.Reader, 1);
    }

    internal int Allocate(int fd, DescriptorKind kind)
    {
        if (_freeCount == 0)
            AddPage();
        int index = _free[--_freeCount];
        ref Slot slot = ref At(index);
        slot.Descriptor = fd;
        slot.Kind = kind;
        slot.Ready = EpollEvents.None;
        slot.Registered = EpollEvents.None;
        Count++;
        return index;
    }

    internal void Free(int index)
    {
        Retire(index);
        Release(index);
    }

    /// <summary>Ends a slot's use: its tokens are dead. Its place is not given to another before <see cref="Release"/>.</summary>
    internal void Retire(int index)
    {
        ref Slot slot = ref At(index);
        slot.Generation++;
        slot.Descriptor = -1;
        slot.Reader = null;
        slot.Writer = null;
        Count--;
    }

    /// <summary>Gives the place of a retired slot to the next who needs one.</summary>
    internal void Release(int index) => _free[_freeCount++] = index;

    private void AddPage()
    {
        int page = _pages.Length;
        Array.Resize(ref _pages, page + 1);
        _pages[page] = new Slot[PageSize];
        Array.Resize(ref _free, _pages.Length * PageSize);
        // Lowest index first, so that few descriptors stay on few pages.
        for (int i = PageSize - 1; i >= 0; i--)
        {
            _pages[page][i].Descriptor = -1;
            _free[_freeCount++] = (page << PageBits) + i;
        }

        Volatile.Write(ref _extent, _extent + PageSize); // after the page itself, for those who count from another thread
    }
}
