using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Weir.Net;

namespace Weir.Tests;

/// <summary>
/// A counting kernel that keeps books on descriptors: which of those it gave out are open. Independent of what else the process opens,
/// and valid on any kernel behind it.
/// </summary>
public unsafe class LedgerKernel(Kernel? inner = null) : CountingKernel(inner)
{
    private readonly ConcurrentDictionary<int, string> _open = new();
    private readonly ConcurrentQueue<string> _faults = new();
    private (Errno Errno, int Earlier)? _later;

    /// <summary>The descriptors open now, with the call that made each.</summary>
    public IReadOnlyList<string> OpenNow => [.. _open.Select(entry => $"fd {entry.Key} of {entry.Value}")];

    /// <summary>Closes of descriptors that were not open.</summary>
    public IReadOnlyCollection<string> Faults => _faults;

    /// <summary>Reads of any kind.</summary>
    public long Reads => Count(nameof(Read)) + Count(nameof(ReadV)) + Count(nameof(Receive)) + Count(nameof(ReceiveMessage));

    /// <summary>Writes of any kind.</summary>
    public long Writes => Count(nameof(Write)) + Count(nameof(WriteV)) + Count(nameof(Send)) + Count(nameof(SendMessage));

    /// <summary>Waits and looks for events.</summary>
    public long Waits => Count(nameof(EpollWait)) + Count(nameof(EpollPWait2));

    /// <summary>As <see cref="CountingKernel.FailNext"/>, once <paramref name="earlier"/> more calls of epoll_ctl have been let through.</summary>
    public void FailLater(string call, Errno errno, int earlier)
    {
        if (earlier == 0)
            FailNext(call, errno);
        else
            _later = (errno, earlier);
    }

    public override int EpollCtl(int epfd, EpollOp op, int fd, void* epollEvent)
    {
        int result = base.EpollCtl(epfd, op, fd, epollEvent);
        if (_later is { } later)
        {
            _later = later.Earlier > 1 ? (later.Errno, later.Earlier - 1) : null;
            if (_later == null)
                FailNext(nameof(EpollCtl), later.Errno);
        }

        return result;
    }

    public override int Close(int fd)
    {
        // Out of the books first: the number may be given out again the moment it is closed.
        bool known = _open.TryRemove(fd, out string? call);
        int result = base.Close(fd);
        // What was accepted on a ring came by no call.
        if (!known && (result < 0 || Count(nameof(IoUringSetup)) == 0))
            _faults.Enqueue($"close({fd}): not open here, result {result}");
        else if (result == -(int)Errno.EBADF)
            _faults.Enqueue($"close({fd}) of {call}: closed elsewhere");
        return result;
    }

    public override int Socket(SocketDomain domain, SocketKind kind, int protocol) => Note(base.Socket(domain, kind, protocol), nameof(Socket));

    public override int Accept4(int fd, void* address, uint* length) => Note(base.Accept4(fd, address, length), nameof(Accept4));

    public override int EpollCreate1(FileFlags flags) => Note(base.EpollCreate1(flags), nameof(EpollCreate1));

    public override int EventFd(uint initialCount, EventFdFlags flags) => Note(base.EventFd(initialCount, flags), nameof(EventFd));

    public override int SignalFd(int fd, ulong signals)
    {
        int result = base.SignalFd(fd, signals);
        return fd == -1 ? Note(result, nameof(SignalFd)) : result;
    }

    public override int PidFdOpen(int processId) => Note(base.PidFdOpen(processId), nameof(PidFdOpen));

    public override nint ReceiveMessage(int fd, MessageHeader* message, MessageFlags flags)
    {
        nint result = base.ReceiveMessage(fd, message, flags);
        if (result < 0)
            return result;
        foreach (ControlMessage entry in new ControlMessageReader(new ReadOnlySpan<byte>(message->Control, (int)message->ControlLength)))
        {
            if (!entry.Is(SocketLevel.Socket, ControlMessageType.SocketRights))
                continue;
            foreach (int received in MemoryMarshal.Cast<byte, int>(entry.Data))
                Note(received, nameof(ReceiveMessage));
        }

        return result;
    }

    public override int Spawn(SpawnRequest* request)
    {
        int result = base.Spawn(request);
        if (result >= 0)
            Note(request->ProcessDescriptor, nameof(Spawn));
        return result;
    }

    public override int IoUringSetup(uint entries, IoUringParameters* parameters) => Note(base.IoUringSetup(entries, parameters), nameof(IoUringSetup));

    public override int InotifyInit() => Note(base.InotifyInit(), nameof(InotifyInit));

    public override int TimerFdCreate(ClockId clock) => Note(base.TimerFdCreate(clock), nameof(TimerFdCreate));

    public override int Open(byte* path, FileFlags flags, int mode) => Note(base.Open(path, flags, mode), nameof(Open));

    public override int SocketPair(SocketDomain domain, SocketKind kind, int protocol, int* fds)
        => NoteTwo(base.SocketPair(domain, kind, protocol, fds), fds, nameof(SocketPair));

    public override int Pipe2(int* fds, FileFlags flags) => NoteTwo(base.Pipe2(fds, flags), fds, nameof(Pipe2));

    public override int Fcntl(int fd, FcntlCommand command, nint argument)
    {
        int result = base.Fcntl(fd, command, argument);
        return command == FcntlCommand.DupCloseOnExec ? Note(result, "fcntl(F_DUPFD)") : result;
    }

    private int Note(int fd, string call)
    {
        if (fd >= 0)
            _open[fd] = call;
        return fd;
    }

    private int NoteTwo(int result, int* fds, string call)
    {
        if (result >= 0)
        {
            Note(fds[0], call);
            Note(fds[1], call);
        }

        return result;
    }
}
