using System.Net;

namespace Weir.Net;

/// <summary>Socket calls that throw instead of returning an errno, for use away from the hot path.</summary>
internal static unsafe class SocketCalls
{
    internal static int Open(Kernel kernel, SocketDomain domain)
        => KernelException.Check(kernel.Socket(domain, SocketKind.Stream, 0), $"socket({domain})");

    internal static int GetOption(Kernel kernel, int fd, SocketLevel level, SocketOption option)
    {
        int value = 0;
        uint length = sizeof(int);
        KernelException.Check(kernel.GetSockOpt(fd, level, option, &value, &length), $"getsockopt({option})", fd);
        return value;
    }

    internal static void SetOption(Kernel kernel, int fd, SocketLevel level, SocketOption option, int value)
        => KernelException.Check(kernel.SetSockOpt(fd, level, option, &value, sizeof(int)), $"setsockopt({option})", fd);

    /// <summary>Null for an unnamed unix socket.</summary>
    internal static EndPoint? LocalEndPoint(Kernel kernel, int fd)
    {
        RawSocketAddress address = RawSocketAddress.Empty;
        KernelException.Check(kernel.GetSockName(fd, address.Pointer, &address.Length), "getsockname", fd);
        return address.ToEndPoint();
    }

    /// <summary>Null for an unnamed unix socket.</summary>
    internal static EndPoint? RemoteEndPoint(Kernel kernel, int fd)
    {
        RawSocketAddress address = RawSocketAddress.Empty;
        KernelException.Check(kernel.GetPeerName(fd, address.Pointer, &address.Length), "getpeername", fd);
        return address.ToEndPoint();
    }

    /// <summary>Makes a socket that something else has opened non-blocking and close-on-exec.</summary>
    internal static void MakeOurs(Kernel kernel, int fd)
    {
        const int CloseOnExec = 1; // FD_CLOEXEC
        int flags = KernelException.Check(kernel.Fcntl(fd, FcntlCommand.GetStatusFlags, 0), "fcntl(F_GETFL)", fd);
        KernelException.Check(kernel.Fcntl(fd, FcntlCommand.SetStatusFlags, flags | (int)FileFlags.NonBlock), "fcntl(F_SETFL)", fd);
        KernelException.Check(kernel.Fcntl(fd, FcntlCommand.SetDescriptorFlags, CloseOnExec), "fcntl(F_SETFD)", fd);
    }
}
