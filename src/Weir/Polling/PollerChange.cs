using System.Runtime.InteropServices;

namespace Weir;

/// <summary>One change for <see cref="Poller.Apply"/>.</summary>
public readonly struct PollerChange
{
    private PollerChange(EpollOp op, int fd, SafeHandle? handle, EpollEvents interest, nint key, PollerMode mode)
    {
        Op = op;
        FileDescriptor = fd;
        Handle = handle;
        Interest = interest;
        Key = key;
        Mode = mode;
    }

    internal EpollOp Op { get; }

    internal int FileDescriptor { get; }

    internal SafeHandle? Handle { get; }

    internal EpollEvents Interest { get; }

    internal nint Key { get; }

    internal PollerMode Mode { get; }

    /// <summary>As <see cref="Poller.Add(int, EpollEvents, nint, PollerMode)"/>.</summary>
    public static PollerChange Add(int fileDescriptor, EpollEvents interest, nint key, PollerMode mode = PollerMode.Level)
        => new(EpollOp.Add, fileDescriptor, null, interest, key, mode);

    /// <summary>As <see cref="Poller.Add(SafeHandle, EpollEvents, nint, PollerMode)"/>.</summary>
    public static PollerChange Add(SafeHandle handle, EpollEvents interest, nint key, PollerMode mode = PollerMode.Level)
        => new(EpollOp.Add, -1, handle, interest, key, mode);

    /// <summary>As <see cref="Poller.Modify(int, EpollEvents, nint, PollerMode)"/>.</summary>
    public static PollerChange Modify(int fileDescriptor, EpollEvents interest, nint key, PollerMode mode = PollerMode.Level)
        => new(EpollOp.Modify, fileDescriptor, null, interest, key, mode);

    /// <summary>As <see cref="Poller.Modify(SafeHandle, EpollEvents, nint, PollerMode)"/>.</summary>
    public static PollerChange Modify(SafeHandle handle, EpollEvents interest, nint key, PollerMode mode = PollerMode.Level)
        => new(EpollOp.Modify, -1, handle, interest, key, mode);

    /// <summary>As <see cref="Poller.Remove(int)"/>.</summary>
    public static PollerChange Remove(int fileDescriptor) => new(EpollOp.Delete, fileDescriptor, null, 0, 0, 0);

    /// <summary>As <see cref="Poller.Remove(SafeHandle)"/>.</summary>
    public static PollerChange Remove(SafeHandle handle) => new(EpollOp.Delete, -1, handle, 0, 0, 0);
}
