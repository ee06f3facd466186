using System.Net;
using System.Net.Sockets;

namespace Weir.Conformance;

// Sockets.
public abstract unsafe partial class Machine
{
    private static int s_names;

    // Making them

    /// <summary>Two connected unix sockets.</summary>
    public (Fd A, Fd B) SocketPair(SocketKind kind = SocketKind.Stream)
    {
        int* fds = stackalloc int[2];
        string name = NewName("s");
        int result = Kernel.SocketPair(SocketDomain.Unix, kind, 0, fds);
        if (result < 0)
            Fail($"socketpair: {Outcome.Show(result)}");
        Fd a = Keep(name + ".a", fds[0], FdKind.Unix), b = Keep(name + ".b", fds[1], FdKind.Unix);
        Note($"{a}, {b} = socketpair({kind})");
        return (a, b);
    }

    /// <summary>A unix socket that is not connected.</summary>
    public Fd UnixSocket() => Socket("us", SocketDomain.Unix, SocketKind.Stream, FdKind.Unix);

    /// <summary>A listening unix socket with a name outside the file system.</summary>
    public Fd UnixListener(int backlog)
    {
        Fd fd = Socket("ul", SocketDomain.Unix, SocketKind.Stream, FdKind.Unix);
        string name = $"\0weir-{Environment.ProcessId}-{Interlocked.Increment(ref s_names)}";
        fd.Address = RawSocketAddress.From(new UnixDomainSocketEndPoint(name));
        RawSocketAddress address = fd.Address;
        Call($"bind({fd})", Kernel.Bind(fd.Number, address.Pointer, address.Length)).Is(0);
        Listen(fd, backlog).Is(0);
        return fd;
    }

    /// <summary>A TCP socket that is neither bound nor connected.</summary>
    public Fd TcpSocket() => Socket("t", SocketDomain.Inet, SocketKind.Stream, FdKind.Tcp);

    /// <summary>A listening TCP socket at a free port of the loopback.</summary>
    public Fd TcpListener(int backlog = 16)
    {
        Fd fd = Socket("tl", SocketDomain.Inet, SocketKind.Stream, FdKind.Tcp);
        BindToLoopback(fd);
        Listen(fd, backlog).Is(0);
        return fd;
    }

    /// <summary>Two connected TCP sockets, all else settled.</summary>
    public (Fd Client, Fd Server) TcpPair()
    {
        Fd listener = TcpListener();
        Fd client = TcpSocket();
        Connect(client, listener).Is(Errno.EINPROGRESS);
        Settle();
        Fd server = Accept(listener);
        Close(listener);
        Settle();
        return (client, server);
    }

    /// <summary>A UDP socket at a free port of the loopback.</summary>
    public Fd Udp()
    {
        Fd fd = Socket("u", SocketDomain.Inet, SocketKind.Datagram, FdKind.Udp);
        BindToLoopback(fd);
        return fd;
    }

    /// <summary>Two UDP sockets that are each other's peers.</summary>
    public (Fd A, Fd B) UdpPair()
    {
        Fd a = Udp(), b = Udp();
        Connect(a, b).Is(0);
        Connect(b, a).Is(0);
        return (a, b);
    }

    private Fd Socket(string name, SocketDomain domain, SocketKind kind, FdKind fdKind)
    {
        Fd fd = Keep(NewName(name), Kernel.Socket(domain, kind, 0), fdKind);
        Note($"{fd} = socket({domain}, {kind})");
        return fd;
    }

    /// <summary>Gives a socket a free port of the loopback.</summary>
    public void BindToLoopback(Fd fd)
    {
        RawSocketAddress address = RawSocketAddress.From(new IPEndPoint(IPAddress.Loopback, 0));
        Call($"bind({fd})", Kernel.Bind(fd.Number, address.Pointer, address.Length)).Is(0);
        RawSocketAddress bound = RawSocketAddress.Empty;
        int result = Kernel.GetSockName(fd.Number, bound.Pointer, &bound.Length);
        if (result < 0)
            Fail($"getsockname: {Outcome.Show(result)}");
        fd.Address = bound;
    }

    /// <summary>listen(2).</summary>
    public Outcome Listen(Fd fd, int backlog) => Call($"listen({fd}, {backlog})", Kernel.Listen(fd.Number, backlog));

    /// <summary>connect(2) to where another socket is bound.</summary>
    public Outcome Connect(Fd fd, Fd target)
    {
        RawSocketAddress address = target.Address;
        return Call($"connect({fd}, {target})", Kernel.Connect(fd.Number, address.Pointer, address.Length));
    }

    /// <summary>connect(2) to nowhere (AF_UNSPEC), which resets a connection.</summary>
    public Outcome Disconnect(Fd fd)
    {
        ushort unspecified = (ushort)SocketDomain.Unspecified;
        return Call($"disconnect({fd})", Kernel.Connect(fd.Number, &unspecified, sizeof(ushort)));
    }

    /// <summary>accept(2); null if the kernel refuses.</summary>
    public Fd? Accept(Fd listener, out Outcome outcome)
    {
        int number = Kernel.Accept4(listener.Number, null, null);
        Fd? fd = number < 0 ? null : Keep(NewName(listener.Kind == FdKind.Tcp ? "t" : "us"), number, listener.Kind);
        outcome = Call($"{fd?.ToString() ?? "none"} = accept({listener})", Math.Min(number, 0));
        return fd;
    }

    /// <summary>accept(2) of a connection that is there.</summary>
    public Fd Accept(Fd listener)
    {
        Fd? fd = Accept(listener, out Outcome outcome);
        outcome.Is(0);
        return fd!;
    }

    // Using them

    /// <summary>shutdown(2).</summary>
    public Outcome Shutdown(Fd fd, ShutdownHow how) => Call($"shutdown({fd}, {how})", Kernel.Shutdown(fd.Number, how));

    /// <summary>Sends letters: send(2).</summary>
    public Outcome Send(Fd fd, int count, MessageFlags flags = MessageFlags.None)
        => Put(flags == 0 ? "send" : $"send {flags}", fd, count, (bytes, length) => Kernel.Send(fd.Number, bytes, length, flags | MessageFlags.NoSignal));

    /// <summary>Receives: recv(2).</summary>
    public Outcome Receive(Fd fd, int count, MessageFlags flags = MessageFlags.None)
        => Take(flags == 0 ? "recv" : $"recv {flags}", fd, count, (bytes, length) => Kernel.Receive(fd.Number, bytes, length, flags));

    /// <summary>
    /// Fills a TCP connection and all that is behind it, until not a byte goes in and nothing is under way. How much that takes is each run's own.
    /// </summary>
    public void Saturate(Fd fd)
    {
        const int block = 16_384;
        byte* bytes = stackalloc byte[block];
        new Span<byte>(bytes, block).Fill((byte)'f');
        nint last;
        while (true)
        {
            Settle();
            if ((last = Kernel.Write(fd.Number, bytes, 1)) < 0)
                break;
            while (Kernel.Write(fd.Number, bytes, block) > 0)
            {
            }
        }

        Call($"saturate({fd})", last);
    }

    /// <summary>Reads all that there is and that comes after it.</summary>
    public void ReadToEnd(Fd fd)
    {
        const int block = 16_384;
        byte* bytes = stackalloc byte[block];
        nint last;
        bool any;
        do
        {
            any = false;
            while ((last = Kernel.Read(fd.Number, bytes, block)) > 0)
                any = true;
            Settle();
        }
        while (any);
        Call($"read all({fd})", last);
    }

    /// <summary>Sends letters together with a descriptor (SCM_RIGHTS of unix(7)).</summary>
    public Outcome SendDescriptor(Fd fd, int count, Fd passed)
        => Put($"send {passed} over", fd, count, (bytes, length) =>
        {
            // struct cmsghdr: length, level SOL_SOCKET, type SCM_RIGHTS; then the descriptor.
            byte* control = stackalloc byte[24];
            *(nuint*)control = 20;
            *(int*)(control + 8) = 1;
            *(int*)(control + 12) = 1;
            *(int*)(control + 16) = passed.Number;
            var vector = new IoVector { Base = bytes, Length = length };
            var message = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = 24 };
            return Kernel.SendMessage(fd.Number, &message, MessageFlags.NoSignal);
        });

    /// <summary>Sets an option that is a number.</summary>
    public Outcome SetOption(Fd fd, SocketLevel level, SocketOption option, int value)
        => Call($"setsockopt({fd}, {level}, {(int)option}, {value})", Kernel.SetSockOpt(fd.Number, level, option, &value, sizeof(int)));

    /// <summary>Sets an option of the socket level that is a number.</summary>
    public Outcome SetOption(Fd fd, SocketOption option, int value) => SetOption(fd, SocketLevel.Socket, option, value);

    /// <summary>The value of an option of the socket level that is a number.</summary>
    public Outcome GetOption(Fd fd, SocketOption option) => GetOption(fd, SocketLevel.Socket, option);

    /// <summary>The value of an option that is a number.</summary>
    public Outcome GetOption(Fd fd, SocketLevel level, SocketOption option)
    {
        int value = 0;
        uint length = sizeof(int);
        int result = Kernel.GetSockOpt(fd.Number, level, option, &value, &length);
        return Call($"getsockopt({fd}, {(level == SocketLevel.Socket ? "" : $"{level}, ")}{(int)option})", result < 0 ? result : value);
    }

    /// <summary>The pending error of a socket, which is thereby taken.</summary>
    public void ExpectError(Fd fd, Errno expected) => GetOption(fd, SocketOption.SocketError).Is((long)expected);

    /// <summary>Closes a TCP connection by a reset.</summary>
    public void Reset(Fd fd)
    {
        int* linger = stackalloc int[2] { 1, 0 };
        Call($"setsockopt({fd}, linger 0)", Kernel.SetSockOpt(fd.Number, SocketLevel.Socket, SocketOption.SocketLinger, linger, 8)).Is(0);
        Close(fd);
    }
}
