using System.Text;

namespace Weir.Conformance.Random;

/// <summary>Runs a list of operations on a machine; can write down at the same time the program that it amounts to.</summary>
internal sealed class Interpreter(Machine m, StringBuilder? source)
{
    private const EpollEvents Nothing = 0;

    /// <summary>Of so many numbers, the last means a descriptor that is closed, if there is one.</summary>
    internal const int ClosedOneIn = 16;

    // What is common comes often; what is refused comes seldom.
    private static readonly EpollEvents[] Interests =
    [
        In, In, Out, In | Out, In | RdHup, In | Out | RdHup, In | Out | Pri | RdHup, Nothing,
        In | EdgeTriggered, In | EdgeTriggered, Out | EdgeTriggered, Out | EdgeTriggered, In | Out | EdgeTriggered, In | Out | EdgeTriggered,
        In | Out | RdHup | EdgeTriggered, In | Out | Pri | RdHup | EdgeTriggered, Pri | EdgeTriggered, EdgeTriggered,
        In | OneShot, In | Out | OneShot, In | RdHup | OneShot | EdgeTriggered, Out | OneShot | EdgeTriggered,
        In | Exclusive, In | Out | Exclusive | EdgeTriggered, In | RdHup | Exclusive,
    ];

    private static readonly int[] Sizes = [1, 2, 100, 1000, 2049, 4096, 5000, 70_000];
    private static readonly ulong[] Values = [1, 1, 1, 0, 2, 5, ulong.MaxValue - 1, ulong.MaxValue - 2, ulong.MaxValue];
    private static readonly int[] Rooms = [16, 16, 16, 16, 1, 1, 2, 2, 3, 0];

    private readonly List<Fd> _all = [];
    private readonly HashSet<Fd> _listeners = [];
    private readonly List<(Fd Set, Fd Fd)> _registered = [];
    private string? _fifo;
    private MachineThread? _waiter;
    private int _waiters;
    private bool _usesNetwork;

    internal void Run(IReadOnlyList<Operation> operations)
    {
        Make("m.Epoll()", () => m.Epoll());
        foreach (Operation operation in operations)
        {
            Run(operation);
            if (_usesNetwork)
            {
                Write("m.Settle();");
                m.Settle();
            }

            if (_waiter != null)
                LetWaiterEnd();
        }

        if (_waiter != null)
        {
            Write($"m.Kill({_waiter}, Signal.Handled);");
            m.Kill(_waiter, Signal.Handled);
            LetWaiterEnd();
        }

        // The state in which it ends.
        foreach (Fd set in _all.Where(fd => fd.Kind == FdKind.Epoll && m.IsOpen(fd)).ToArray())
            Wait(set, 16);
        foreach (Fd fd in _all.Where(m.IsOpen))
            Poll(fd);
    }

    private void Run(Operation operation)
    {
        (OperationKind kind, int a, int b, int c) = operation;
        switch (kind)
        {
            case OperationKind.Counter:
                uint count = (uint)(a % 3);
                Make($"m.EventFd({count})", () => m.EventFd(count));
                break;
            case OperationKind.Semaphore:
                uint start = (uint)(a % 4);
                Make($"m.EventFd({start}, semaphore: true)", () => m.EventFd(start, semaphore: true));
                break;
            case OperationKind.Pipe:
                MakeTwo("m.Pipe()", m.Pipe);
                break;
            case OperationKind.FifoEnd:
                OpenFifo(write: a % 2 == 1);
                break;
            case OperationKind.UnixPair:
                MakeTwo("m.SocketPair()", () => m.SocketPair());
                break;
            case OperationKind.UnixMessagePair:
                SocketKind messages = a % 2 == 0 ? SocketKind.Datagram : SocketKind.SeqPacket;
                MakeTwo($"m.SocketPair(SocketKind.{messages})", () => m.SocketPair(messages));
                break;
            case OperationKind.FreshSocket:
                if (a % 2 == 0)
                    Make("m.UnixSocket()", m.UnixSocket);
                else
                    Make("m.TcpSocket()", m.TcpSocket);
                break;
            case OperationKind.UnixListener:
                int backlog = a % 3;
                _listeners.Add(Make($"m.UnixListener({backlog})", () => m.UnixListener(backlog)));
                break;
            case OperationKind.TcpListener:
                _listeners.Add(Make("m.TcpListener()", () => m.TcpListener()));
                break;
            case OperationKind.TcpPair:
                MakeTwo("m.TcpPair()", m.TcpPair);
                break;
            case OperationKind.UdpPair:
                MakeTwo("m.UdpPair()", m.UdpPair);
                break;
            case OperationKind.Timer:
                Make("m.TimerFd()", m.TimerFd);
                break;
            case OperationKind.Set:
                Make("m.Epoll()", m.Epoll);
                break;
            case OperationKind.Connect when Pick(_listeners.Contains, a) is { } listener:
                Connect(listener);
                break;
            case OperationKind.Accept when Pick(_listeners.Contains, a) is { } listener:
                Accept(listener);
                break;
            case OperationKind.Add when PickSet(a) is { } set && Pick(fd => fd.Kind != FdKind.Epoll, b) is { } fd:
                Control("Add", set, fd, c);
                break;
            case OperationKind.AddSet when PickSet(a) is { } set && PickSet(b) is { } inner:
                Control("Add", set, inner, c);
                break;
            case OperationKind.Modify when PickRegistered(a, b) is var (set, fd):
                Control("Mod", set, fd, c);
                break;
            case OperationKind.Delete when PickRegistered(a, b) is var (set, fd):
                Write($"m.Del({V(set)}, {V(fd)});");
                m.Del(set, fd);
                break;
            case OperationKind.Wait when PickSet(a) is { } set:
                Wait(set, Rooms[b % Rooms.Length]);
                break;
            case OperationKind.Poll when Pick(_ => true, a) is { } fd:
                Poll(fd);
                break;
            case OperationKind.Write when Pick(fd => c % 32 == 31 || (Transfers(fd) && !IsReader(fd)), a) is { } fd:
                WriteTo(fd, b);
                break;
            case OperationKind.Read when Pick(fd => c % 32 == 31 || (Transfers(fd) && !IsWriter(fd)), a) is { } fd:
                ReadFrom(fd, b);
                break;
            case OperationKind.Peek when Pick(fd => fd.Kind is FdKind.Unix or FdKind.Tcp or FdKind.Udp, a) is { } fd:
                int size = Sizes[b % Sizes.Length];
                Write($"m.Receive({V(fd)}, {size}, MessageFlags.Peek);");
                m.Receive(fd, size, MessageFlags.Peek);
                break;
            case OperationKind.Fill when _waiter == null && Pick(fd => fd.Kind is FdKind.Pipe or FdKind.Unix && !IsReader(fd), a) is { } fd:
                Write($"m.Fill({V(fd)});");
                m.Fill(fd);
                break;
            case OperationKind.Drain when _waiter == null && Pick(fd => fd.Kind is FdKind.Pipe or FdKind.Unix or FdKind.Tcp && !IsWriter(fd), a) is { } fd:
                Write($"m.Drain({V(fd)});");
                m.Drain(fd);
                break;
            case OperationKind.Arm when Pick(fd => fd.Kind == FdKind.Timer, a) is { } timer:
                Arm(timer, b % 4);
                break;
            case OperationKind.Close when Pick(_ => true, a) is { } fd:
                Write($"m.Close({V(fd)});");
                m.Close(fd);
                break;
            case OperationKind.Duplicate when PickOpen(a) is { } fd:
                Make($"m.Dup({V(fd)})", () => m.Dup(fd));
                break;
            case OperationKind.DuplicateOnto when Pick(_ => true, a) is { } fd && Pick(_ => true, b) is { } onto:
                Write($"m.Dup2({V(fd)}, {V(onto)});");
                m.Dup2(fd, onto);
                break;
            case OperationKind.Shutdown when Pick(fd => fd.Kind is FdKind.Unix or FdKind.Tcp && (c % 8 == 7 || Transfers(fd)), a) is { } fd:
                var how = (ShutdownHow)(b % 3);
                Write($"m.Shutdown({V(fd)}, ShutdownHow.{how});");
                m.Shutdown(fd, how);
                break;
            case OperationKind.LowWatermark when Pick(fd => fd.Kind is FdKind.Unix or FdKind.Tcp, a) is { } fd:
                SetOption(fd, SocketOption.SocketReceiveLowWatermark, 1 + b % 150);
                break;
            case OperationKind.SendBuffer when Pick(fd => fd.Kind == FdKind.Unix, a) is { } fd:
                SetOption(fd, SocketOption.SocketSendBuffer, Sizes[b % Sizes.Length]);
                break;
            case OperationKind.PassDescriptor when Pick(fd => fd.Kind == FdKind.Unix, a) is { } fd && PickOpen(b) is { } passed && passed.Kind != FdKind.Unix:
                Write($"m.SendDescriptor({V(fd)}, 3, {V(passed)});");
                m.SendDescriptor(fd, 3, passed);
                break;
            case OperationKind.Reset when Pick(fd => fd.Kind == FdKind.Tcp && Transfers(fd), a) is { } fd && m.IsOpen(fd):
                Write($"m.Reset({V(fd)});");
                m.Reset(fd);
                break;
            case OperationKind.Waiter when _waiter == null && !_usesNetwork && PickSet(a) is { } set:
                StartWaiter(set, Rooms[b % Rooms.Length], polls: c % 4 == 3);
                break;
            case OperationKind.Urgent when Pick(fd => fd.Kind == FdKind.Tcp, a) is { } fd:
                Write($"m.Send({V(fd)}, 1, MessageFlags.OutOfBand);");
                m.Send(fd, 1, MessageFlags.OutOfBand);
                break;
        }
    }

    // Choosing

    private Fd? PickSet(int number) => Pick(fd => fd.Kind == FdKind.Epoll, number);

    // By the name a pipe's end was given; what has been duplicated onto it since may be something else, and then gets to see the odd call.
    private static bool IsReader(Fd fd) => fd.Name.Contains(".r");

    private static bool IsWriter(Fd fd) => fd.Name.Contains(".w");

    private bool Transfers(Fd fd) => fd.Kind != FdKind.Epoll && !_listeners.Contains(fd);

    /// <summary>A set and what was added to it once; or any descriptor at times.</summary>
    private (Fd Set, Fd Fd)? PickRegistered(int a, int b)
    {
        if (_registered.Count > 0 && a % ClosedOneIn != 0)
            return _registered[a / ClosedOneIn % _registered.Count];
        return PickSet(a) is { } set && Pick(_ => true, b) is { } fd ? (set, fd) : null;
    }

    private Fd? PickOpen(int number)
    {
        Fd[] open = [.. _all.Where(m.IsOpen)];
        return open.Length == 0 ? null : open[number % open.Length];
    }

    private Fd? Pick(Func<Fd, bool> fits, int number)
    {
        Fd[] fitting = [.. _all.Where(fits)];
        bool closed = number % ClosedOneIn == ClosedOneIn - 1 && fitting.Any(fd => !m.IsOpen(fd));
        fitting = [.. fitting.Where(fd => m.IsOpen(fd) != closed)];
        return fitting.Length == 0 ? null : fitting[number / ClosedOneIn % fitting.Length];
    }

    // Doing, and writing down

    private Fd Make(string text, Func<Fd> make)
    {
        Fd fd = make();
        Write($"Fd {V(fd)} = {text};");
        Keep(fd);
        return fd;
    }

    private void MakeTwo(string text, Func<(Fd, Fd)> make)
    {
        (Fd one, Fd two) = make();
        Write($"(Fd {V(one)}, Fd {V(two)}) = {text};");
        Keep(one);
        Keep(two);
    }

    private void Keep(Fd fd)
    {
        _all.Add(fd);
        _usesNetwork |= fd.Kind is FdKind.Tcp or FdKind.Udp;
    }

    private void OpenFifo(bool write)
    {
        if (_fifo == null)
        {
            Write("string fifo = m.Fifo();");
            _fifo = m.Fifo();
        }

        Fd? fd = m.OpenFifo(_fifo, write, out _);
        Write($"{(fd == null ? "" : $"Fd? {V(fd)} = ")}m.OpenFifo(fifo, write: {(write ? "true" : "false")}, out _);");
        if (fd != null)
            Keep(fd);
    }

    private void Connect(Fd listener)
    {
        Fd client = listener.Kind == FdKind.Tcp ? Make("m.TcpSocket()", m.TcpSocket) : Make("m.UnixSocket()", m.UnixSocket);
        Write($"m.Connect({V(client)}, {V(listener)});");
        m.Connect(client, listener);
    }

    private void Accept(Fd listener)
    {
        Fd? fd = m.Accept(listener, out _);
        Write($"{(fd == null ? "" : $"Fd? {V(fd)} = ")}m.Accept({V(listener)}, out _);");
        if (fd != null)
            Keep(fd);
    }

    private void Control(string call, Fd set, Fd fd, int number)
    {
        EpollEvents events = Interests[number % Interests.Length];
        Write($"m.{call}({V(set)}, {V(fd)}, {Code(events)});");
        if (call == "Mod")
            m.Mod(set, fd, events);
        else if (m.Add(set, fd, events).Value == 0)
            _registered.Add((set, fd));
    }

    private void Wait(Fd set, int room)
    {
        Write($"m.Wait({V(set)}, max: {room});");
        m.Wait(set, max: room);
    }

    private void Poll(Fd fd)
    {
        Write($"m.Poll({V(fd)});");
        m.Poll(fd);
    }

    private void WriteTo(Fd fd, int number)
    {
        if (fd.Kind == FdKind.EventFd && number % 8 != 7)
        {
            ulong value = Values[number % Values.Length];
            Write($"m.WriteCount({V(fd)}, {value});");
            m.WriteCount(fd, value);
            return;
        }

        // How much a TCP connection takes when it is full differs from run to run: it is never filled.
        int size = Sizes[number % (fd.Kind is FdKind.Tcp or FdKind.Udp ? 4 : Sizes.Length)];
        Write($"m.Write({V(fd)}, {size});");
        m.Write(fd, size);
    }

    private void ReadFrom(Fd fd, int number)
    {
        if (fd.Kind is FdKind.EventFd or FdKind.Timer)
        {
            Write($"m.ReadCount({V(fd)});");
            m.ReadCount(fd);
            return;
        }

        int size = Sizes[number % Sizes.Length];
        Write($"m.Read({V(fd)}, {size});");
        m.Read(fd, size);
    }

    private void Arm(Fd timer, int what)
    {
        const int hour = 3_600_000;
        switch (what)
        {
            case 0:
                Write($"m.ArmInThePast({V(timer)}, 1);");
                m.ArmInThePast(timer, 1);
                // It fires at once, but not within the call.
                Write($"m.Poll({V(timer)}, In, 1000);");
                m.Poll(timer, In, 1000);
                break;
            case 1:
                Write($"m.Arm({V(timer)}, {hour});");
                m.Arm(timer, hour);
                break;
            case 2:
                Write($"m.Arm({V(timer)}, 0);");
                m.Arm(timer, 0);
                break;
            default:
                Write($"m.GetTime({V(timer)});");
                m.GetTime(timer);
                break;
        }
    }

    // At most one at a time: who of several gets what may depend on who runs first. While it waits, nothing is done that wakes it half-way.
    private void StartWaiter(Fd set, int room, bool polls)
    {
        string name = $"w{++_waiters}";
        Write(polls
            ? $"MachineThread {name} = m.Start(\"{name}\", () => m.Poll({V(set)}, In, Machine.Forever));"
            : $"MachineThread {name} = m.Start(\"{name}\", () => m.Wait({V(set)}, Machine.Forever, {room}));");
        _waiter = m.Start(name, () =>
        {
            if (polls)
                m.Poll(set, In, Machine.Forever);
            else
                m.Wait(set, Machine.Forever, room);
        });
    }

    private void LetWaiterEnd()
    {
        Write("m.UntilQuiet();");
        m.UntilQuiet();
        if (!_waiter!.HasEnded)
            return;
        Write($"m.Join({_waiter});");
        m.Join(_waiter);
        _waiter = null;
    }

    private void SetOption(Fd fd, SocketOption option, int value)
    {
        Write($"m.SetOption({V(fd)}, SocketOption.{option}, {value});");
        m.SetOption(fd, option, value);
    }

    private void Write(string line) => source?.AppendLine(line);

    // The name as a variable's.
    private string V(Fd fd) => source == null ? "" : fd.Name.Replace(".", "").Replace("'", "_");

    private static string Code(EpollEvents events)
    {
        string[] bits = [.. Enum.GetValues<EpollEvents>().Where(bit => bit != 0 && (events & bit) != 0).Select(bit => bit.ToString())];
        return bits.Length == 0 ? "0" : string.Join(" | ", bits);
    }
}
