using System.Net;

namespace Weir.Net;

/// <summary>Unix sockets at paths (unix(7)): bound, also where one that is gone has left its path, and removed.</summary>
internal static unsafe class UnixPath
{
    /// <summary>Binds a socket.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="fd">The socket, which stays the caller's.</param>
    /// <param name="address">The address of <paramref name="endPoint"/>.</param>
    /// <param name="endPoint">A path, or an abstract name.</param>
    /// <param name="kind">The kind of socket.</param>
    /// <param name="replaces">Whether a path is taken over that nobody listens at any more.</param>
    /// <returns>The path that is now the socket's to remove, as the kernel was told it, with a zero behind it; null: an abstract name.</returns>
    /// <exception cref="KernelException">EADDRINUSE: somebody listens there, or it is no socket; EACCES and the like.</exception>
    internal static byte[]? Bind(Kernel kernel, int fd, RawSocketAddress address, EndPoint endPoint, SocketKind kind, bool replaces)
    {
        bool isAbstract = address.Bytes.Length <= 2 || address.Bytes[2] == 0;
        byte[]? path = isAbstract ? null : address.Bytes[2..].ToArray(); // a path's length counts its terminating zero
        int result = kernel.Bind(fd, address.Pointer, address.Length);
        if (result == -(int)Errno.EADDRINUSE && path != null && replaces && NobodyListens(kernel, address, kind))
        {
            Remove(kernel, path);
            result = kernel.Bind(fd, address.Pointer, address.Length);
        }

        KernelException.Check(result, $"bind({endPoint})", fd);
        return path;
    }

    // A path left behind by a process that is gone refuses connections. So does a file that is no socket at all: but that can be opened,
    // which a socket never can (ENXIO; open(2)).
    private static bool NobodyListens(Kernel kernel, RawSocketAddress address, SocketKind kind)
    {
        int probe = SocketCalls.Open(kernel, SocketDomain.Unix, kind);
        int result = kernel.Connect(probe, address.Pointer, address.Length);
        kernel.Close(probe);
        if (result != -(int)Errno.ECONNREFUSED)
            return false;
        // With its terminating zero this is what open wants.
        fixed (byte* path = address.Bytes[2..])
            result = kernel.Open(path, FileFlags.ReadOnly | FileFlags.NonBlock | FileFlags.CloseOnExec, 0);
        if (result >= 0)
            kernel.Close(result);
        return result == -(int)Errno.ENXIO;
    }

    /// <summary>Removes a path; that it may be gone already is no failure.</summary>
    internal static void Remove(Kernel kernel, byte[] path)
    {
        fixed (byte* bytes = path)
            kernel.Unlink(bytes);
    }

    /// <summary>
    /// Removes what a socket has bound, null if nothing, and forgets it: Dispose may come from several threads once the loop has stopped, and after the first
    /// the path may be a successor's.
    /// </summary>
    internal static void RemoveOnce(Kernel kernel, ref byte[]? path)
    {
        if (Interlocked.Exchange(ref path, null) is { } bound)
            Remove(kernel, bound);
    }
}
