namespace Weir.Simulation;

/// <summary>inet_create and inet6_create: which class is behind a kind and a protocol.</summary>
internal static class InetSockets
{
    private const int TcpProtocol = 6;
    private const int UdpProtocol = 17;

    internal static SimSocket? Make(SimKernel process, SocketDomain domain, SocketKind kind, int protocol, out int error)
    {
        error = 0;
        NetStack stack = process.Machine.Stack;
        switch (kind)
        {
            case SocketKind.Stream when protocol is 0 or TcpProtocol:
                return new TcpSocket(stack, domain);
            case SocketKind.Datagram when protocol is 0 or UdpProtocol:
                return new UdpSocket(stack, domain);
            case SocketKind.Stream or SocketKind.Datagram:
                error = -(int)Errno.EPROTONOSUPPORT;
                return null;
            default:
                error = -(int)Errno.ESOCKTNOSUPPORT;
                return null;
        }
    }

    internal static int MakePair(out SimSocket? first, out SimSocket? second)
    {
        first = second = null;
        return -(int)Errno.EOPNOTSUPP;
    }
}
