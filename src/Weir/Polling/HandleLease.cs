using System.Runtime.InteropServices;

namespace Weir;

/// <summary>Holds a <see cref="SafeHandle"/> open for as long as its descriptor number is in use by a call.</summary>
internal readonly ref struct HandleLease
{
    private readonly SafeHandle _handle;

    /// <exception cref="ObjectDisposedException">The handle is closed.</exception>
    /// <exception cref="ArgumentException">The handle holds no descriptor.</exception>
    internal HandleLease(SafeHandle handle)
    {
        ArgumentNullException.ThrowIfNull(handle);
        if (handle is { IsInvalid: true, IsClosed: false })
            throw new ArgumentException("The handle holds no descriptor.", nameof(handle));
        bool added = false;
        handle.DangerousAddRef(ref added);
        _handle = handle;
    }

    /// <summary>The descriptor, open until the lease ends.</summary>
    internal int FileDescriptor => (int)_handle.DangerousGetHandle();

    public void Dispose() => _handle.DangerousRelease();
}
