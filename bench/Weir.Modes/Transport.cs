using System.Net;

namespace Weir.Bench.Modes;

/// <summary>Two connected stream sockets.</summary>
internal enum Transport
{
    Unix,
    Tcp,
}

internal static unsafe class Transports
{
    internal static (int Left, int Right) Connect(Kernel kernel, Transport transport)
    {
        int* pair = stackalloc int[2];
        if (transport == Transport.Unix)
        {
            Check(kernel.SocketPair(SocketDomain.Unix, SocketKind.Stream, 0, pair));
            return (pair[0], pair[1]);
        }

        RawSocketAddress address = RawSocketAddress.From(new IPEndPoint(IPAddress.Loopback, 0));
        int listener = Check(kernel.Socket(SocketDomain.Inet, SocketKind.Stream, 0));
        Check(kernel.Bind(listener, address.Pointer, address.Length));
        Check(kernel.Listen(listener, 1));
        uint length = RawSocketAddress.Capacity;
        Check(kernel.GetSockName(listener, address.Pointer, &length));
        int left = Check(kernel.Socket(SocketDomain.Inet, SocketKind.Stream, 0));
        int connecting = kernel.Connect(left, address.Pointer, length); // completes in the background, at once on loopback
        if (connecting < 0 && connecting != -(int)Errno.EINPROGRESS)
            Check(connecting);
        PollEntry entry = new() { Descriptor = listener, Events = (short)EpollEvents.In };
        Check(kernel.Poll(&entry, 1, -1));
        int right = Check(kernel.Accept4(listener, null, null));
        kernel.Close(listener);
        int on = 1;
        foreach (int socket in (ReadOnlySpan<int>)[left, right])
            Check(kernel.SetSockOpt(socket, SocketLevel.Tcp, SocketOption.TcpNoDelay, &on, sizeof(int)));
        return (left, right);
    }

    private static int Check(int result) => result >= 0 ? result : throw new KernelException("connecting two sockets", -1, (Errno)(-result));
}
