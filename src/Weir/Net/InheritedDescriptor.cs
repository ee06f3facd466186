using System.Net;

namespace Weir.Net;

/// <summary>What an inherited descriptor is.</summary>
public enum InheritedDescriptorKind
{
    /// <summary>No socket: a FIFO, a file, a device.</summary>
    NoSocket,

    /// <summary>A stream socket that listens: for <see cref="Listener.FromDescriptor"/>.</summary>
    Listener,

    /// <summary>A stream socket that does not: for <see cref="Connection.FromDescriptor"/>.</summary>
    Connection,

    /// <summary>A datagram socket: for <see cref="DatagramSocket.FromDescriptor"/>.</summary>
    Datagram,

    /// <summary>A socket of another kind (SOCK_SEQPACKET, SOCK_RAW).</summary>
    OtherSocket,
}

/// <summary>A descriptor that whoever started this process has handed over to it.</summary>
/// <param name="FileDescriptor">The descriptor, close-on-exec. It belongs to whoever takes it.</param>
/// <param name="Name">The name given to it: FileDescriptorName= of systemd.socket(5), by default the name of the unit; "unknown" if there is none.</param>
/// <param name="Kind">What it is.</param>
/// <param name="LocalEndPoint">The address of a socket; null if it has none.</param>
public sealed record InheritedDescriptor(int FileDescriptor, string Name, InheritedDescriptorKind Kind, EndPoint? LocalEndPoint);
