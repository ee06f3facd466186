namespace Weir;

public abstract unsafe partial class Kernel
{
    /// <summary>Makes an epoll instance. epoll_create1(2); the only flag is close-on-exec.</summary>
    public abstract int EpollCreate1(FileFlags flags);

    /// <summary>
    /// Adds, changes or removes a registration. <paramref name="epollEvent"/> is one entry laid out as <see cref="EpollEventLayout"/>
    /// says; it may be null for <see cref="EpollOp.Delete"/>. epoll_ctl(2).
    /// </summary>
    public abstract int EpollCtl(int epfd, EpollOp op, int fd, void* epollEvent);

    /// <summary>Waits for events; the timeout is in milliseconds, negative for ever. epoll_wait(2).</summary>
    public abstract int EpollWait(int epfd, void* events, int maxEvents, int timeoutMilliseconds);

    /// <summary>
    /// Waits for events; the timeout is relative, null for ever, and exact to the nanosecond. Where there is no epoll_pwait2(2), in
    /// kernels before 5.11, or a filter forbids it, the call waits in whole milliseconds, rounded up, so that it is never early.
    /// </summary>
    public abstract int EpollPWait2(int epfd, void* events, int maxEvents, TimeSpec* timeout);

    /// <summary>Waits for events on a few descriptors; milliseconds, negative for ever. poll(2).</summary>
    public abstract int Poll(PollEntry* entries, uint count, int timeoutMilliseconds);

    /// <summary>Makes an event counter. eventfd(2).</summary>
    public abstract int EventFd(uint initialCount, EventFdFlags flags);

    /// <summary>Makes a timer, non-blocking and close-on-exec. timerfd_create(2).</summary>
    public abstract int TimerFdCreate(ClockId clock);

    /// <summary>Arms or disarms a timer. timerfd_settime(2).</summary>
    public abstract int TimerFdSetTime(int fd, TimerSpec* value, TimerFdSetFlags flags);

    /// <summary>The time left and the period of a timer. timerfd_gettime(2).</summary>
    public abstract int TimerFdGetTime(int fd, TimerSpec* value);

    /// <summary>
    /// Makes a queue of signals, non-blocking and close-on-exec, or (<paramref name="fd"/> not -1) changes which signals an existing one
    /// takes. Bit n-1 of <paramref name="signals"/> is signal n. Only signals that are blocked come this way. signalfd4(2).
    /// </summary>
    public abstract int SignalFd(int fd, ulong signals);

    /// <summary>Makes a descriptor of a process, close-on-exec, which is readable once the process has ended. pidfd_open(2), Linux 5.3.</summary>
    public abstract int PidFdOpen(int processId);

    /// <summary>Makes a queue of file system events, non-blocking and close-on-exec. inotify_init1(2).</summary>
    public abstract int InotifyInit();

    /// <summary>Watches a path (zero-terminated); returns the watch descriptor. inotify_add_watch(2).</summary>
    public abstract int InotifyAddWatch(int fd, byte* path, InotifyEvents events);

    /// <summary>Ends a watch. inotify_rm_watch(2).</summary>
    public abstract int InotifyRemoveWatch(int fd, int watch);
}
