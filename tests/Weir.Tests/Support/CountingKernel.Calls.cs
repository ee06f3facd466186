namespace Weir.Tests;

/// <summary>The door, method by method: each asks whether it is to fail, else forwards.</summary>
public unsafe partial class CountingKernel
{
    public override long ClockGetTime(ClockId clock)
        => Refuses(nameof(ClockGetTime), out int error) ? error : Inner.ClockGetTime(clock);

    public override int GetResourceLimit(ResourceLimit resource, out ulong soft, out ulong hard)
    {
        if (Refuses(nameof(GetResourceLimit), out int error))
        {
            soft = hard = 0;
            return error;
        }

        return Inner.GetResourceLimit(resource, out soft, out hard);
    }

    public override int SetResourceLimit(ResourceLimit resource, ulong soft, ulong hard)
        => Refuses(nameof(SetResourceLimit), out int error) ? error : Inner.SetResourceLimit(resource, soft, hard);

    public override int Open(byte* path, FileFlags flags, int mode)
        => Refuses(nameof(Open), out int error) ? error : Inner.Open(path, flags, mode);

    public override int Close(int fd)
        => Refuses(nameof(Close), out int error) ? error : Inner.Close(fd);

    public override int Dup3(int fd, int newFd, FileFlags flags)
        => Refuses(nameof(Dup3), out int error) ? error : Inner.Dup3(fd, newFd, flags);

    public override int Fcntl(int fd, FcntlCommand command, nint argument)
        => Refuses(nameof(Fcntl), out int error) ? error : Inner.Fcntl(fd, command, argument);

    public override int Ioctl(int fd, uint request, void* argument)
        => Refuses(nameof(Ioctl), out int error) ? error : Inner.Ioctl(fd, request, argument);

    public override int Unlink(byte* path)
        => Refuses(nameof(Unlink), out int error) ? error : Inner.Unlink(path);

    public override int MakeFifo(byte* path, int mode)
        => Refuses(nameof(MakeFifo), out int error) ? error : Inner.MakeFifo(path, mode);

    public override nint Read(int fd, void* buffer, nuint length)
        => Refuses(nameof(Read), out int error) ? error : Inner.Read(fd, buffer, length);

    public override nint Write(int fd, void* buffer, nuint length)
        => Refuses(nameof(Write), out int error) ? error : Inner.Write(fd, buffer, length);

    public override nint ReadV(int fd, IoVector* vectors, int count)
        => Refuses(nameof(ReadV), out int error) ? error : Inner.ReadV(fd, vectors, count);

    public override nint WriteV(int fd, IoVector* vectors, int count)
        => Refuses(nameof(WriteV), out int error) ? error : Inner.WriteV(fd, vectors, count);

    public override nint Splice(int fdIn, long* offsetIn, int fdOut, long* offsetOut, nuint length, SpliceFlags flags)
        => Refuses(nameof(Splice), out int error) ? error : Inner.Splice(fdIn, offsetIn, fdOut, offsetOut, length, flags);

    public override int Pipe2(int* fds, FileFlags flags)
        => Refuses(nameof(Pipe2), out int error) ? error : Inner.Pipe2(fds, flags);

    public override int Socket(SocketDomain domain, SocketKind kind, int protocol)
        => Refuses(nameof(Socket), out int error) ? error : Inner.Socket(domain, kind, protocol);

    public override int SocketPair(SocketDomain domain, SocketKind kind, int protocol, int* fds)
        => Refuses(nameof(SocketPair), out int error) ? error : Inner.SocketPair(domain, kind, protocol, fds);

    public override int Bind(int fd, void* address, uint length)
        => Refuses(nameof(Bind), out int error) ? error : Inner.Bind(fd, address, length);

    public override int Listen(int fd, int backlog)
        => Refuses(nameof(Listen), out int error) ? error : Inner.Listen(fd, backlog);

    public override int Accept4(int fd, void* address, uint* length)
        => Refuses(nameof(Accept4), out int error) ? error : Inner.Accept4(fd, address, length);

    public override int Connect(int fd, void* address, uint length)
        => Refuses(nameof(Connect), out int error) ? error : Inner.Connect(fd, address, length);

    public override int Shutdown(int fd, ShutdownHow how)
        => Refuses(nameof(Shutdown), out int error) ? error : Inner.Shutdown(fd, how);

    public override int GetSockName(int fd, void* address, uint* length)
        => Refuses(nameof(GetSockName), out int error) ? error : Inner.GetSockName(fd, address, length);

    public override int GetPeerName(int fd, void* address, uint* length)
        => Refuses(nameof(GetPeerName), out int error) ? error : Inner.GetPeerName(fd, address, length);

    public override int GetSockOpt(int fd, SocketLevel level, SocketOption option, void* value, uint* length)
        => Refuses(nameof(GetSockOpt), out int error) ? error : Inner.GetSockOpt(fd, level, option, value, length);

    public override int SetSockOpt(int fd, SocketLevel level, SocketOption option, void* value, uint length)
        => Refuses(nameof(SetSockOpt), out int error) ? error : Inner.SetSockOpt(fd, level, option, value, length);

    public override nint Receive(int fd, void* buffer, nuint length, MessageFlags flags)
        => Refuses(nameof(Receive), out int error) ? error : Inner.Receive(fd, buffer, length, flags);

    public override nint Send(int fd, void* buffer, nuint length, MessageFlags flags)
        => Refuses(nameof(Send), out int error) ? error : Inner.Send(fd, buffer, length, flags);

    public override nint ReceiveMessage(int fd, MessageHeader* message, MessageFlags flags)
        => Refuses(nameof(ReceiveMessage), out int error) ? error : Inner.ReceiveMessage(fd, message, flags);

    public override nint SendMessage(int fd, MessageHeader* message, MessageFlags flags)
        => Refuses(nameof(SendMessage), out int error) ? error : Inner.SendMessage(fd, message, flags);

    public override int ReceiveMessages(int fd, MessageEntry* messages, uint count, MessageFlags flags)
        => Refuses(nameof(ReceiveMessages), out int error) ? error : Inner.ReceiveMessages(fd, messages, count, flags);

    public override int SendMessages(int fd, MessageEntry* messages, uint count, MessageFlags flags)
        => Refuses(nameof(SendMessages), out int error) ? error : Inner.SendMessages(fd, messages, count, flags);

    public override int EpollCreate1(FileFlags flags)
        => Refuses(nameof(EpollCreate1), out int error) ? error : Inner.EpollCreate1(flags);

    public override int EpollCtl(int epfd, EpollOp op, int fd, void* epollEvent)
        => Refuses(nameof(EpollCtl), out int error) ? error : Inner.EpollCtl(epfd, op, fd, epollEvent);

    public override int EpollWait(int epfd, void* events, int maxEvents, int timeoutMilliseconds)
        => Refuses(nameof(EpollWait), out int error) ? error : Inner.EpollWait(epfd, events, maxEvents, timeoutMilliseconds);

    public override int EpollPWait2(int epfd, void* events, int maxEvents, TimeSpec* timeout)
        => Refuses(nameof(EpollPWait2), out int error) ? error : Inner.EpollPWait2(epfd, events, maxEvents, timeout);

    public override int Poll(PollEntry* entries, uint count, int timeoutMilliseconds)
        => Refuses(nameof(Poll), out int error) ? error : Inner.Poll(entries, count, timeoutMilliseconds);

    public override int EventFd(uint initialCount, EventFdFlags flags)
        => Refuses(nameof(EventFd), out int error) ? error : Inner.EventFd(initialCount, flags);

    public override int TimerFdCreate(ClockId clock)
        => Refuses(nameof(TimerFdCreate), out int error) ? error : Inner.TimerFdCreate(clock);

    public override int TimerFdSetTime(int fd, TimerSpec* value, TimerFdSetFlags flags)
        => Refuses(nameof(TimerFdSetTime), out int error) ? error : Inner.TimerFdSetTime(fd, value, flags);

    public override int TimerFdGetTime(int fd, TimerSpec* value)
        => Refuses(nameof(TimerFdGetTime), out int error) ? error : Inner.TimerFdGetTime(fd, value);

    public override int SignalFd(int fd, ulong signals)
        => Refuses(nameof(SignalFd), out int error) ? error : Inner.SignalFd(fd, signals);

    public override int PidFdOpen(int processId)
        => Refuses(nameof(PidFdOpen), out int error) ? error : Inner.PidFdOpen(processId);

    public override int InotifyInit()
        => Refuses(nameof(InotifyInit), out int error) ? error : Inner.InotifyInit();

    public override int InotifyAddWatch(int fd, byte* path, InotifyEvents events)
        => Refuses(nameof(InotifyAddWatch), out int error) ? error : Inner.InotifyAddWatch(fd, path, events);

    public override int InotifyRemoveWatch(int fd, int watch)
        => Refuses(nameof(InotifyRemoveWatch), out int error) ? error : Inner.InotifyRemoveWatch(fd, watch);
}
