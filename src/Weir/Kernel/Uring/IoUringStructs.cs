using System.Runtime.InteropServices;

namespace Weir;

/// <summary>What io_uring_setup(2) is asked for and answers: struct io_uring_params.</summary>
[StructLayout(LayoutKind.Sequential, Size = 120)]
public struct IoUringParameters
{
    /// <summary>Entries of the submission queue.</summary>
    public uint SubmissionEntries;

    /// <summary>Entries of the completion queue; asked for with <see cref="IoUringSetupFlags.CompletionQueueSize"/>.</summary>
    public uint CompletionEntries;

    /// <summary>What is asked for.</summary>
    public IoUringSetupFlags Flags;

    /// <summary>The processor of a polling kernel thread.</summary>
    public uint SubmissionThreadCpu;

    /// <summary>Milliseconds after which a polling kernel thread sleeps.</summary>
    public uint SubmissionThreadIdle;

    /// <summary>What the kernel can do.</summary>
    public IoUringFeatures Features;

    /// <summary>A ring to share workers with.</summary>
    public uint WorkQueueDescriptor;

    private readonly uint _reserved0;
    private readonly uint _reserved1;
    private readonly uint _reserved2;

    /// <summary>Where the parts of the submission queue are in its mapping.</summary>
    public SubmissionRingOffsets SubmissionOffsets;

    /// <summary>Where the parts of the completion queue are in its mapping.</summary>
    public CompletionRingOffsets CompletionOffsets;
}

/// <summary>struct io_sqring_offsets.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SubmissionRingOffsets
{
#pragma warning disable CS1591 // The kernel's own names for parts of the queue.
    public uint Head;
    public uint Tail;
    public uint RingMask;
    public uint RingEntries;
    public uint Flags;
    public uint Dropped;
    public uint Array;
    private readonly uint _reserved;
    public ulong UserAddress;
#pragma warning restore CS1591
}

/// <summary>struct io_cqring_offsets.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CompletionRingOffsets
{
#pragma warning disable CS1591 // The kernel's own names for parts of the queue.
    public uint Head;
    public uint Tail;
    public uint RingMask;
    public uint RingEntries;
    public uint Overflow;
    public uint Completions;
    public uint Flags;
    private readonly uint _reserved;
    public ulong UserAddress;
#pragma warning restore CS1591
}

/// <summary>One submission: struct io_uring_sqe, 64 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
public struct Submission
{
    /// <summary>What is asked for.</summary>
    [FieldOffset(0)] public IoUringOp Op;

    /// <summary>How it is to be handled.</summary>
    [FieldOffset(1)] public SubmissionFlags Flags;

    /// <summary>Priority; for sends, receives and accepts their own flags (<see cref="IoUringPriority"/>).</summary>
    [FieldOffset(2)] public ushort Priority;

    /// <summary>The descriptor.</summary>
    [FieldOffset(4)] public int Descriptor;

    /// <summary>The offset in a file, or a second address.</summary>
    [FieldOffset(8)] public ulong Offset;

    /// <summary>The address of a buffer, of vectors or of an argument.</summary>
    [FieldOffset(16)] public ulong Address;

    /// <summary>Bytes of the buffer, or how many vectors.</summary>
    [FieldOffset(24)] public uint Length;

    /// <summary>Flags of the operation: of a message, a poll mask, a timeout, a cancellation, ...</summary>
    [FieldOffset(28)] public uint OperationFlags;

    /// <summary>What the completion brings back.</summary>
    [FieldOffset(32)] public ulong UserData;

    /// <summary>The group to choose a buffer from, or the number of a registered buffer.</summary>
    [FieldOffset(40)] public ushort BufferGroup;

    /// <summary>Credentials to use.</summary>
    [FieldOffset(42)] public ushort Personality;

    /// <summary>A place in the table of registered files, or a second descriptor.</summary>
    [FieldOffset(44)] public uint FileIndex;

    /// <summary>A third address.</summary>
    [FieldOffset(48)] public ulong Address3;

    /// <summary>Which attributes of a read or write the third address names.</summary>
    [FieldOffset(56)] public ulong AttributeTypes;
}

/// <summary>One completion: struct io_uring_cqe, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct Completion
{
    /// <summary>What the submission brought along.</summary>
    public ulong UserData;

    /// <summary>What the system call would have returned: a count, or a negated errno.</summary>
    public int Result;

    /// <summary>More about it.</summary>
    public CompletionFlags Flags;

    /// <summary>The number of the buffer that was chosen, where <see cref="CompletionFlags.Buffer"/> is set.</summary>
    public readonly int BufferId => (int)((uint)Flags >> 16);
}

/// <summary>How long io_uring_enter(2) waits: struct io_uring_getevents_arg.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct IoUringWaitArgument
{
    /// <summary>Signals blocked meanwhile; null for those blocked now.</summary>
    public ulong* SignalMask;

    /// <summary>Bytes of the mask: 8.</summary>
    public uint SignalMaskSize;

    /// <summary>Microseconds to wait for more than the first completion.</summary>
    public uint MinWaitMicroseconds;

    /// <summary>At most so long; null for ever.</summary>
    public TimeSpec* Timeout;
}

/// <summary>One buffer offered to a ring: struct io_uring_buf. The tail of the queue overlays the last two bytes of the first.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct RingBuffer
{
    /// <summary>The address.</summary>
    public ulong Address;

    /// <summary>Bytes.</summary>
    public uint Length;

    /// <summary>The number a completion names it by.</summary>
    public ushort Id;

    /// <summary>Unused, but of the first entry, where it is the tail of the queue.</summary>
    public ushort Tail;
}

/// <summary>A queue of offered buffers: struct io_uring_buf_reg.</summary>
[StructLayout(LayoutKind.Sequential, Size = 40)]
public struct BufferRingRegistration
{
    /// <summary>Where the queue is; page-aligned.</summary>
    public ulong Address;

    /// <summary>Entries, a power of two up to 32768.</summary>
    public uint Entries;

    /// <summary>The number that submissions name it by.</summary>
    public ushort Group;

    /// <summary>Flags.</summary>
    public ushort Flags;
}

/// <summary>A table of registered files or buffers to be made: struct io_uring_rsrc_register.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ResourceRegistration
{
    /// <summary>In <see cref="Flags"/>: all places are empty at first (IORING_RSRC_REGISTER_SPARSE).</summary>
    public const uint Sparse = 1;

    /// <summary>How many places.</summary>
    public uint Count;

    /// <summary>Flags.</summary>
    public uint Flags;

    private readonly ulong _reserved;

    /// <summary>The address of what to put there: descriptors, or vectors.</summary>
    public ulong Data;

    /// <summary>The address of tags, or 0.</summary>
    public ulong Tags;
}

/// <summary>A change to registered files, buffers or ring descriptors: struct io_uring_rsrc_update.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ResourceUpdate
{
    /// <summary>The first place to change.</summary>
    public uint Offset;

    private readonly uint _reserved;

    /// <summary>The new content: the descriptor of a ring; the address of descriptors, where -1 empties a place.</summary>
    public ulong Data;
}

/// <summary>A cancellation that is waited for: struct io_uring_sync_cancel_reg.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
public struct SyncCancelRequest
{
    /// <summary>The user data of what is to be cancelled.</summary>
    public ulong UserData;

    /// <summary>Or its descriptor.</summary>
    public int Descriptor;

    /// <summary>What it is matched by.</summary>
    public AsyncCancelFlags Flags;

    /// <summary>How long to wait; both fields -1 for ever.</summary>
    public TimeSpec Timeout;

    /// <summary>With <see cref="AsyncCancelFlags"/> by operation, which.</summary>
    public byte Op;
}

/// <summary>Which operations a kernel knows: struct io_uring_probe with all its entries.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct IoUringProbe
{
    /// <summary>Entries there is room for.</summary>
    public const int Capacity = 256;

    /// <summary>The last operation this kernel knows.</summary>
    public byte LastOp;

    /// <summary>Entries filled in.</summary>
    public byte Count;

    private fixed ushort _reserved[7];

    private fixed ulong _entries[Capacity]; // op, reserved, 16 bits of flags, reserved

    /// <summary>Whether the kernel knows the operation with this number.</summary>
    public readonly bool Supports(int op) => op >= 0 && op < Count && ((_entries[op] >> 16) & 1) != 0;

    /// <summary>Writes an answer; for kernels that are emulated.</summary>
    public void SetSupported(int op, bool supported) => _entries[op] = (uint)op | (supported ? 1UL << 16 : 0);
}
