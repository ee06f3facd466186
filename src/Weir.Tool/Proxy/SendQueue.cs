using Weir.Net;

namespace Weir.Tool.Proxy;

/// <summary>What the kernel holds for a peer that has not taken it yet.</summary>
internal static unsafe class SendQueue
{
    private const uint OutputQueued = 0x5411; // SIOCOUTQ of tcp(7), which unix sockets have, too

    /// <summary>Its length: in bytes, on a unix socket in bytes of the memory they take. 0 once the connection is closed.</summary>
    internal static int Length(Kernel kernel, Connection connection)
    {
        int fd = connection.FileDescriptor, length;
        return fd >= 0 && kernel.Ioctl(fd, OutputQueued, &length) >= 0 ? length : 0;
    }
}
