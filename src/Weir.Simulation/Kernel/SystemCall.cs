namespace Weir.Simulation;

#pragma warning disable CS1591 // Each member is the call of the man page that it is named after.

/// <summary>The calls of the door, which traces and findings show by the names of the man pages, and faults are asked for by.</summary>
public enum SystemCall : byte
{
    None,
    GetResourceLimit,
    SetResourceLimit,
    Open,
    Close,
    Dup3,
    Fcntl,
    Ioctl,
    Unlink,
    Read,
    Write,
    ReadV,
    WriteV,
    Splice,
    Pipe2,
    MakeFifo,
    Socket,
    SocketPair,
    Bind,
    Listen,
    Accept4,
    Connect,
    Shutdown,
    GetSockName,
    GetPeerName,
    GetSockOpt,
    SetSockOpt,
    Receive,
    Send,
    ReceiveMessage,
    SendMessage,
    EpollCreate1,
    EpollCtl,
    EpollWait,
    EpollPWait2,
    Poll,
    EventFd,
    TimerFdCreate,
    TimerFdSetTime,
    TimerFdGetTime,
    SignalFd,
    PidFdOpen,
    InotifyInit,
    InotifyAddWatch,
    InotifyRemoveWatch,
    EpollPWait,
    MemFdCreate,
    Kill,
    SignalAction,
    SignalMask,
    ExitGroup,
    Wait,
}

internal static class SystemCallNames
{
    private static readonly string[] Names =
    [
        "-", "getrlimit", "setrlimit", "open", "close", "dup3", "fcntl", "ioctl", "unlink", "read", "write", "readv", "writev", "splice", "pipe2",
        "mkfifo", "socket", "socketpair", "bind", "listen", "accept4", "connect", "shutdown", "getsockname", "getpeername", "getsockopt",
        "setsockopt", "recv", "send", "recvmsg", "sendmsg", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait2", "poll", "eventfd",
        "timerfd_create", "timerfd_settime", "timerfd_gettime", "signalfd", "pidfd_open", "inotify_init1", "inotify_add_watch", "inotify_rm_watch", "epoll_pwait",
        "memfd_create", "kill", "rt_sigaction", "rt_sigprocmask", "exit_group", "wait4",
    ];

    /// <summary>The name in the man pages.</summary>
    internal static string ManName(this SystemCall call) => Names[(int)call];
}
