namespace Weir.Simulation.Tests;

/// <summary>Programs against the door itself: a kernel's calls with managed arguments, results or negated errnos as they are.</summary>
internal sealed unsafe class Raw(Kernel kernel)
{
    internal const EpollEvents In = EpollEvents.In;
    internal const EpollEvents Out = EpollEvents.Out;
    internal const EpollEvents EdgeTriggered = EpollEvents.EdgeTriggered;
    internal const EpollEvents OneShot = EpollEvents.OneShot;

    internal Kernel Kernel => kernel;

    internal static int Error(Errno errno) => -(int)errno;

    internal int Counter(uint value = 0, EventFdFlags flags = EventFdFlags.NonBlock) => Made(kernel.EventFd(value, flags | EventFdFlags.CloseOnExec));

    internal int Epoll() => Made(kernel.EpollCreate1(FileFlags.CloseOnExec));

    internal (int First, int Second) Pair()
    {
        int* fds = stackalloc int[2];
        Assert.Equal(0, kernel.SocketPair(SocketDomain.Unix, SocketKind.Stream, 0, fds));
        return (fds[0], fds[1]);
    }

    /// <summary>A TCP connection over the loopback, for threads that may wait.</summary>
    internal (int First, int Second) TcpPair()
    {
        int listener = Made(kernel.Socket(SocketDomain.Inet, SocketKind.Stream, 0)), first = Made(kernel.Socket(SocketDomain.Inet, SocketKind.Stream, 0));
        RawSocketAddress address = RawSocketAddress.From(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 7000));
        Assert.Equal(0, kernel.Bind(listener, address.Pointer, address.Length));
        Assert.Equal(0, kernel.Listen(listener, 1));
        Assert.Equal(Error(Errno.EINPROGRESS), kernel.Connect(first, address.Pointer, address.Length));
        Await(listener, In);
        int second = Made(Accept(listener));
        Close(listener);
        return (first, second);
    }

    /// <summary>Waits until a descriptor is ready, for threads that may.</summary>
    internal void Await(int fd, EpollEvents events)
    {
        var entry = new PollEntry { Descriptor = fd, Events = (short)events };
        Assert.Equal(1, kernel.Poll(&entry, 1, -1));
    }

    internal int Listener(string name, int backlog = 8)
    {
        int fd = Made(kernel.Socket(SocketDomain.Unix, SocketKind.Stream, 0));
        byte* address = stackalloc byte[128];
        uint length = Address(name, address);
        Assert.Equal(0, kernel.Bind(fd, address, length));
        Assert.Equal(0, kernel.Listen(fd, backlog));
        return fd;
    }

    internal int Client(string name)
    {
        int fd = Made(kernel.Socket(SocketDomain.Unix, SocketKind.Stream, 0));
        byte* address = stackalloc byte[128];
        uint length = Address(name, address);
        Assert.Equal(0, kernel.Connect(fd, address, length));
        return fd;
    }

    // A name that leaves nothing in the file system: it begins with a zero.
    private static uint Address(string name, byte* address)
    {
        *(ushort*)address = (ushort)SocketDomain.Unix;
        address[2] = 0;
        for (int i = 0; i < name.Length; i++)
            address[3 + i] = (byte)name[i];
        return (uint)(3 + name.Length);
    }

    internal int Accept(int fd) => kernel.Accept4(fd, null, null);

    internal int Control(int epoll, EpollOp op, int fd, EpollEvents events = EpollEvents.None, ulong? data = null)
    {
        byte* entry = stackalloc byte[16];
        EpollEventLayout.Set(entry, 0, events, data ?? (ulong)fd);
        return kernel.EpollCtl(epoll, op, fd, entry);
    }

    internal void Add(int epoll, int fd, EpollEvents events, ulong? data = null) => Assert.Equal(0, Control(epoll, EpollOp.Add, fd, events, data));

    /// <summary>One event: its mask and data; (the result, 0) if there was none.</summary>
    internal (int Count, EpollEvents Events, ulong Data) Wait(int epoll, int milliseconds = -1)
    {
        byte* entry = stackalloc byte[16];
        int count = kernel.EpollWait(epoll, entry, 1, milliseconds);
        return count == 1 ? (count, EpollEventLayout.Events(entry, 0), EpollEventLayout.Data(entry, 0)) : (count, EpollEvents.None, 0);
    }

    internal long Signal(int fd, ulong value = 1) => kernel.Write(fd, &value, sizeof(ulong));

    /// <summary>The counter's value, or a negated errno.</summary>
    internal long Take(int fd)
    {
        ulong value;
        nint result = kernel.Read(fd, &value, sizeof(ulong));
        return result == sizeof(ulong) ? (long)value : result;
    }

    internal long Write(int fd, int bytes)
    {
        fixed (byte* buffer = new byte[bytes])
            return kernel.Write(fd, buffer, (nuint)bytes);
    }

    internal long Read(int fd, int bytes)
    {
        fixed (byte* buffer = new byte[bytes])
            return kernel.Read(fd, buffer, (nuint)bytes);
    }

    internal void SendDescriptor(int socket, int fd)
    {
        byte data = 1;
        IoVector vector = new() { Base = &data, Length = 1 };
        byte* control = stackalloc byte[24];
        *(nuint*)control = 20;
        *(int*)(control + 8) = (int)SocketLevel.Socket;
        *(int*)(control + 12) = 1; // SCM_RIGHTS
        *(int*)(control + 16) = fd;
        MessageHeader message = new() { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = 24 };
        Assert.Equal(1, kernel.SendMessage(socket, &message, MessageFlags.None));
    }

    internal int ReceiveDescriptor(int socket)
    {
        byte data;
        IoVector vector = new() { Base = &data, Length = 1 };
        byte* control = stackalloc byte[24];
        MessageHeader message = new() { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = 24 };
        Assert.Equal(1, kernel.ReceiveMessage(socket, &message, MessageFlags.CloseOnExec));
        return *(int*)(control + 16);
    }

    internal void MakeBlocking(int fd)
    {
        int flags = kernel.Fcntl(fd, FcntlCommand.GetStatusFlags, 0);
        Assert.Equal(0, kernel.Fcntl(fd, FcntlCommand.SetStatusFlags, flags & ~(int)FileFlags.NonBlock));
    }

    internal int Duplicate(int fd) => Made(kernel.Fcntl(fd, FcntlCommand.DupCloseOnExec, 0));

    internal void Close(params int[] fds)
    {
        foreach (int fd in fds)
            Assert.Equal(0, kernel.Close(fd));
    }

    private static int Made(int fd)
    {
        Assert.True(fd >= 0, $"no descriptor: {(Errno)(-fd)}");
        return fd;
    }
}
