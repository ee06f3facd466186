using System.Net;
using System.Net.Sockets;

namespace Weir.Net;

/// <summary>
/// A socket of datagrams on a loop: UDP of either version (udp(7)), or unix (unix(7)). Each datagram is sent and received whole; an empty one is a
/// datagram like any other, and there is no end.
/// </summary>
/// <remarks>
/// <para>For its loop's thread; Dispose for any. One receiver and one sender at a time. Nothing is allocated for a datagram, except by the members that
/// return an end point.</para>
/// <para>UDP promises nothing: datagrams may be lost, come twice or in another order. What the network says of an earlier one (nobody
/// listens there: ECONNREFUSED) a connected socket learns from its next call, as a <see cref="KernelException"/>; the socket lives on.</para>
/// </remarks>
public sealed partial class DatagramSocket : IDisposable
{
    private const int Inet4AddressSize = 16, Inet6AddressSize = 28, UnixAddressSize = 110;

    private readonly EventLoop _loop;
    private readonly ulong _token;
    private readonly DatagramOperation _reader;
    private readonly DatagramOperation _writer;
    private byte[]? _path; // of a unix socket, to be removed

    private DatagramSocket(EventLoop loop, int fd, SocketDomain domain, byte[]? path, bool receivesTrains)
    {
        _loop = loop;
        Domain = domain;
        _reader = new DatagramOperation(loop, domain, writes: false) { Trains = receivesTrains && domain != SocketDomain.Unix ? new ReceivedTrains() : null };
        _writer = new DatagramOperation(loop, domain, writes: true);
        // Watched for room only while a send waits: each datagram that leaves would be an event else.
        _token = loop.Driver.Register(fd, DescriptorKind.Other, EpollEvents.In, EpollEvents.In | EpollEvents.Out);
        _path = path;
    }

    /// <summary>The loop it lives on. Any thread.</summary>
    public EventLoop Loop => _loop;

    /// <summary>The address family. Any thread.</summary>
    public SocketDomain Domain { get; }

    /// <summary>The descriptor, for calls this type has no member for; -1 once closed. It stays this socket's own: do not close it.</summary>
    public int FileDescriptor => _loop.Driver.DescriptorOf(_token);

    /// <summary>Makes a socket without an address on the current loop. The kernel gives one of UDP a port at its first send or connect.</summary>
    /// <exception cref="KernelException">No descriptors left, or no such family here.</exception>
    public static DatagramSocket Open(SocketDomain domain, DatagramOptions? options = null)
    {
        if (domain is not (SocketDomain.Inet or SocketDomain.Inet6 or SocketDomain.Unix))
            throw new ArgumentOutOfRangeException(nameof(domain), domain, "Datagrams are of the families Inet, Inet6 and Unix.");
        EventLoop loop = EventLoop.Required;
        int fd = OpenDescriptorOf(loop.Kernel, domain, options ?? new DatagramOptions());
        return Taken(loop, fd, domain, null, options is { ReceivesTrains: true });
    }

    /// <summary>Makes a socket with an address on the current loop.</summary>
    /// <param name="endPoint">
    /// An <see cref="IPEndPoint"/> (port 0: the kernel chooses; a group's address: its datagrams only) or a <see cref="UnixDomainSocketEndPoint"/>, whose path is
    /// removed by Dispose.
    /// </param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="KernelException">EADDRINUSE, EACCES, EADDRNOTAVAIL and the like.</exception>
    public static unsafe DatagramSocket Bind(EndPoint endPoint, DatagramOptions? options = null)
    {
        options ??= new DatagramOptions();
        RawSocketAddress address = RawSocketAddress.From(endPoint);
        EventLoop loop = EventLoop.Required;
        Kernel kernel = loop.Kernel;
        int fd = OpenDescriptorOf(kernel, address.Domain, options);
        byte[]? path = null;
        try
        {
            if (address.Domain == SocketDomain.Unix)
                path = UnixPath.Bind(kernel, fd, address, endPoint, SocketKind.Datagram, options.ReuseAddress);
            else
                KernelException.Check(kernel.Bind(fd, address.Pointer, address.Length), $"bind({endPoint})", fd);
        }
        catch
        {
            kernel.Close(fd);
            throw;
        }

        return Taken(loop, fd, address.Domain, path, options.ReceivesTrains);
    }

    /// <summary>Two connected unix sockets on the current loop.</summary>
    /// <exception cref="KernelException">No descriptors left.</exception>
    public static unsafe (DatagramSocket First, DatagramSocket Second) CreatePair()
    {
        EventLoop loop = EventLoop.Required;
        int* fds = stackalloc int[2];
        KernelException.Check(loop.Kernel.SocketPair(SocketDomain.Unix, SocketKind.Datagram, 0, fds), "socketpair");
        return DescriptorPair.Take(loop, new ReadOnlySpan<int>(fds, 2), static (loop, fd, _) => Taken(loop, fd, SocketDomain.Unix, null));
    }

    /// <summary>
    /// Takes over a datagram socket that something else made, bound, connected, both or neither, as socket activation hands over
    /// (<see cref="InheritedDescriptors"/>) or another process sends it, on the current loop. It is made non-blocking and close-on-exec, and is this
    /// socket's from here on. The path of a unix one stays when it is disposed: who made it removes it.
    /// </summary>
    /// <param name="fileDescriptor">A UDP or unix socket.</param>
    /// <exception cref="KernelException">ENOTSOCK: not a socket; EBADF: not open; ENOSPC: the loop has no room. It is then still the caller's.</exception>
    /// <exception cref="ArgumentException">Not a socket of datagrams, or of another family. It is then still the caller's.</exception>
    public static DatagramSocket FromDescriptor(int fileDescriptor)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(fileDescriptor);
        EventLoop loop = EventLoop.Required;
        (SocketDomain domain, SocketKind type) = SocketCalls.Describe(loop.Kernel, fileDescriptor);
        if (type != SocketKind.Datagram || domain is not (SocketDomain.Inet or SocketDomain.Inet6 or SocketDomain.Unix))
        {
            throw new ArgumentException(
                $"fd {fileDescriptor} is no datagram socket, UDP or unix: getsockopt says {type} (SO_TYPE) and {domain} (SO_DOMAIN); for streams use Connection.FromDescriptor or Listener.FromDescriptor.",
                nameof(fileDescriptor));
        }

        SocketCalls.MakeOurs(loop.Kernel, fileDescriptor);
        return new DatagramSocket(loop, fileDescriptor, domain, null, ReceivesTrainsAlready(loop.Kernel, fileDescriptor, domain));
    }

    // Kernels that cannot be asked have no trains.
    private static unsafe bool ReceivesTrainsAlready(Kernel kernel, int fd, SocketDomain domain)
    {
        int value = 0;
        uint length = sizeof(int);
        return domain != SocketDomain.Unix && kernel.GetSockOpt(fd, SocketLevel.Udp, SocketOption.UdpReceiveSegment, &value, &length) >= 0 && value != 0;
    }

    /// <summary>
    /// Gives the descriptor back to the caller, who owns it from here on, and the path of a unix one with it; operations in progress end as if it were
    /// closed. Nothing that was received is lost.
    /// </summary>
    /// <exception cref="InvalidOperationException">
    /// Datagrams that came together (<see cref="DatagramOptions.ReceivesTrains"/>) were not all received yet: receive them with <see cref="TryReceive"/> first.
    /// </exception>
    public int ReleaseDescriptor()
    {
        int fd = DescriptorOnLoop();
        if (_reader.Trains is { IsEmpty: false })
            throw new InvalidOperationException($"fd {fd}: datagrams that were received already would be lost; receive them with TryReceive first.");
        Interlocked.Exchange(ref _path, null); // as RemoveOnce: Dispose may come from any thread
        _loop.Driver.Unregister(_token);
        return fd;
    }

    // Takes over the descriptor; if the loop cannot take it, it is closed.
    private static DatagramSocket Taken(EventLoop loop, int fd, SocketDomain domain, byte[]? path, bool receivesTrains = false)
    {
        try
        {
            return new DatagramSocket(loop, fd, domain, path, receivesTrains);
        }
        catch
        {
            if (path != null)
                UnixPath.Remove(loop.Kernel, path);
            loop.Kernel.Close(fd);
            throw;
        }
    }

    private static int OpenDescriptorOf(Kernel kernel, SocketDomain domain, DatagramOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(options.ReceiveBufferSize);
        ArgumentOutOfRangeException.ThrowIfNegative(options.SendBufferSize);
        int fd = SocketCalls.Open(kernel, domain, SocketKind.Datagram);
        try
        {
            if (domain != SocketDomain.Unix)
            {
                Set(options.ReuseAddress, SocketOption.SocketReuseAddress);
                Set(options.ReusePort, SocketOption.SocketReusePort);
                Set(options.Broadcast, SocketOption.SocketBroadcast);
                if (options.ReceivesTrains)
                    SocketCalls.SetOption(kernel, fd, SocketLevel.Udp, SocketOption.UdpReceiveSegment, 1);
            }

            if (domain == SocketDomain.Inet6)
                SocketCalls.SetOption(kernel, fd, SocketLevel.Ipv6, SocketOption.Ipv6Only, options.DualMode ? 0 : 1);
            if (options.ReceiveBufferSize > 0)
                SocketCalls.SetOption(kernel, fd, SocketLevel.Socket, SocketOption.SocketReceiveBuffer, options.ReceiveBufferSize);
            if (options.SendBufferSize > 0)
                SocketCalls.SetOption(kernel, fd, SocketLevel.Socket, SocketOption.SocketSendBuffer, options.SendBufferSize);
            return fd;
        }
        catch
        {
            kernel.Close(fd);
            throw;
        }

        void Set(bool on, SocketOption option)
        {
            if (on)
                SocketCalls.SetOption(kernel, fd, SocketLevel.Socket, option, 1);
        }
    }

    // Addresses

    /// <summary>The local address; null for an unnamed unix socket.</summary>
    public EndPoint? LocalEndPoint => SocketCalls.LocalEndPoint(_loop.Kernel, DescriptorOnLoop());

    /// <summary>The peer that it is connected to; null for an unnamed unix socket.</summary>
    /// <exception cref="KernelException">ENOTCONN: to nobody.</exception>
    public EndPoint? RemoteEndPoint => SocketCalls.RemoteEndPoint(_loop.Kernel, DescriptorOnLoop());

    /// <summary>Whether it is connected to a peer. One that was taken over may be.</summary>
    public bool IsConnected => SocketCalls.IsConnected(_loop.Kernel, DescriptorOnLoop());

    /// <summary>An address with room for those of this socket's family, to receive with.</summary>
    public SocketAddress CreateAddress() => Domain switch
    {
        SocketDomain.Inet => new SocketAddress(AddressFamily.InterNetwork, Inet4AddressSize),
        SocketDomain.Inet6 => new SocketAddress(AddressFamily.InterNetworkV6, Inet6AddressSize),
        _ => new SocketAddress(AddressFamily.Unix, UnixAddressSize),
    };

    /// <summary>
    /// Says whom it sends to and receives from: datagrams of others are not received any more, and errors that the network reports of those sent come
    /// to this socket. May be called again with another peer. connect(2); nothing is sent.
    /// </summary>
    /// <exception cref="KernelException">No route; on unix sockets: nobody there (ECONNREFUSED, ENOENT), or connected to another (EPERM).</exception>
    public void Connect(EndPoint remote)
    {
        RequireLoop();
        RawSocketAddress address = RawSocketAddress.From(remote);
        Connect(address, $"connect({remote})");
    }

    /// <summary>
    /// Connected to nobody again. A port that the kernel chose is given back (bind to a number to keep it), and what the peer has sent and is not
    /// received yet may be lost (unix sockets).
    /// </summary>
    public void Disconnect()
    {
        RequireLoop();
        RawSocketAddress unspecified = default; // AF_UNSPEC dissolves the association: connect(2)
        unspecified.Length = Inet4AddressSize;
        Connect(unspecified, "connect(AF_UNSPEC)");
    }

    private unsafe void Connect(RawSocketAddress address, string call)
    {
        int fd = OpenDescriptor, result;
        do
            result = _loop.Kernel.Connect(fd, address.Pointer, address.Length);
        while (result == -(int)Errno.EINTR);
        KernelException.Check(result, call, fd);
    }

    // The end

    /// <summary>Closes the socket. Operations in progress end with <see cref="ObjectDisposedException"/>. Any thread.</summary>
    public void Dispose()
    {
        if (_loop.IsCurrent)
            CloseOnLoop();
        else if (!_loop.Queue.Post(new RunEntry(static socket => ((DatagramSocket)socket!).CloseOnLoop(), this)))
            UnixPath.RemoveOnce(_loop.Kernel, ref _path); // the loop has closed the descriptor when it stopped
    }

    private void CloseOnLoop()
    {
        if (_loop.Driver.DescriptorOf(_token) < 0)
            return;
        // Before the close: from then on somebody else may take the path.
        UnixPath.RemoveOnce(_loop.Kernel, ref _path);
        _loop.Driver.Close(_token);
    }

    private int OpenDescriptor
    {
        get
        {
            int fd = FileDescriptor;
            ObjectDisposedException.ThrowIf(fd < 0, this);
            return fd;
        }
    }

    private int DescriptorOnLoop()
    {
        RequireLoop();
        return OpenDescriptor;
    }

    private void RequireLoop()
    {
        if (!_loop.IsCurrent)
            throw new InvalidOperationException("A datagram socket is for the thread of its loop; bring the call there with the loop's InvokeAsync.");
    }
}
