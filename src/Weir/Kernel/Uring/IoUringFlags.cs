namespace Weir;

#pragma warning disable CS1591 // Each member is the constant of io_uring(7) that it is named after.

/// <summary>Flags of io_uring_setup(2).</summary>
[Flags]
public enum IoUringSetupFlags : uint
{
    None = 0,
    CompletionQueueSize = 1 << 3,
    Clamp = 1 << 4,
    Disabled = 1 << 6,
    SubmitAll = 1 << 7,
    CooperativeTaskRun = 1 << 8,
    TaskRunFlag = 1 << 9,
    SingleIssuer = 1 << 12,
    DeferTaskRun = 1 << 13,
    NoSubmissionArray = 1 << 16,
}

/// <summary>What a ring's kernel can do (io_uring_setup(2), "features").</summary>
[Flags]
public enum IoUringFeatures : uint
{
    None = 0,
    SingleMMap = 1 << 0,
    NoDrop = 1 << 1,
    SubmitStable = 1 << 2,
    FastPoll = 1 << 5,
    ExtendedArgument = 1 << 8,
    NativeWorkers = 1 << 9,
    CompletionSkip = 1 << 11,
    MinimumTimeout = 1 << 15,
    ReadWriteAttributes = 1 << 16,
    NoIoWait = 1 << 17,
}

/// <summary>Flags of io_uring_enter(2).</summary>
[Flags]
public enum IoUringEnterFlags : uint
{
    None = 0,
    GetEvents = 1 << 0,
    ExtendedArgument = 1 << 3,
    RegisteredRing = 1 << 4,
    AbsoluteTimer = 1 << 5,
    NoIoWait = 1 << 7,
}

/// <summary>Operations of io_uring_register(2).</summary>
public enum IoUringRegisterOp : uint
{
    Buffers = 0,
    UnregisterBuffers = 1,
    Files = 2,
    UnregisterFiles = 3,
    FilesUpdate = 6,
    Probe = 8,
    EnableRings = 12,
    Files2 = 13,
    RingFds = 20,
    UnregisterRingFds = 21,
    BufferRing = 22,
    UnregisterBufferRing = 23,
    SyncCancel = 24,
}

/// <summary>What a submission asks for (io_uring_enter(2)).</summary>
public enum IoUringOp : byte
{
    Nop = 0,
    ReadV = 1,
    WriteV = 2,
    FSync = 3,
    PollAdd = 6,
    PollRemove = 7,
    SendMessage = 9,
    ReceiveMessage = 10,
    Timeout = 11,
    TimeoutRemove = 12,
    Accept = 13,
    AsyncCancel = 14,
    LinkTimeout = 15,
    Connect = 16,
    FAllocate = 17,
    OpenAt = 18,
    Close = 19,
    FilesUpdate = 20,
    StatX = 21,
    Read = 22,
    Write = 23,
    Send = 26,
    Receive = 27,
    EpollCtl = 29,
    Shutdown = 34,
    MessageRing = 40,
    SendZeroCopy = 47,
    SendMessageZeroCopy = 48,
    FTruncate = 55,
}

/// <summary>Flags of a submission (IOSQE_*).</summary>
[Flags]
public enum SubmissionFlags : byte
{
    None = 0,
    FixedFile = 1 << 0,
    Drain = 1 << 1,
    Link = 1 << 2,
    HardLink = 1 << 3,
    Async = 1 << 4,
    BufferSelect = 1 << 5,
    SkipSuccess = 1 << 6,
}

/// <summary>Flags of a completion (IORING_CQE_F_*); the upper 16 bits are the number of the buffer.</summary>
[Flags]
public enum CompletionFlags : uint
{
    None = 0,
    Buffer = 1 << 0,
    More = 1 << 1,
    SocketNotEmpty = 1 << 2,
    Notification = 1 << 3,
}

/// <summary>Flags in the submission queue that the kernel sets (IORING_SQ_*).</summary>
[Flags]
public enum SubmissionQueueFlags : uint
{
    None = 0,
    NeedWakeUp = 1 << 0,
    CompletionOverflow = 1 << 1,
    TaskRun = 1 << 2,
}

/// <summary>Flags of a poll, in the length of its submission (IORING_POLL_*).</summary>
[Flags]
public enum PollAddFlags : uint
{
    None = 0,
    Multishot = 1 << 0,
    UpdateEvents = 1 << 1,
    UpdateUserData = 1 << 2,
    Level = 1 << 3,
}

/// <summary>What a cancellation matches by (IORING_ASYNC_CANCEL_*).</summary>
[Flags]
public enum AsyncCancelFlags : uint
{
    None = 0,
    All = 1 << 0,
    Descriptor = 1 << 1,
    Any = 1 << 2,
}

/// <summary>Flags of a timeout (IORING_TIMEOUT_*).</summary>
[Flags]
public enum IoUringTimeoutFlags : uint
{
    None = 0,
    Absolute = 1 << 0,
    Update = 1 << 1,
}

/// <summary>Flags of sends, receives and accepts that have their own place, the priority of the submission.</summary>
public static class IoUringPriority
{
    public const ushort PollFirst = 1 << 0;
    public const ushort ReceiveMultishot = 1 << 1;
    public const ushort AcceptMultishot = 1 << 0;
}

/// <summary>Offsets at which mmap(2) gives the parts of a ring (IORING_OFF_*).</summary>
public static class IoUringOffset
{
    public const long SubmissionRing = 0;
    public const long CompletionRing = 0x8000000;
    public const long SubmissionEntries = 0x10000000;
}
