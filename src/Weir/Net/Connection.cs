using System.Net;

namespace Weir.Net;

/// <summary>
/// A stream socket, TCP or unix, on a loop. It is a <see cref="Stream"/>: SslStream, StreamReader, PipeReader.Create and HttpClient's
/// ConnectCallback work on it.
/// </summary>
/// <remarks>
/// Addresses, credentials and options are for the loop's thread, the only one that knows the descriptor to be open; bring them there from elsewhere with
/// the loop's InvokeAsync. <see cref="ShutdownWrite"/>, <see cref="ShutdownRead"/> and <see cref="Abort"/> may be called from any thread.
/// </remarks>
public sealed partial class Connection : DescriptorStream
{
    // TCP is watched both ways from the start, for its sends raise no events; a unix socket would report every message the peer takes.
    private const EpollEvents TcpMask = EpollEvents.In | EpollEvents.Out | EpollEvents.Pri | EpollEvents.RdHup;
    private const EpollEvents UnixMask = EpollEvents.In | EpollEvents.RdHup;

    private Connection(EventLoop loop, int fd, DescriptorKind kind, EpollEvents assumedReady, bool closeIfRefused = true)
        : base(loop, fd, kind, kind == DescriptorKind.Tcp ? TcpMask : UnixMask, assumedReady, closeIfRefused)
    {
    }

    private protected override bool IsSocket => true;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <summary>The local address; null for an unnamed unix socket.</summary>
    public EndPoint? LocalEndPoint => SocketCalls.LocalEndPoint(Kernel, DescriptorOnLoop());

    /// <summary>The peer's address; null for an unnamed unix socket.</summary>
    public EndPoint? RemoteEndPoint => SocketCalls.RemoteEndPoint(Kernel, DescriptorOnLoop());

    /// <summary>TCP_NODELAY: small writes are sent at once. On for accepted and connected sockets unless their options say otherwise.</summary>
    public bool NoDelay
    {
        get => GetOption(SocketLevel.Tcp, SocketOption.TcpNoDelay) != 0;
        set => SetOption(SocketLevel.Tcp, SocketOption.TcpNoDelay, value ? 1 : 0);
    }

    /// <summary>SO_KEEPALIVE: the kernel asks a silent peer whether it still lives.</summary>
    public bool KeepAlive
    {
        get => GetOption(SocketLevel.Socket, SocketOption.SocketKeepAlive) != 0;
        set => SetOption(SocketLevel.Socket, SocketOption.SocketKeepAlive, value ? 1 : 0);
    }

    /// <summary>SO_SNDBUF in bytes. The kernel doubles what is set and counts its own overhead (socket(7)).</summary>
    public int SendBufferSize
    {
        get => GetOption(SocketLevel.Socket, SocketOption.SocketSendBuffer);
        set => SetOption(SocketLevel.Socket, SocketOption.SocketSendBuffer, value);
    }

    /// <summary>SO_RCVBUF in bytes. The kernel doubles what is set and counts its own overhead (socket(7)).</summary>
    public int ReceiveBufferSize
    {
        get => GetOption(SocketLevel.Socket, SocketOption.SocketReceiveBuffer);
        set => SetOption(SocketLevel.Socket, SocketOption.SocketReceiveBuffer, value);
    }

    /// <summary>Any integer option. getsockopt(2).</summary>
    public int GetOption(SocketLevel level, SocketOption option) => SocketCalls.GetOption(Kernel, DescriptorOnLoop(), level, option);

    /// <summary>Any integer option. setsockopt(2).</summary>
    public void SetOption(SocketLevel level, SocketOption option, int value) => SocketCalls.SetOption(Kernel, DescriptorOnLoop(), level, option, value);

    private int OpenDescriptor
    {
        get
        {
            int fd = FileDescriptor;
            ObjectDisposedException.ThrowIf(fd < 0, this);
            return fd;
        }
    }

    // Elsewhere the number could be closed, and be a stranger's, between the look and the call.
    private int DescriptorOnLoop()
    {
        RequireLoop();
        return OpenDescriptor;
    }

    /// <summary>Two connected unix sockets on the current loop.</summary>
    /// <exception cref="KernelException">No descriptors left.</exception>
    public static unsafe (Connection First, Connection Second) CreatePair()
    {
        EventLoop loop = EventLoop.Required;
        int* fds = stackalloc int[2];
        KernelException.Check(loop.Kernel.SocketPair(SocketDomain.Unix, SocketKind.Stream, 0, fds), "socketpair");
        return DescriptorPair.Take(loop, new ReadOnlySpan<int>(fds, 2), static (loop, fd, _) => Accepted(loop, fd, DescriptorKind.Socket));
    }

    /// <summary>
    /// Takes over a connected stream socket, TCP or unix, that something else made. It is made non-blocking, and is this connection's from
    /// here on.
    /// </summary>
    /// <exception cref="KernelException">
    /// ENOTSOCK: not a socket; EBADF: not open; ENOSPC: the loop has no room for it. The descriptor is then still the caller's.
    /// </exception>
    /// <exception cref="ArgumentException">Not a stream socket. The descriptor is then still the caller's.</exception>
    public static Connection FromDescriptor(int fileDescriptor)
    {
        EventLoop loop = EventLoop.Required;
        Kernel kernel = loop.Kernel;
        (SocketDomain domain, SocketKind type) = SocketCalls.Describe(kernel, fileDescriptor);
        if (type != SocketKind.Stream)
            throw new ArgumentException($"fd {fileDescriptor} is no stream socket.", nameof(fileDescriptor));
        SocketCalls.MakeOurs(kernel, fileDescriptor);
        // What is known of TCP (a short read has emptied it) holds for nothing else.
        DescriptorKind kind = domain is SocketDomain.Inet or SocketDomain.Inet6 ? DescriptorKind.Tcp : DescriptorKind.Socket;
        return new Connection(loop, fileDescriptor, kind, EpollEvents.Out, closeIfRefused: false);
    }

    /// <summary>Gives the descriptor back to the caller, who owns it from here on; operations in progress end as if it were closed.</summary>
    /// <exception cref="InvalidOperationException">
    /// The loop has received data that was not read yet, or was given data that the kernel has no room for yet: that would be lost. Only on io_uring,
    /// which receives ahead.
    /// </exception>
    public int ReleaseDescriptor()
    {
        int fd = DescriptorOnLoop();
        int unread = Loop.Driver.LeaveInKernel(Token);
        if (unread > 0)
            throw new InvalidOperationException($"fd {fd}: {unread} bytes that were received already would be lost; read them with TryRead first.");
        if (Loop.Driver.HasUnsent(Token))
            throw new InvalidOperationException($"fd {fd}: the kernel has no room yet for all that was written, and the rest would be lost; wait for the peer to read first.");
        Loop.Driver.Unregister(Token);
        return fd;
    }

    /// <summary>A connected socket. Nothing is known of what it has to read: the registration tells if there is anything.</summary>
    internal static Connection Accepted(EventLoop loop, int fd, DescriptorKind kind) => new(loop, fd, kind, EpollEvents.Out);

    /// <summary>
    /// Ends the writing direction: the peer reads the end of the stream after what was sent, and may go on sending. Any thread: from outside the
    /// loop it is carried over, after the writes that were started before it.
    /// </summary>
    /// <exception cref="KernelException">The kernel refused. Who calls from outside the loop is not told.</exception>
    /// <exception cref="ObjectDisposedException">It was closed before.</exception>
    public void ShutdownWrite() => Shutdown(ShutdownHow.Write);

    /// <summary>
    /// Ends the reading direction: reads return 0 from now on; a unix peer's writes fail with EPIPE. Threads and failures as those of
    /// <see cref="ShutdownWrite"/>.
    /// </summary>
    public void ShutdownRead() => Shutdown(ShutdownHow.Read);

    private void Shutdown(ShutdownHow how)
    {
        int fd = OpenDescriptor;
        if (!Loop.IsCurrent)
        {
            ShutdownFromElsewhere(how);
            return;
        }

        int result = Loop.Driver.Shutdown(Token, how);
        // A peer that has reset the connection has ended both directions already.
        if (result < 0 && result != -(int)Errno.ENOTCONN)
            throw new KernelException($"shutdown({how})", fd, (Errno)(-result));
    }

    // What was written may still be with the driver, and the number may be another's by the time of a call from here.
    private void ShutdownFromElsewhere(ShutdownHow how)
    {
        Action<object?> call = how == ShutdownHow.Write
            ? static connection => ((Connection)connection!).ShutdownOnLoop(ShutdownHow.Write)
            : static connection => ((Connection)connection!).ShutdownOnLoop(ShutdownHow.Read);
        ObjectDisposedException.ThrowIf(!Loop.Queue.Post(new RunEntry(call, this)), this);
    }

    private void ShutdownOnLoop(ShutdownHow how) => Loop.Driver.Shutdown(Token, how);

    /// <summary>
    /// Closes at once with a reset: unsent data is dropped, and the peer gets ECONNRESET (SO_LINGER with zero seconds). Any thread.
    /// </summary>
    public void Abort()
    {
        // On the loop, where nobody can close the descriptor, and let its number go to a stranger, before the option is set.
        if (Loop.IsCurrent)
            AbortOnLoop();
        else
            Loop.Queue.Post(new RunEntry(static connection => ((Connection)connection!).AbortOnLoop(), this));
    }

    private void AbortOnLoop()
    {
        Loop.Driver.Discard(Token);
        Dispose();
    }
}
