using System.Net;
using System.Net.Sockets;

namespace Weir.Net;

/// <summary>Accepts connections on a TCP or unix address.</summary>
/// <remarks>
/// For its loop's thread; Dispose for any. When the process or the system has no descriptors left, accepting pauses (a hundredth of
/// a second at first, then longer, at most one second) and goes on: clients wait in the backlog meanwhile, and nothing spins.
/// </remarks>
public sealed class Listener : IDisposable
{
    private readonly EventLoop _loop;
    private readonly ulong _token;
    private readonly IoOperation _accept;
    private readonly DescriptorKind _kind;
    private readonly CancellationTokenSource _closing = new();
    private byte[]? _path; // of a unix socket, to be removed

    private Listener(EventLoop loop, int fd, DescriptorKind kind, byte[]? path)
    {
        _loop = loop;
        _kind = kind;
        _path = path;
        LocalEndPoint = SocketCalls.LocalEndPoint(loop.Kernel, fd)!;
        _accept = new IoOperation(loop.Queue);
        _token = loop.Driver.Register(fd, DescriptorKind.Listener, EpollEvents.In, EpollEvents.None);
    }

    /// <summary>The address it listens on, with the port the kernel chose if 0 was asked for.</summary>
    public EndPoint LocalEndPoint { get; }

    /// <summary>The descriptor, to be sent to another process, for instance; -1 once disposed. It stays this listener's own: do not close it.</summary>
    public int FileDescriptor => _loop.Driver.DescriptorOf(_token);

    /// <summary>How often accepting paused for lack of descriptors or memory.</summary>
    public long Pauses { get; private set; }

    /// <summary>Listens on <paramref name="endPoint"/> on the current loop.</summary>
    /// <param name="endPoint">An <see cref="IPEndPoint"/> (port 0: the kernel chooses) or a <see cref="UnixDomainSocketEndPoint"/>.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="KernelException">EADDRINUSE, EACCES, EADDRNOTAVAIL and the like.</exception>
    public static Listener Bind(EndPoint endPoint, ListenOptions? options = null)
    {
        options ??= new ListenOptions();
        EventLoop loop = EventLoop.Required;
        RawSocketAddress address = RawSocketAddress.From(endPoint);
        int fd = SocketCalls.Open(loop.Kernel, address.Domain);
        try
        {
            return address.Domain == SocketDomain.Unix
                ? BindUnix(loop, fd, address, (UnixDomainSocketEndPoint)endPoint, options)
                : BindTcp(loop, fd, address, options);
        }
        catch
        {
            loop.Kernel.Close(fd);
            throw;
        }
    }

    private static unsafe Listener BindTcp(EventLoop loop, int fd, RawSocketAddress address, ListenOptions options)
    {
        Kernel kernel = loop.Kernel;
        if (options.ReuseAddress)
            SocketCalls.SetOption(kernel, fd, SocketLevel.Socket, SocketOption.SocketReuseAddress, 1);
        if (options.ReusePort)
            SocketCalls.SetOption(kernel, fd, SocketLevel.Socket, SocketOption.SocketReusePort, 1);
        if (options.NoDelay)
            SocketCalls.SetOption(kernel, fd, SocketLevel.Tcp, SocketOption.TcpNoDelay, 1);
        if (address.Domain == SocketDomain.Inet6)
            SocketCalls.SetOption(kernel, fd, SocketLevel.Ipv6, SocketOption.Ipv6Only, options.DualMode ? 0 : 1);
        KernelException.Check(kernel.Bind(fd, address.Pointer, address.Length), $"bind({address.ToEndPoint()})", fd);
        KernelException.Check(kernel.Listen(fd, options.Backlog), $"listen({address.ToEndPoint()})", fd);
        return new Listener(loop, fd, DescriptorKind.Tcp, null);
    }

    private static Listener BindUnix(EventLoop loop, int fd, RawSocketAddress address, UnixDomainSocketEndPoint endPoint, ListenOptions options)
    {
        Kernel kernel = loop.Kernel;
        byte[]? path = UnixPath.Bind(kernel, fd, address, endPoint, SocketKind.Stream, options.ReuseAddress);
        try
        {
            KernelException.Check(kernel.Listen(fd, options.Backlog), $"listen({endPoint})", fd);
            return new Listener(loop, fd, DescriptorKind.Socket, path);
        }
        catch
        {
            if (path != null)
                UnixPath.Remove(kernel, path);
            throw;
        }
    }

    /// <summary>
    /// Takes over a stream socket that listens already, as socket activation hands over (<see cref="InheritedDescriptors"/>), on the current loop. It
    /// is made non-blocking, and is this listener's from here on. The path of a unix socket stays when the listener is disposed: who made it removes it.
    /// </summary>
    /// <param name="fileDescriptor">A TCP or unix socket.</param>
    /// <param name="noDelay">TCP_NODELAY on accepted connections. Defaults to true.</param>
    /// <exception cref="KernelException">ENOTSOCK: not a socket; EBADF: not open; ENOSPC: the loop has no room. It is then still the caller's.</exception>
    /// <exception cref="ArgumentException">Not a stream socket that listens. It is then still the caller's.</exception>
    public static Listener FromDescriptor(int fileDescriptor, bool noDelay = true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(fileDescriptor);
        EventLoop loop = EventLoop.Required;
        Kernel kernel = loop.Kernel;
        (SocketDomain domain, SocketKind type) = SocketCalls.Describe(kernel, fileDescriptor);
        if (type != SocketKind.Stream || domain is not (SocketDomain.Inet or SocketDomain.Inet6 or SocketDomain.Unix))
            throw new ArgumentException($"fd {fileDescriptor} is no stream socket, TCP or unix.", nameof(fileDescriptor));
        if (SocketCalls.GetOption(kernel, fileDescriptor, SocketLevel.Socket, SocketOption.SocketAcceptConnections) == 0)
            throw new ArgumentException($"fd {fileDescriptor} does not listen: hand over a socket after listen(2), or use Connection.FromDescriptor.", nameof(fileDescriptor));
        SocketCalls.MakeOurs(kernel, fileDescriptor);
        if (noDelay && domain != SocketDomain.Unix)
            SocketCalls.SetOption(kernel, fileDescriptor, SocketLevel.Tcp, SocketOption.TcpNoDelay, 1);
        return new Listener(loop, fileDescriptor, domain == SocketDomain.Unix ? DescriptorKind.Socket : DescriptorKind.Tcp, null);
    }

    /// <summary>Accepts one connection. Survives the lack of descriptors: it waits and tries again.</summary>
    /// <exception cref="BusyResourceException">Someone else is accepting.</exception>
    /// <exception cref="ObjectDisposedException">The listener was disposed, before or meanwhile.</exception>
    /// <exception cref="KernelException">accept4(2) failed for a reason that does not pass: EINVAL, after a shutdown of the socket, and the like.</exception>
    /// <exception cref="InvalidOperationException">The caller is not on the loop's thread.</exception>
    public async ValueTask<Connection> AcceptAsync(CancellationToken cancellationToken = default)
    {
        if (!_loop.IsCurrent)
            throw new InvalidOperationException("A listener accepts on the thread of its loop; post to the loop from elsewhere.");
        BackOff pauses = BackOff.Shortage;
        while (true)
        {
            int result = await AcceptDescriptor(cancellationToken);
            if (result >= 0 && TryTake(result) is { } connection)
                return connection;
            Pauses++;
            await Pause(pauses.Next(), cancellationToken);
        }
    }

    // Null: the loop has no room to watch one more descriptor now; the connection is closed.
    private Connection? TryTake(int fd)
    {
        try
        {
            return Connection.Accepted(_loop, fd, _kind);
        }
        catch (KernelException exception) when (exception.Errno is Errno.ENOSPC or Errno.ENOMEM)
        {
            return null;
        }
    }

    private async Task Pause(TimeSpan time, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _closing.Token);
        try
        {
            await _loop.Delay(time, either.Token);
        }
        catch (OperationCanceledException)
        {
            // Disposed: the next look at the descriptor says so.
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>
    /// Accepts connections until cancelled or disposed, and starts <paramref name="handler"/> for each. A connection is disposed when its
    /// handler ends. Completes when the token is cancelled or the listener disposed, without an exception; handlers may run on.
    /// </summary>
    /// <remarks>
    /// A handler that ends with an <see cref="IOException"/>, <see cref="OperationCanceledException"/> or
    /// <see cref="ObjectDisposedException"/>, or an <see cref="AggregateException"/> of nothing else, has lost its connection, which is everyday
    /// life; any other failure goes to
    /// <see cref="LoopOptions.UnhandledException"/>.
    /// </remarks>
    /// <exception cref="BusyResourceException">Someone else is accepting.</exception>
    /// <exception cref="KernelException">As of <see cref="AcceptAsync"/>.</exception>
    /// <exception cref="InvalidOperationException">The caller is not on the loop's thread.</exception>
    public async Task AcceptAllAsync(Func<Connection, Task> handler, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(handler);
        string name = $"connection of {LocalEndPoint}";
        while (true)
        {
            Connection connection;
            try
            {
                connection = await AcceptAsync(cancellationToken);
            }
            catch (Exception exception) when (exception is ObjectDisposedException || (exception is OperationCanceledException && cancellationToken.IsCancellationRequested))
            {
                return;
            }

            _loop.StartTask(new ConnectionTask(name, connection), handler, connection);
        }
    }

    private sealed class ConnectionTask(string name, Connection connection) : LoopTask(connection.Loop)
    {
        public override string? Name => name;

        private protected override EventLoop Loop => connection.Loop;

        private protected override void Ended()
        {
            connection.Dispose();
            if (Failure is { } failure && !IsLoss(failure))
                connection.Loop.OnUnhandled(failure);
        }

        // A handler with a reader and a writer in a task group loses its connection twice.
        private static bool IsLoss(Exception failure)
            => failure is IOException or OperationCanceledException or ObjectDisposedException
                || (failure is AggregateException several && several.InnerExceptions.All(IsLoss));
    }

    // A descriptor, or the negated errno of a shortage that will pass.
    private async ValueTask<int> AcceptDescriptor(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_accept.Status != AwaitableStatus.Idle)
            throw new BusyResourceException($"Another task is already accepting on {LocalEndPoint}; one at a time.");
        _accept.Prepare(OperationKind.Accept, _token, default, EpollEvents.In);
        try
        {
            if (!_accept.Start())
                return await _accept.AsValueTask(cancellationToken);
        }
        catch (KernelException exception) when (WillPass(exception.Errno))
        {
            return -(int)exception.Errno;
        }

        int result = _accept.TakeResult();
        if (result >= 0 || WillPass((Errno)(-result)))
            return result;
        throw IoOperation.ToException(OperationKind.Accept, result, _loop.Driver.DescriptorOf(_token), cancellationToken);

        static bool WillPass(Errno errno) => errno is Errno.EMFILE or Errno.ENFILE or Errno.ENOBUFS or Errno.ENOMEM;
    }

    /// <summary>Stops listening: connections not yet accepted are reset; a unix path is removed. Connections accepted before live on.</summary>
    public void Dispose()
    {
        if (_loop.IsCurrent)
            CloseOnLoop();
        else if (!_loop.Queue.Post(new RunEntry(static listener => ((Listener)listener!).CloseOnLoop(), this)))
            UnixPath.RemoveOnce(_loop.Kernel, ref _path); // the loop has closed the descriptor when it stopped
    }

    private void CloseOnLoop()
    {
        if (_loop.Driver.DescriptorOf(_token) < 0)
            return;
        // Before the close: from then on somebody else may take the path.
        UnixPath.RemoveOnce(_loop.Kernel, ref _path);
        _loop.Driver.Close(_token);
        _closing.Cancel();
    }
}
