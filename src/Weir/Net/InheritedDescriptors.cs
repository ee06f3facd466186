using System.Globalization;

namespace Weir.Net;

/// <summary>
/// Descriptors handed over by who started this process: socket activation, by the protocol of sd_listen_fds(3), which systemd, s6, and
/// `systemd-socket-activate` speak.
/// </summary>
public static class InheritedDescriptors
{
    /// <summary>The first of them: SD_LISTEN_FDS_START.</summary>
    public const int First = 3;

    private static readonly string[] Variables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"];

    /// <summary>
    /// The descriptors that LISTEN_FDS announces, made close-on-exec; none if there is no such variable, or LISTEN_PID means another process. Any
    /// thread. Ask once, and early: each descriptor is there once.
    /// </summary>
    /// <param name="unset">
    /// Whether to remove the variables afterwards, so that children do not take them for their own. Defaults to true.
    /// </param>
    /// <exception cref="InvalidOperationException">A variable makes no sense.</exception>
    /// <exception cref="KernelException">EBADF: a descriptor that was announced is not open.</exception>
    public static IReadOnlyList<InheritedDescriptor> FromEnvironment(bool unset = true)
    {
        try
        {
            return Read(EventLoop.Current?.Kernel ?? Kernel.Linux, Environment.ProcessId, Environment.GetEnvironmentVariable);
        }
        finally
        {
            if (unset)
            {
                foreach (string variable in Variables)
                    Environment.SetEnvironmentVariable(variable, null);
            }
        }
    }

    internal static IReadOnlyList<InheritedDescriptor> Read(Kernel kernel, int processId, Func<string, string?> variable)
    {
        if (variable("LISTEN_FDS") is not { Length: > 0 } countText || variable("LISTEN_PID") is not { Length: > 0 } processText)
            return [];
        if (ParseNumber("LISTEN_PID", processText) != processId)
            return [];
        int count = ParseNumber("LISTEN_FDS", countText);
        string[] names = variable("LISTEN_FDNAMES") is { Length: > 0 } text ? text.Split(':') : [];
        var descriptors = new List<InheritedDescriptor>(); // as many as there are, whatever is announced
        for (int i = 0; i < count; i++)
            descriptors.Add(Describe(kernel, First + i, i < names.Length ? names[i] : "unknown"));
        return descriptors;
    }

    /// <summary>What a descriptor is that was handed over by number; it is made close-on-exec.</summary>
    /// <exception cref="KernelException">EBADF: it is not open.</exception>
    public static InheritedDescriptor FromNumber(int fileDescriptor)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(fileDescriptor);
        return Describe(EventLoop.Current?.Kernel ?? Kernel.Linux, fileDescriptor, "unknown");
    }

    private static unsafe InheritedDescriptor Describe(Kernel kernel, int fd, string name)
    {
        SocketCalls.MakeCloseOnExec(kernel, fd);
        int type;
        uint length = sizeof(int);
        int result = kernel.GetSockOpt(fd, SocketLevel.Socket, SocketOption.SocketType, &type, &length);
        if (result == -(int)Errno.ENOTSOCK)
            return new InheritedDescriptor(fd, name, InheritedDescriptorKind.NoSocket, null);
        KernelException.Check(result, "getsockopt(SO_TYPE)", fd);
        InheritedDescriptorKind kind = (SocketKind)type switch
        {
            SocketKind.Stream when SocketCalls.GetOption(kernel, fd, SocketLevel.Socket, SocketOption.SocketAcceptConnections) != 0 => InheritedDescriptorKind.Listener,
            SocketKind.Stream => InheritedDescriptorKind.Connection,
            SocketKind.Datagram => InheritedDescriptorKind.Datagram,
            _ => InheritedDescriptorKind.OtherSocket,
        };
        return new InheritedDescriptor(fd, name, kind, SocketCalls.LocalEndPoint(kernel, fd));
    }

    private static int ParseNumber(string name, string text)
        => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? number
            : throw new InvalidOperationException($"The environment variable {name} is '{text}' and should be a number (sd_listen_fds(3)).");
}
