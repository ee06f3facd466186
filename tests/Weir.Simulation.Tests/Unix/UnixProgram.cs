using System.Text;

namespace Weir.Simulation.Tests.Unix;

/// <summary>
/// One program of system calls that writes down what each call gave: run once on the real kernel and once on an emulated one, the two
/// transcripts must be the same. Descriptor numbers are not written down, results, errors, bytes and events are.
/// </summary>
internal sealed unsafe class UnixProgram(Kernel kernel) : IDisposable
{
    internal const MessageFlags Truncated = (MessageFlags)0x20;
    private readonly List<int> _open = [];
    private readonly List<string> _paths = [];
    private readonly StringBuilder _transcript = new();
    private readonly Dictionary<ulong, string> _watched = [];
    private readonly byte[] _buffer = new byte[1 << 18];
    private int _epoll = -1;

    internal Kernel Kernel => kernel;

    /// <summary>Runs it on both kernels and compares; gives the transcript.</summary>
    internal static string Compare(Action<UnixProgram> body)
    {
        string real = Run(Kernel.Linux, body);
        string simulated = Run(SimKernel.Live(), body);
        Assert.Equal(real, simulated);
        return real;
    }

    internal static string Run(Kernel kernel, Action<UnixProgram> body)
    {
        using var program = new UnixProgram(kernel);
        body(program);
        return program._transcript.ToString();
    }

    public void Dispose()
    {
        foreach (int fd in _open.ToArray())
            kernel.Close(fd);
        foreach (string path in _paths)
            Unlink(path);
    }

    internal void Note(string what) => _transcript.Append(what).Append('\n');

    internal nint Note(string what, nint result)
    {
        Note(result < 0 ? $"{what}: {(Errno)(int)-result}" : $"{what}: {result}");
        return result;
    }

    // Descriptors

    private int Opened(string what, int fd)
    {
        Note(fd < 0 ? $"{what}: {(Errno)(-fd)}" : $"{what}: ok");
        if (fd >= 0)
            _open.Add(fd);
        return fd;
    }

    internal int Socket(SocketKind kind) => Opened("socket", kernel.Socket(SocketDomain.Unix, kind, 0));

    internal (int First, int Second) Pair(SocketKind kind = SocketKind.Stream)
    {
        int* fds = stackalloc int[2];
        Assert.Equal(0, kernel.SocketPair(SocketDomain.Unix, kind, 0, fds));
        _open.Add(fds[0]);
        _open.Add(fds[1]);
        return (fds[0], fds[1]);
    }

    internal int EventFd() => Opened("eventfd", kernel.EventFd(0, EventFdFlags.NonBlock));

    internal void Close(int fd)
    {
        _open.Remove(fd);
        Note("close", kernel.Close(fd));
    }

    // Names

    internal static byte[] Address(string path, bool isAbstract = false)
        => [1, 0, .. isAbstract ? new byte[] { 0 } : [], .. Encoding.UTF8.GetBytes(path), .. isAbstract ? [] : new byte[] { 0 }];

    /// <summary>A path that nothing else uses; what is bound to it is removed at the end.</summary>
    internal string NewPath()
    {
        string path = Path.Combine(Path.GetTempPath(), "weir-" + Guid.NewGuid().ToString("N")[..12]);
        _paths.Add(path);
        return path;
    }

    internal int Unlink(string path)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(path + "\0"))
            return kernel.Unlink(name);
    }

    internal int Bind(int fd, byte[] address)
    {
        fixed (byte* bytes = address)
            return (int)Note("bind", kernel.Bind(fd, bytes, (uint)address.Length));
    }

    internal int Connect(int fd, byte[] address)
    {
        fixed (byte* bytes = address)
            return (int)Note("connect", kernel.Connect(fd, bytes, (uint)address.Length));
    }

    internal int Listen(int fd, int backlog) => (int)Note("listen", kernel.Listen(fd, backlog));

    internal int Accept(int fd) => Opened("accept", kernel.Accept4(fd, null, null));

    internal int Listener(byte[] address, int backlog, SocketKind kind = SocketKind.Stream)
    {
        int fd = Socket(kind);
        Bind(fd, address);
        Listen(fd, backlog);
        return fd;
    }

    /// <summary>What getsockname or getpeername gives: the bytes that were filled in, and the length.</summary>
    internal byte[] Name(int fd, bool peer, bool shows = true)
    {
        byte* bytes = stackalloc byte[128];
        uint length = 128;
        int result = peer ? kernel.GetPeerName(fd, bytes, &length) : kernel.GetSockName(fd, bytes, &length);
        byte[] name = result < 0 ? [] : new ReadOnlySpan<byte>(bytes, (int)length).ToArray();
        Note(peer ? "getpeername" : "getsockname", result < 0 ? result : (nint)length);
        if (shows)
            Note(Convert.ToHexString(name));
        return name;
    }

    // Data

    internal nint Send(int fd, int count, MessageFlags flags = MessageFlags.None)
    {
        for (int i = 0; i < count; i++)
            _buffer[i] = (byte)i;
        fixed (byte* buffer = _buffer)
            return Note($"send {count}", kernel.Send(fd, buffer, (nuint)count, flags));
    }

    internal nint SendText(int fd, string text, MessageFlags flags = MessageFlags.None)
    {
        fixed (byte* buffer = Encoding.UTF8.GetBytes(text + "."))
            return Note($"send \"{text}\"", kernel.Send(fd, buffer, (nuint)text.Length, flags));
    }

    internal nint Receive(int fd, int count = 1 << 18, MessageFlags flags = MessageFlags.None)
    {
        fixed (byte* buffer = _buffer)
            return Note($"recv {count}", kernel.Receive(fd, buffer, (nuint)count, flags));
    }

    internal string ReceiveText(int fd, int count = 100, MessageFlags flags = MessageFlags.None)
    {
        nint result;
        fixed (byte* buffer = _buffer)
            result = kernel.Receive(fd, buffer, (nuint)count, flags);
        string text = result < 0 ? ((Errno)(int)-result).ToString() : $"\"{Encoding.UTF8.GetString(_buffer, 0, (int)Math.Min(result, count))}\"";
        Note($"recv {count}: {result} {text}");
        return text;
    }

    internal nint SendTo(int fd, string text, byte[] address) => SendMessage(fd, text, address, []);

    internal nint SendFiles(int fd, string text, params int[] files) => SendMessage(fd, text, [], files);

    private nint SendMessage(int fd, string text, byte[] address, int[] files)
    {
        byte[] control = new byte[files.Length == 0 ? 0 : 16 + (files.Length * 4 + 7) / 8 * 8];
        fixed (byte* bytes = Encoding.UTF8.GetBytes(text + "."), name = address, ancillary = control)
        {
            if (files.Length > 0)
            {
                *(nuint*)ancillary = (nuint)(16 + files.Length * 4);
                *(int*)(ancillary + 8) = 1;
                *(int*)(ancillary + 12) = 1;
                files.CopyTo(new Span<int>(ancillary + 16, files.Length));
            }

            IoVector vector = new() { Base = bytes, Length = (nuint)text.Length };
            MessageHeader message = new()
            {
                Name = address.Length == 0 ? null : name,
                NameLength = (uint)address.Length,
                Vectors = &vector,
                VectorCount = 1,
                Control = ancillary,
                ControlLength = (nuint)control.Length,
            };
            return Note($"sendmsg \"{text}\" with {files.Length}", kernel.SendMessage(fd, &message, 0));
        }
    }

    /// <summary>recvmsg with room for so many bytes and so much ancillary data; the descriptors that came.</summary>
    internal int[] ReceiveMessage(int fd, int count = 100, int room = 256, MessageFlags flags = MessageFlags.None, bool showsCredentials = false)
    {
        byte* control = stackalloc byte[room + 8];
        byte* name = stackalloc byte[128];
        List<int> files = [];
        fixed (byte* buffer = _buffer)
        {
            IoVector vector = new() { Base = buffer, Length = (nuint)count };
            MessageHeader message = new() { Name = name, NameLength = 128, Vectors = &vector, VectorCount = 1, Control = control, ControlLength = (nuint)room };
            nint result = kernel.ReceiveMessage(fd, &message, flags);
            if (result < 0)
            {
                Note("recvmsg", result);
                return [];
            }

            string from = Convert.ToHexString(new ReadOnlySpan<byte>(name, (int)message.NameLength));
            if (from.Length is 16 or 18 && from.StartsWith("010000", StringComparison.Ordinal))
                from = "an automatic name";
            string text = Encoding.UTF8.GetString(_buffer, 0, (int)Math.Min(result, count));
            Note($"recvmsg: {result} \"{text}\" from [{from}] flags {(int)message.Flags:x} control {message.ControlLength}");
            for (nuint at = 0; at + 16 <= message.ControlLength; at += (*(nuint*)(control + at) + 7) & ~(nuint)7)
            {
                int type = *(int*)(control + at + 12), length = (int)*(nuint*)(control + at) - 16;
                int* data = (int*)(control + at + 16);
                Note($"  cmsg level {*(int*)(control + at + 8)} type {type} bytes {length}");
                for (int i = 0; type == 1 && i < length / 4; i++)
                    files.Add(data[i]);
                if (type == 2 && showsCredentials && length == 12)
                    Note($"  {(data[0] == 0 ? "nobody" : "somebody")} {data[1]} {data[2]}");
            }
        }

        _open.AddRange(files);
        return [.. files];
    }

    // State

    internal void Shutdown(int fd, ShutdownHow how) => Note($"shutdown {how}", kernel.Shutdown(fd, how));

    internal EpollEvents Poll(int fd)
    {
        var entry = new PollEntry { Descriptor = fd, Events = 0x3fff };
        Note($"poll: {kernel.Poll(&entry, 1, 0)} {(EpollEvents)(ushort)entry.Returned}");
        return (EpollEvents)(ushort)entry.Returned;
    }

    internal bool IsWritable(int fd)
    {
        var entry = new PollEntry { Descriptor = fd, Events = (short)EpollEvents.Out };
        kernel.Poll(&entry, 1, 0);
        return (entry.Returned & (short)EpollEvents.Out) != 0;
    }

    internal int Option(int fd, int option, int room = 4)
    {
        int* value = stackalloc int[4];
        uint length = (uint)room;
        int result = kernel.GetSockOpt(fd, SocketLevel.Socket, (SocketOption)option, value, &length);
        Note(result < 0 ? $"getsockopt {option}: {(Errno)(-result)}" : $"getsockopt {option}: {(room == 4 ? *value : 0)}, {length} bytes");
        return *value;
    }

    internal void SetOption(int fd, int option, int value, SocketLevel level = SocketLevel.Socket)
        => Note($"setsockopt {option}", kernel.SetSockOpt(fd, level, (SocketOption)option, &value, sizeof(int)));

    internal int Queued(int fd, uint request)
    {
        int value = -1;
        Note($"ioctl {request:x}", kernel.Ioctl(fd, request, &value));
        Note($"  {value}");
        return value;
    }

    // epoll

    internal void Watch(int fd, string name, EpollEvents events = EpollEvents.In | EpollEvents.Out | EpollEvents.RdHup | EpollEvents.Pri | EpollEvents.EdgeTriggered)
    {
        if (_epoll < 0)
            _epoll = Opened("epoll", kernel.EpollCreate1(0));
        byte* one = stackalloc byte[16];
        EpollEventLayout.Set(one, 0, events, (ulong)fd);
        _watched[(ulong)fd] = name;
        Assert.Equal(0, kernel.EpollCtl(_epoll, EpollOp.Add, fd, one));
    }

    /// <summary>Writes down what is ready now, in order.</summary>
    internal string Events()
    {
        byte* events = stackalloc byte[16 * 16];
        int count = kernel.EpollWait(_epoll, events, 16, 0);
        var text = new StringBuilder("events:");
        for (int i = 0; i < count; i++)
            text.Append($" {_watched[EpollEventLayout.Data(events, i)]}={EpollEventLayout.Events(events, i)}".Replace(", ", "|"));
        Note(text.ToString());
        return text.ToString();
    }
}
