using System.Net;

namespace Weir.Net;

/// <summary>Socket calls that throw instead of returning an errno, for use away from the hot path.</summary>
internal static unsafe class SocketCalls
{
    /// <summary>sendmsg(2) with credentials, which fails for reasons of its own.</summary>
    internal const string SendCredentialsName = "sendmsg(SCM_CREDENTIALS)";

    internal static int Open(Kernel kernel, SocketDomain domain, SocketKind kind = SocketKind.Stream)
        => KernelException.Check(kernel.Socket(domain, kind, 0), $"socket({domain})");

    internal static int GetOption(Kernel kernel, int fd, SocketLevel level, SocketOption option)
    {
        int value = 0;
        uint length = sizeof(int);
        int result = kernel.GetSockOpt(fd, level, option, &value, &length);
        return result >= 0 ? value : throw new KernelException($"getsockopt({OptionName(level, option)})", fd, (Errno)(-result));
    }

    internal static void SetOption(Kernel kernel, int fd, SocketLevel level, SocketOption option, int value)
        => SetOption(kernel, fd, level, option, (byte*)&value, sizeof(int));

    internal static void SetOption(Kernel kernel, int fd, SocketLevel level, SocketOption option, byte* value, int length)
    {
        int result = kernel.SetSockOpt(fd, level, option, value, (uint)length);
        if (result < 0)
            throw new KernelException($"setsockopt({OptionName(level, option)})", fd, (Errno)(-result));
    }

    /// <summary>Numbers mean something at their level only: among the names of one, that which begins with the level's.</summary>
    internal static string OptionName(SocketLevel level, SocketOption option)
    {
        foreach (string name in Enum.GetNames<SocketOption>())
        {
            bool isOfLevel = name.StartsWith(level.ToString(), StringComparison.Ordinal) && !(level == SocketLevel.Ip && name.StartsWith("Ipv6", StringComparison.Ordinal));
            if (isOfLevel && Enum.Parse<SocketOption>(name) == option)
                return name;
        }

        return $"{level}, {(int)option}";
    }

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

    internal static bool IsConnected(Kernel kernel, int fd)
    {
        RawSocketAddress address = RawSocketAddress.Empty;
        int result = kernel.GetPeerName(fd, address.Pointer, &address.Length);
        return result >= 0 || (result == -(int)Errno.ENOTCONN ? false : throw new KernelException("getpeername", fd, (Errno)(-result)));
    }

    /// <summary>What a socket is that something else has opened.</summary>
    /// <exception cref="KernelException">ENOTSOCK, EBADF.</exception>
    internal static (SocketDomain Domain, SocketKind Kind) Describe(Kernel kernel, int fd)
        => ((SocketDomain)GetOption(kernel, fd, SocketLevel.Socket, SocketOption.SocketDomain), (SocketKind)GetOption(kernel, fd, SocketLevel.Socket, SocketOption.SocketType));

    /// <summary>Makes a socket that something else has opened non-blocking and close-on-exec.</summary>
    internal static void MakeOurs(Kernel kernel, int fd)
    {
        int flags = KernelException.Check(kernel.Fcntl(fd, FcntlCommand.GetStatusFlags, 0), "fcntl(F_GETFL)", fd);
        KernelException.Check(kernel.Fcntl(fd, FcntlCommand.SetStatusFlags, flags | (int)FileFlags.NonBlock), "fcntl(F_SETFL)", fd);
        MakeCloseOnExec(kernel, fd);
    }

    /// <summary>Keeps a descriptor from the programs that this process starts.</summary>
    internal static void MakeCloseOnExec(Kernel kernel, int fd)
    {
        const int CloseOnExec = 1; // FD_CLOEXEC
        int flags = KernelException.Check(kernel.Fcntl(fd, FcntlCommand.GetDescriptorFlags, 0), "fcntl(F_GETFD)", fd);
        KernelException.Check(kernel.Fcntl(fd, FcntlCommand.SetDescriptorFlags, flags | CloseOnExec), "fcntl(F_SETFD)", fd);
    }
}
