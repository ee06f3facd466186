namespace Weir.Simulation;

/// <summary>Which class is behind which family and kind.</summary>
internal static class Sockets
{
    internal static SimSocket? Make(SimKernel process, SocketDomain domain, SocketKind kind, int protocol, out int error)
        => throw new NotSupportedException($"not emulated: socket({domain}, {kind})");

    internal static int MakePair(SimKernel process, SocketDomain domain, SocketKind kind, int protocol, out SimSocket? first, out SimSocket? second)
        => throw new NotSupportedException($"not emulated: socketpair({domain}, {kind})");
}
