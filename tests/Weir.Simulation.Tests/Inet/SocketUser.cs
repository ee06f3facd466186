using System.Net;

namespace Weir.Simulation.Tests;

/// <summary>
/// Uses sockets of a kernel and writes down what it sees, so that two kernels can be compared: results and errnos, readiness once it has
/// settled, edges. Descriptors are named by what they are, for their numbers differ.
/// </summary>
public sealed unsafe class SocketUser(Kernel kernel) : IDisposable
{
    // The real kernel hands packets of the loopback on at once, but for rare moments in which another thread does.
    private const int SettleMilliseconds = 20;

    private readonly List<int> _open = [];
    private readonly Dictionary<int, int> _epolls = [];

    public Kernel Kernel => kernel;

    public List<string> Transcript { get; } = [];

    /// <summary>Runs the same on both kernels and compares what was written down.</summary>
    public static void SameOnBothKernels(Action<SocketUser> body)
    {
        List<string> real = Run(Weir.Kernel.Linux, body);
        List<string> emulated = Run(SimKernel.Live(), body);
        Assert.Equal(real, emulated);
        Assert.NotEmpty(real);
    }

    private static List<string> Run(Kernel kernel, Action<SocketUser> body)
    {
        using var user = new SocketUser(kernel);
        body(user);
        return user.Transcript;
    }

    public void Note(string what, object? result) => Transcript.Add($"{what}: {result}");

    public void Dispose()
    {
        foreach (int fd in _open)
            kernel.Close(fd);
    }

    private int Opened(int fd)
    {
        Assert.True(fd >= 0, ((Errno)(-fd)).ToString());
        _open.Add(fd);
        return fd;
    }

    public static string Name(long result) => result < 0 ? ((Errno)(-result)).ToString() : result.ToString();

    // Making them

    public int Tcp(SocketDomain domain = SocketDomain.Inet) => Opened(kernel.Socket(domain, SocketKind.Stream, 0));

    public int Udp(SocketDomain domain = SocketDomain.Inet) => Opened(kernel.Socket(domain, SocketKind.Datagram, 0));

    public int Bind(int fd, string address = "127.0.0.1", int port = 0)
    {
        RawSocketAddress raw = RawSocketAddress.From(new IPEndPoint(IPAddress.Parse(address), port));
        return kernel.Bind(fd, raw.Pointer, raw.Length);
    }

    public int Listener(int backlog = 16, string address = "127.0.0.1")
    {
        int fd = Tcp(address.Contains(':') ? SocketDomain.Inet6 : SocketDomain.Inet);
        Assert.Equal(0, Bind(fd, address));
        Assert.Equal(0, kernel.Listen(fd, backlog));
        return fd;
    }

    public int Port(int fd) => LocalEnd(fd).Port;

    public IPEndPoint LocalEnd(int fd)
    {
        RawSocketAddress raw = RawSocketAddress.Empty;
        Assert.Equal(0, kernel.GetSockName(fd, raw.Pointer, &raw.Length));
        return (IPEndPoint)raw.ToEndPoint()!;
    }

    /// <summary>The peer's end point, or the errno's name.</summary>
    public object RemoteEnd(int fd)
    {
        RawSocketAddress raw = RawSocketAddress.Empty;
        int result = kernel.GetPeerName(fd, raw.Pointer, &raw.Length);
        return result < 0 ? Name(result) : raw.ToEndPoint()!;
    }

    public int Connect(int fd, int port, string address = "127.0.0.1")
    {
        RawSocketAddress raw = RawSocketAddress.From(new IPEndPoint(IPAddress.Parse(address), port));
        return kernel.Connect(fd, raw.Pointer, raw.Length);
    }

    public int Disconnect(int fd)
    {
        byte* unspecified = stackalloc byte[16];
        new Span<byte>(unspecified, 16).Clear();
        return kernel.Connect(fd, unspecified, 16);
    }

    public int Accept(int listener)
    {
        int fd = kernel.Accept4(listener, null, null);
        if (fd >= 0)
            _open.Add(fd);
        return fd;
    }

    /// <summary>Two connected sockets: the one that connected, and the accepted one.</summary>
    public (int Client, int Server) Pair(Action<int>? prepare = null)
    {
        int listener = Listener();
        int client = Tcp();
        prepare?.Invoke(client);
        Connect(client, Port(listener));
        Await(listener, EpollEvents.In);
        int server = Accept(listener);
        Assert.True(server >= 0, Name(server));
        Await(client, EpollEvents.Out);
        Close(listener);
        return (client, server);
    }

    public void Close(int fd)
    {
        Assert.True(_open.Remove(fd));
        Assert.Equal(0, kernel.Close(fd));
    }

    // Using them

    public long Send(int fd, int count, MessageFlags flags = MessageFlags.None)
    {
        byte[] bytes = new byte[Math.Max(1, count)];
        for (int i = 0; i < count; i++)
            bytes[i] = (byte)i;
        fixed (byte* start = bytes)
            return kernel.Send(fd, start, (nuint)count, flags | MessageFlags.NoSignal);
    }

    public long SendTo(int fd, int count, int port, string address = "127.0.0.1")
    {
        byte[] bytes = new byte[Math.Max(1, count)];
        RawSocketAddress raw = RawSocketAddress.From(new IPEndPoint(IPAddress.Parse(address), port));
        fixed (byte* start = bytes)
        {
            var vector = new IoVector { Base = start, Length = (nuint)count };
            var message = new MessageHeader { Name = raw.Pointer, NameLength = raw.Length, Vectors = &vector, VectorCount = 1 };
            return kernel.SendMessage(fd, &message, MessageFlags.NoSignal);
        }
    }

    public string Receive(int fd, int count, MessageFlags flags = MessageFlags.None)
    {
        byte[] bytes = new byte[Math.Max(1, count)];
        nint result;
        fixed (byte* start = bytes)
            result = kernel.Receive(fd, start, (nuint)count, flags);
        return result is > 0 and <= 16 && result <= count ? $"{result} ({Convert.ToHexString(bytes, 0, (int)result)})" : Name(result);
    }

    /// <summary>What recvmsg(2) gives: count, flags, and the sender's address.</summary>
    public (string Count, int Flags, EndPoint? From) ReceiveFrom(int fd, int count, MessageFlags flags = MessageFlags.None)
    {
        byte[] bytes = new byte[Math.Max(1, count)];
        RawSocketAddress raw = RawSocketAddress.Empty;
        fixed (byte* start = bytes)
        {
            var vector = new IoVector { Base = start, Length = (nuint)count };
            var message = new MessageHeader { Name = raw.Pointer, NameLength = raw.Length, Vectors = &vector, VectorCount = 1 };
            nint result = kernel.ReceiveMessage(fd, &message, flags);
            raw.Length = message.NameLength;
            return (Name(result), (int)message.Flags, result < 0 ? null : raw.ToEndPoint());
        }
    }

    public int Option(int fd, SocketLevel level, SocketOption option)
    {
        int value = 0;
        uint length = sizeof(int);
        int result = kernel.GetSockOpt(fd, level, option, &value, &length);
        return result < 0 ? result : value;
    }

    public int SetOption(int fd, SocketLevel level, SocketOption option, int value) => kernel.SetSockOpt(fd, level, option, &value, sizeof(int));

    public int SetLinger(int fd, int seconds)
    {
        long value = 1 | (long)seconds << 32;
        return kernel.SetSockOpt(fd, SocketLevel.Socket, SocketOption.SocketLinger, &value, sizeof(long));
    }

    public string Error(int fd) => ((Errno)Option(fd, SocketLevel.Socket, SocketOption.SocketError)).ToString();

    public int Queued(int fd, uint request = 0x541B)
    {
        int value = -1;
        int result = kernel.Ioctl(fd, request, &value);
        return result < 0 ? result : value;
    }

    // Readiness

    /// <summary>All that poll(2) says now.</summary>
    public EpollEvents Mask(int fd)
    {
        const EpollEvents All = EpollEvents.In | EpollEvents.Pri | EpollEvents.Out | EpollEvents.RdHup;
        var entry = new PollEntry { Descriptor = fd, Events = (short)All };
        kernel.Poll(&entry, 1, 0);
        return (EpollEvents)(ushort)entry.Returned;
    }

    /// <summary>Waits until one of the conditions holds.</summary>
    public void Await(int fd, EpollEvents events)
    {
        var entry = new PollEntry { Descriptor = fd, Events = (short)events };
        Assert.Equal(1, kernel.Poll(&entry, 1, 10_000));
    }

    /// <summary>The mask, after packets have had time to arrive.</summary>
    public EpollEvents Settled(int fd)
    {
        var nothing = new PollEntry { Descriptor = -1 };
        kernel.Poll(&nothing, 1, SettleMilliseconds);
        return Mask(fd);
    }

    /// <summary>Watches it edge-triggered, by an epoll instance of its own.</summary>
    public void Watch(int fd, EpollEvents events = EpollEvents.In | EpollEvents.Out | EpollEvents.Pri | EpollEvents.RdHup)
    {
        int epoll = Opened(kernel.EpollCreate1(FileFlags.CloseOnExec));
        byte* entry = stackalloc byte[16];
        EpollEventLayout.Set(entry, 0, events | EpollEvents.EdgeTriggered, 0);
        Assert.Equal(0, kernel.EpollCtl(epoll, EpollOp.Add, fd, entry));
        _epolls[fd] = epoll;
    }

    /// <summary>The event since the last look; None: there was no edge.</summary>
    public EpollEvents Edge(int fd)
    {
        byte* entry = stackalloc byte[16];
        int count = kernel.EpollWait(_epolls[fd], entry, 1, SettleMilliseconds);
        return count == 0 ? EpollEvents.None : EpollEventLayout.Events(entry, 0);
    }

    /// <summary>Writes until there is no more room. Bytes written.</summary>
    public long Fill(int fd)
    {
        long total = 0;
        while (true)
        {
            long sent = Send(fd, 65_536);
            if (sent < 0)
            {
                Assert.Equal(-(int)Errno.EAGAIN, sent);
                return total;
            }

            total += sent;
        }
    }

    /// <summary>Reads until there is nothing more. Bytes read.</summary>
    public long Drain(int fd)
    {
        byte[] bytes = new byte[65_536];
        long total = 0;
        fixed (byte* start = bytes)
        {
            while (kernel.Receive(fd, start, 65_536, MessageFlags.None) is nint got and > 0)
                total += got;
        }

        return total;
    }
}
