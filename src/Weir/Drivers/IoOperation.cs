namespace Weir;

/// <summary>What an <see cref="IoOperation"/> asks of the kernel.</summary>
internal enum OperationKind : byte
{
    /// <summary>Read into the buffer: result is the count, 0 at the end of the stream.</summary>
    Read,

    /// <summary>Write the whole buffer: result is its length.</summary>
    Write,

    /// <summary>Take one pending connection: result is its descriptor.</summary>
    Accept,

    /// <summary>Wait until some of the interest is ready: result is the readiness seen. Belongs to the reading direction.</summary>
    WaitToRead,

    /// <summary>As <see cref="WaitToRead"/>, in the writing direction.</summary>
    WaitToWrite,
}

/// <summary>One operation in one direction of one descriptor. A driver is handed it, keeps it while the kernel is not ready, and finishes it.</summary>
internal class IoOperation(WorkQueue queue) : LoopAwaitable(queue)
{
    /// <summary>What ends a wait of either direction, asked for or not (epoll_ctl(2)).</summary>
    internal const EpollEvents AlwaysReported = EpollEvents.Hup | EpollEvents.Err;

    /// <summary>The driver's name for the descriptor.</summary>
    internal ulong Token;

    /// <summary>The readiness that makes it worth trying, or that a wait is for.</summary>
    internal EpollEvents Interest;

    /// <summary>Bytes of <see cref="Buffer"/> that a write has already handed to the kernel.</summary>
    internal int Done;

    // Its driver does not keep it any more.
    private bool _isDetached;

    /// <summary>Whether its calls are those of a socket, recv and send in place of read and write.</summary>
    internal bool OnSocket { get; init; }

    internal OperationKind Kind { get; private set; }

    internal Memory<byte> Buffer { get; private set; }

    internal bool WritesDirection => Kind is OperationKind.Write or OperationKind.WaitToWrite;

    /// <summary>Makes the operation ready to be started. It must be idle.</summary>
    internal void Prepare(OperationKind kind, ulong token, Memory<byte> buffer, EpollEvents interest)
    {
        Begin();
        Kind = kind;
        Token = token;
        Buffer = buffer;
        Interest = interest;
        Done = 0;
        _isDetached = false;
    }

    /// <summary>
    /// Starts a prepared operation, from the loop's thread or any other. True: it has completed and <see cref="LoopAwaitable.TakeResult"/>
    /// has its result. False: await it.
    /// </summary>
    internal bool Start()
    {
        if (Queue.IsCurrent)
            return Queue.Driver.Start(this);
        if (StartFromElsewhere())
            return false;
        SetResult(-(int)IoDriver.Closed);
        return true;
    }

    /// <summary>Has a result delivered; the driver that calls this has let go of it.</summary>
    internal void EndDetached(int result)
    {
        _isDetached = true;
        End(result);
    }

    protected override bool TryFinish() => Queue.Driver.Perform(this);

    protected override void Finishing()
    {
        if (!_isDetached)
            Queue.Driver.Finished(this);
        Buffer = default;
    }

    protected override void CancelOnLoop() => Queue.Driver.Cancel(this);

    protected override Exception ToException(int result, CancellationToken cancellation)
        => ToException(Kind, result, Queue.Driver.DescriptorOf(Token), cancellation, CallName(Kind, OnSocket));

    /// <summary>The exception for a negative result; null for the call that such an operation makes of anything but a socket.</summary>
    internal static Exception ToException(OperationKind kind, int result, int fd, CancellationToken cancellation, string? call = null)
    {
        Errno errno = (Errno)(-result);
        return errno switch
        {
            Errno.ECANCELED => new OperationCanceledException(cancellation),
            IoDriver.Closed => new ObjectDisposedException(null, "The descriptor was closed, or its loop has stopped."),
            Errno.EBUSY => Busy(kind, fd),
            _ => new KernelException(call ?? CallName(kind, onSocket: false), fd, errno),
        };
    }

    internal static BusyResourceException Busy(OperationKind kind, int fd)
        => new(kind is OperationKind.Write or OperationKind.WaitToWrite
            ? $"fd {fd}: another task is already writing to it, or waiting to; one writer at a time."
            : $"fd {fd}: another task is already reading from it, or waiting to; one reader at a time.");

    internal static string CallName(OperationKind kind, bool onSocket) => kind switch
    {
        OperationKind.Read => onSocket ? "recv" : "read",
        OperationKind.Write => onSocket ? "send" : "write",
        OperationKind.Accept => "accept4",
        _ => "epoll_ctl",
    };
}
