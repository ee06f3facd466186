using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Weir;

/// <summary>The real kernel: each call goes to libc's wrapper of the system call, and a result of -1 becomes the negated errno.</summary>
internal sealed unsafe partial class LinuxKernel : Kernel
{
    private const int NonBlockCloseOnExec = (int)(FileFlags.NonBlock | FileFlags.CloseOnExec); // SOCK_*, TFD_*, SFD_*, IN_* share O_*'s numbers
    private const int SignalSetWords = 16; // the C libraries' sigset_t has room for 1024 signals; the kernel reads the first 64

    // Whether this kernel knows epoll_pwait2 (5.11) and lets us call it. Starts hopeful; the first refusal settles it. A race only asks twice.
    private volatile bool _hasPWait2 = true;

    public override string Name => "linux";

    // A wrapper that failed left the reason in errno. The runtime keeps errno across the return from native code (a pending garbage
    // collection saves and restores it), and nothing between that return and this read calls into libc.
    private static int Result(int result) => result >= 0 ? result : -Marshal.GetLastSystemError();

    private static nint Result(nint result) => result >= 0 ? result : -Marshal.GetLastSystemError();

    public override long ClockGetTime(ClockId clock)
    {
        if (clock == ClockId.Monotonic)
            return Stopwatch.GetTimestamp(); // clock_gettime(CLOCK_MONOTONIC) in nanoseconds on Linux, without a transition
        TimeSpec now;
        return LibC.clock_gettime((int)clock, &now) == 0 ? now.ToNanoseconds() : -Marshal.GetLastSystemError();
    }

    public override int GetResourceLimit(ResourceLimit resource, out ulong soft, out ulong hard)
    {
        ulong* limits = stackalloc ulong[2];
        int result = Result(LibC.getrlimit((int)resource, limits));
        soft = limits[0];
        hard = limits[1];
        return result;
    }

    public override int SetResourceLimit(ResourceLimit resource, ulong soft, ulong hard)
    {
        ulong* limits = stackalloc ulong[2] { soft, hard };
        return Result(LibC.setrlimit((int)resource, limits));
    }

    public override int Open(byte* path, FileFlags flags, int mode) => Result(LibC.open(path, (int)flags, mode));

    public override int Close(int fd) => Result(LibC.close(fd));

    public override int Dup3(int fd, int newFd, FileFlags flags) => Result(LibC.dup3(fd, newFd, (int)flags));

    public override int Fcntl(int fd, FcntlCommand command, nint argument) => Result(LibC.fcntl(fd, (int)command, argument));

    public override int Ioctl(int fd, uint request, void* argument) => Result(LibC.ioctl(fd, request, argument));

    public override int Unlink(byte* path) => Result(LibC.unlink(path));

    public override int MakeFifo(byte* path, int mode) => Result(LibC.mkfifo(path, (uint)mode));

    public override nint Read(int fd, void* buffer, nuint length) => Result(LibC.read(fd, buffer, length));

    public override nint Write(int fd, void* buffer, nuint length) => Result(LibC.write(fd, buffer, length));

    public override nint ReadV(int fd, IoVector* vectors, int count) => Result(LibC.readv(fd, vectors, count));

    public override nint WriteV(int fd, IoVector* vectors, int count) => Result(LibC.writev(fd, vectors, count));

    public override nint Splice(int fdIn, long* offsetIn, int fdOut, long* offsetOut, nuint length, SpliceFlags flags)
        => Result(LibC.splice(fdIn, offsetIn, fdOut, offsetOut, length, (uint)flags));

    public override int Pipe2(int* fds, FileFlags flags) => Result(LibC.pipe2(fds, (int)flags));

    public override int Socket(SocketDomain domain, SocketKind kind, int protocol)
        => Result(LibC.socket((int)domain, (int)kind | NonBlockCloseOnExec, protocol));

    public override int SocketPair(SocketDomain domain, SocketKind kind, int protocol, int* fds)
        => Result(LibC.socketpair((int)domain, (int)kind | NonBlockCloseOnExec, protocol, fds));

    public override int Bind(int fd, void* address, uint length) => Result(LibC.bind(fd, address, length));

    public override int Listen(int fd, int backlog) => Result(LibC.listen(fd, backlog));

    public override int Accept4(int fd, void* address, uint* length) => Result(LibC.accept4(fd, address, length, NonBlockCloseOnExec));

    public override int Connect(int fd, void* address, uint length) => Result(LibC.connect(fd, address, length));

    public override int Shutdown(int fd, ShutdownHow how) => Result(LibC.shutdown(fd, (int)how));

    public override int GetSockName(int fd, void* address, uint* length) => Result(LibC.getsockname(fd, address, length));

    public override int GetPeerName(int fd, void* address, uint* length) => Result(LibC.getpeername(fd, address, length));

    public override int GetSockOpt(int fd, SocketLevel level, SocketOption option, void* value, uint* length)
        => Result(LibC.getsockopt(fd, (int)level, (int)option, value, length));

    public override int SetSockOpt(int fd, SocketLevel level, SocketOption option, void* value, uint length)
        => Result(LibC.setsockopt(fd, (int)level, (int)option, value, length));

    // Copying 64 KiB takes some ten microseconds: for so long a garbage collection may wait.
    private static bool IsShort(nuint length, MessageFlags flags) => (flags & MessageFlags.DontWait) != 0 && length <= 64 * 1024;

    // By number: where there are threads, libc's wrappers make themselves points of cancellation (pthread_cancel) on the way in, and undo that on the way
    // out. The sixth argument is the length of an address; with no address it is not looked at.
    public override nint Receive(int fd, void* buffer, nuint length, MessageFlags flags)
        => Result(IsShort(length, flags) && SystemCallNumbers.ReceiveFrom != 0
            ? LibC.syscall_now(SystemCallNumbers.ReceiveFrom, fd, (nint)buffer, (nint)length, (nint)(uint)flags, 0)
            : LibC.recv(fd, buffer, length, (int)flags));

    public override nint Send(int fd, void* buffer, nuint length, MessageFlags flags)
        => Result(IsShort(length, flags) && SystemCallNumbers.SendTo != 0
            ? LibC.syscall_now(SystemCallNumbers.SendTo, fd, (nint)buffer, (nint)length, (nint)(uint)flags, 0)
            : LibC.send(fd, buffer, length, (int)flags));

    public override nint ReceiveMessage(int fd, MessageHeader* message, MessageFlags flags) => Result(LibC.recvmsg(fd, message, (int)flags));

    public override nint SendMessage(int fd, MessageHeader* message, MessageFlags flags) => Result(LibC.sendmsg(fd, message, (int)flags));

    public override int ReceiveMessages(int fd, MessageEntry* messages, uint count, MessageFlags flags)
        => Result(LibC.recvmmsg(fd, messages, count, (int)flags, null));

    public override int SendMessages(int fd, MessageEntry* messages, uint count, MessageFlags flags)
        => Result(LibC.sendmmsg(fd, messages, count, (int)flags));

    public override int EpollCreate1(FileFlags flags) => Result(LibC.epoll_create1((int)flags));

    public override int EpollCtl(int epfd, EpollOp op, int fd, void* epollEvent) => Result(LibC.epoll_ctl(epfd, (int)op, fd, epollEvent));

    public override int EpollWait(int epfd, void* events, int maxEvents, int timeoutMilliseconds)
        => Result(LibC.epoll_wait(epfd, events, maxEvents, timeoutMilliseconds));

    public override int EpollPWait2(int epfd, void* events, int maxEvents, TimeSpec* timeout)
    {
        if (_hasPWait2)
        {
            // By number, since C libraries before glibc 2.35 have no wrapper. 441 on every architecture.
            nint result = LibC.syscall(SystemCallNumbers.EpollPWait2, epfd, (nint)events, maxEvents, (nint)timeout, 0, 8);
            if (result >= 0)
                return (int)result;
            int error = Marshal.GetLastSystemError();
            // EPERM is none of the call's own errors: filters of older container runtimes (libseccomp) say so of every call they do not know.
            if (error is not ((int)Errno.ENOSYS or (int)Errno.EPERM))
                return -error;
            _hasPWait2 = false;
        }

        return EpollWait(epfd, events, maxEvents, WholeMilliseconds(timeout));
    }

    /// <summary>Rounded up, so that a wait in milliseconds is never early; a timespec the kernel would refuse is refused by it again.</summary>
    internal static int WholeMilliseconds(TimeSpec* timeout)
    {
        if (timeout == null)
            return -1;
        long milliseconds = timeout->Seconds >= int.MaxValue / 1000
            ? int.MaxValue
            : timeout->Seconds * 1000 + (timeout->Nanoseconds + 999_999) / 1_000_000;
        return (int)Math.Clamp(milliseconds, 0, int.MaxValue);
    }

    public override int Poll(PollEntry* entries, uint count, int timeoutMilliseconds) => Result(LibC.poll(entries, count, timeoutMilliseconds));

    public override int EventFd(uint initialCount, EventFdFlags flags) => Result(LibC.eventfd(initialCount, (int)flags));

    public override int TimerFdCreate(ClockId clock) => Result(LibC.timerfd_create((int)clock, NonBlockCloseOnExec));

    public override int TimerFdSetTime(int fd, TimerSpec* value, TimerFdSetFlags flags) => Result(LibC.timerfd_settime(fd, (int)flags, value, null));

    public override int TimerFdGetTime(int fd, TimerSpec* value) => Result(LibC.timerfd_gettime(fd, value));

    public override int SignalFd(int fd, ulong signals)
    {
        ulong* set = stackalloc ulong[SignalSetWords];
        new Span<ulong>(set, SignalSetWords).Clear();
        set[0] = signals;
        return Result(LibC.signalfd(fd, set, NonBlockCloseOnExec));
    }

    public override int PidFdOpen(int processId) => (int)Result(LibC.syscall(SystemCallNumbers.PidFdOpen, processId, 0, 0, 0, 0, 0));

    public override int InotifyInit() => Result(LibC.inotify_init1(NonBlockCloseOnExec));

    public override int InotifyAddWatch(int fd, byte* path, InotifyEvents events) => Result(LibC.inotify_add_watch(fd, path, (uint)events));

    public override int InotifyRemoveWatch(int fd, int watch) => Result(LibC.inotify_rm_watch(fd, watch));
}
