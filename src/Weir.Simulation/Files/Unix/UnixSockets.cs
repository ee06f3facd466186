namespace Weir.Simulation;

/// <summary>socket(2) and socketpair(2) for AF_UNIX: unix_create and unix_socketpair.</summary>
internal static class UnixSockets
{
    internal static SimSocket? Make(SimKernel process, SocketKind kind, int protocol, out int error)
    {
        error = 0;
        if (protocol is not (0 or (int)SocketDomain.Unix))
            error = -(int)Errno.EPROTONOSUPPORT;
        else if (kind is not (SocketKind.Stream or SocketKind.Datagram or SocketKind.SeqPacket))
            error = -(int)Errno.ESOCKTNOSUPPORT;
        return error < 0 ? null : Make(process.Machine, kind);
    }

    internal static int MakePair(SimKernel process, SocketKind kind, int protocol, out SimSocket? first, out SimSocket? second)
    {
        first = Make(process, kind, protocol, out int error);
        second = error < 0 ? null : Make(process.Machine, kind);
        if (error == 0)
            UnixSocket.Pair((UnixSocket)first!, (UnixSocket)second!, process);
        return error;
    }

    internal static UnixSocket Make(Machine machine, SocketKind kind)
        => kind == SocketKind.Stream ? new UnixStreamSocket(machine) : new UnixDatagramSocket(machine, kind);
}
