namespace Weir;

public abstract unsafe partial class Kernel
{
    /// <summary>Makes a socket, non-blocking and close-on-exec. socket(2).</summary>
    public abstract int Socket(SocketDomain domain, SocketKind kind, int protocol);

    /// <summary>Makes two connected sockets, non-blocking and close-on-exec. socketpair(2).</summary>
    public abstract int SocketPair(SocketDomain domain, SocketKind kind, int protocol, int* fds);

    /// <summary>Gives a socket its address. bind(2).</summary>
    public abstract int Bind(int fd, void* address, uint length);

    /// <summary>Makes a socket accept connections. listen(2).</summary>
    public abstract int Listen(int fd, int backlog);

    /// <summary>Takes a pending connection; the new socket is non-blocking and close-on-exec. accept4(2).</summary>
    public abstract int Accept4(int fd, void* address, uint* length);

    /// <summary>Connects, or starts to (EINPROGRESS; EAGAIN on unix sockets whose backlog is full). connect(2).</summary>
    public abstract int Connect(int fd, void* address, uint length);

    /// <summary>Ends one or both directions. shutdown(2).</summary>
    public abstract int Shutdown(int fd, ShutdownHow how);

    /// <summary>The local address. getsockname(2).</summary>
    public abstract int GetSockName(int fd, void* address, uint* length);

    /// <summary>The peer's address. getpeername(2).</summary>
    public abstract int GetPeerName(int fd, void* address, uint* length);

    /// <summary>Reads a socket option. getsockopt(2).</summary>
    public abstract int GetSockOpt(int fd, SocketLevel level, SocketOption option, void* value, uint* length);

    /// <summary>Sets a socket option. setsockopt(2).</summary>
    public abstract int SetSockOpt(int fd, SocketLevel level, SocketOption option, void* value, uint length);

    /// <summary>Receives at most <paramref name="length"/> bytes; 0 is the end. recv(2).</summary>
    public abstract nint Receive(int fd, void* buffer, nuint length, MessageFlags flags);

    /// <summary>Sends at most <paramref name="length"/> bytes. send(2).</summary>
    public abstract nint Send(int fd, void* buffer, nuint length, MessageFlags flags);

    /// <summary>Receives a message with its address and ancillary data. recvmsg(2).</summary>
    public abstract nint ReceiveMessage(int fd, MessageHeader* message, MessageFlags flags);

    /// <summary>Sends a message with an address and ancillary data. sendmsg(2).</summary>
    public abstract nint SendMessage(int fd, MessageHeader* message, MessageFlags flags);

    /// <summary>
    /// Receives up to <paramref name="count"/> messages with one call; each header gets its length. Returns how many. Does not wait for all of
    /// them. recvmmsg(2).
    /// </summary>
    public abstract int ReceiveMessages(int fd, MessageEntry* messages, uint count, MessageFlags flags);

    /// <summary>Sends up to <paramref name="count"/> messages with one call and returns how many were sent. sendmmsg(2).</summary>
    public abstract int SendMessages(int fd, MessageEntry* messages, uint count, MessageFlags flags);
}
