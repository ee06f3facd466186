namespace Weir.Simulation;

/// <summary>Which class is behind which family and kind.</summary>
internal static class Sockets
{
    internal static SimSocket? Make(SimKernel process, SocketDomain domain, SocketKind kind, int protocol, out int error)
        => domain switch
        {
            SocketDomain.Unix => UnixSockets.Make(process, kind, protocol, out error),
            SocketDomain.Inet or SocketDomain.Inet6 => InetSockets.Make(process, domain, kind, protocol, out error),
            _ => throw new NotSupportedException($"not emulated: socket({domain}, {kind})"),
        };

    internal static int MakePair(SimKernel process, SocketDomain domain, SocketKind kind, int protocol, out SimSocket? first, out SimSocket? second)
        => domain switch
        {
            SocketDomain.Unix => UnixSockets.MakePair(process, kind, protocol, out first, out second),
            SocketDomain.Inet or SocketDomain.Inet6 => InetSockets.MakePair(out first, out second),
            _ => throw new NotSupportedException($"not emulated: socketpair({domain}, {kind})"),
        };
}
