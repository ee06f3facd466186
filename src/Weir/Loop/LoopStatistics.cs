namespace Weir;

/// <summary>
/// What a loop has done since it started. A snapshot; taken from another thread, its figures may be a turn apart from each other.
/// </summary>
public sealed record LoopStatistics
{
    /// <summary>The driver's name: "epoll" or "io_uring".</summary>
    public required string Backend { get; init; }

    /// <summary>Why <see cref="DriverKind.Auto"/> did not take io_uring: what the kernel said. Null if it did, or was not asked to.</summary>
    public string? BackendReason { get; init; }

    /// <summary>
    /// Who does what epoll cannot, <see cref="AsyncFile"/>'s operations above all: "io_uring"; "threads": a few of the loop's own that block;
    /// "calls": the loop's thread itself, on an emulated kernel without rings; "none" before the first such operation.
    /// </summary>
    public string FileBackend { get; init; } = "none";

    /// <summary>Why <see cref="FileBackend"/> is not io_uring; null if it is, or while there was nothing to do.</summary>
    public string? FileBackendReason { get; init; }

    /// <summary>Turns taken.</summary>
    public long Turns { get; init; }

    /// <summary>Waits in the kernel with nothing to run.</summary>
    public long Sleeps { get; init; }

    /// <summary>Wake-ups from other threads that cost a system call.</summary>
    public long WakeUpsSent { get; init; }

    /// <summary>Wake-ups from other threads that cost none, since the loop was awake.</summary>
    public long WakeUpsSaved { get; init; }

    /// <summary>Entries that other threads posted.</summary>
    public long Posts { get; init; }

    /// <summary>Entries run.</summary>
    public long Entries { get; init; }

    /// <summary>Readiness events received.</summary>
    public long Events { get; init; }

    /// <summary>Of these, events for descriptors no longer in care, which were dropped.</summary>
    public long GhostEvents { get; init; }

    /// <summary>How often the epoll set was built anew to be rid of registrations that could not be removed.</summary>
    public long Rebuilds { get; init; }

    /// <summary>Operations that wait to read now.</summary>
    public int WaitingReaders { get; init; }

    /// <summary>Operations that wait to write now.</summary>
    public int WaitingWriters { get; init; }

    /// <summary>Descriptors in care now.</summary>
    public int Descriptors { get; init; }

    /// <summary>Of <see cref="LoopOptions.ReceiveBufferCount"/> buffers, those that hold something that was not read yet. 0 on epoll.</summary>
    public int ReceiveBuffersInUse { get; init; }

    /// <summary>Timers armed now.</summary>
    public int Timers { get; init; }

    /// <summary>Tasks alive now.</summary>
    public int Tasks { get; init; }

    /// <summary>The longest turn so far: for so long a ready descriptor may have waited.</summary>
    public TimeSpan LongestTurn { get; init; }

    /// <summary>How often a task that could have gone on gave way to its neighbours.</summary>
    public long BudgetYields { get; init; }

    /// <summary>How often an awaiting caller was resumed away from the loop.</summary>
    public long HopsOffLoop { get; init; }
}
