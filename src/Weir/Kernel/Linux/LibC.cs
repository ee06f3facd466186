using System.Runtime.InteropServices;

namespace Weir;

#pragma warning disable IDE1006, CA2101 // The names are libc's own, and no argument is a string.

/// <summary>libc's wrappers of the system calls. All arguments are blittable: no marshalling, no allocation.</summary>
internal static unsafe partial class LibC
{
    private const string Name = "libc";

    [DllImport(Name)] internal static extern int clock_gettime(int clock, TimeSpec* now);
    [DllImport(Name)] internal static extern int getrlimit(int resource, ulong* limits);
    [DllImport(Name)] internal static extern int setrlimit(int resource, ulong* limits);

    [DllImport(Name)] internal static extern int open(byte* path, int flags, int mode);
    [DllImport(Name)] internal static extern int close(int fd);
    [DllImport(Name)] internal static extern int dup3(int fd, int newFd, int flags);
    [DllImport(Name)] internal static extern int fcntl(int fd, int command, nint argument);
    [DllImport(Name)] internal static extern int ioctl(int fd, nuint request, void* argument);
    [DllImport(Name)] internal static extern int unlink(byte* path);
    [DllImport(Name)] internal static extern int mkfifo(byte* path, uint mode);
    [DllImport(Name)] internal static extern nint read(int fd, void* buffer, nuint length);
    [DllImport(Name)] internal static extern nint write(int fd, void* buffer, nuint length);
    [DllImport(Name)] internal static extern nint readv(int fd, IoVector* vectors, int count);
    [DllImport(Name)] internal static extern nint writev(int fd, IoVector* vectors, int count);
    [DllImport(Name)] internal static extern nint splice(int fdIn, long* offsetIn, int fdOut, long* offsetOut, nuint length, uint flags);
    [DllImport(Name)] internal static extern int pipe2(int* fds, int flags);

    [DllImport(Name)] internal static extern int socket(int domain, int type, int protocol);
    [DllImport(Name)] internal static extern int socketpair(int domain, int type, int protocol, int* fds);
    [DllImport(Name)] internal static extern int bind(int fd, void* address, uint length);
    [DllImport(Name)] internal static extern int listen(int fd, int backlog);
    [DllImport(Name)] internal static extern int accept4(int fd, void* address, uint* length, int flags);
    [DllImport(Name)] internal static extern int connect(int fd, void* address, uint length);
    [DllImport(Name)] internal static extern int shutdown(int fd, int how);
    [DllImport(Name)] internal static extern int getsockname(int fd, void* address, uint* length);
    [DllImport(Name)] internal static extern int getpeername(int fd, void* address, uint* length);
    [DllImport(Name)] internal static extern int getsockopt(int fd, int level, int option, void* value, uint* length);
    [DllImport(Name)] internal static extern int setsockopt(int fd, int level, int option, void* value, uint length);
    [DllImport(Name)] internal static extern nint recv(int fd, void* buffer, nuint length, int flags);
    [DllImport(Name)] internal static extern nint send(int fd, void* buffer, nuint length, int flags);
    [DllImport(Name)] internal static extern nint recvmsg(int fd, MessageHeader* message, int flags);
    [DllImport(Name)] internal static extern nint sendmsg(int fd, MessageHeader* message, int flags);

    [DllImport(Name)] internal static extern int recvmmsg(int fd, MessageEntry* messages, uint count, int flags, TimeSpec* timeout);
    [DllImport(Name)] internal static extern int sendmmsg(int fd, MessageEntry* messages, uint count, int flags);

    [DllImport(Name)] internal static extern int epoll_create1(int flags);
    [DllImport(Name)] internal static extern int epoll_ctl(int epfd, int op, int fd, void* epollEvent);
    [DllImport(Name)] internal static extern int epoll_wait(int epfd, void* events, int maxEvents, int timeout);
    [DllImport(Name)] internal static extern int poll(PollEntry* entries, nuint count, int timeout);
    [DllImport(Name)] internal static extern int eventfd(uint initialCount, int flags);
    [DllImport(Name)] internal static extern int timerfd_create(int clock, int flags);
    [DllImport(Name)] internal static extern int timerfd_settime(int fd, int flags, TimerSpec* value, TimerSpec* old);
    [DllImport(Name)] internal static extern int timerfd_gettime(int fd, TimerSpec* value);
    [DllImport(Name)] internal static extern int signalfd(int fd, ulong* signals, int flags);
    [DllImport(Name)] internal static extern int inotify_init1(int flags);
    [DllImport(Name)] internal static extern int inotify_add_watch(int fd, byte* path, uint mask);
    [DllImport(Name)] internal static extern int inotify_rm_watch(int fd, int watch);

    [DllImport(Name)] internal static extern nint pread(int fd, void* buffer, nuint length, long offset);
    [DllImport(Name)] internal static extern nint pwrite(int fd, void* buffer, nuint length, long offset);
    [DllImport(Name)] internal static extern nint preadv(int fd, IoVector* vectors, int count, long offset);
    [DllImport(Name)] internal static extern nint pwritev(int fd, IoVector* vectors, int count, long offset);
    [DllImport(Name)] internal static extern int fsync(int fd);
    [DllImport(Name)] internal static extern int fdatasync(int fd);
    [DllImport(Name)] internal static extern int fallocate(int fd, int mode, long offset, long length);
    [DllImport(Name)] internal static extern int ftruncate(int fd, long length);
    [DllImport(Name)] internal static extern int statx(int directory, byte* path, int flags, uint mask, StatXResult* result);
    [DllImport(Name)] internal static extern int mkdir(byte* path, uint mode);
    [DllImport(Name)] internal static extern int rmdir(byte* path);
    [DllImport(Name)] internal static extern int rename(byte* from, byte* to);

    [DllImport(Name)] internal static extern int posix_spawn(int* processId, byte* path, byte* actions, byte* attributes, byte** arguments, byte** environment);
    [DllImport(Name)] internal static extern int posix_spawnattr_init(byte* attributes);
    [DllImport(Name)] internal static extern int posix_spawnattr_destroy(byte* attributes);
    [DllImport(Name)] internal static extern int posix_spawnattr_setflags(byte* attributes, short flags);
    [DllImport(Name)] internal static extern int posix_spawnattr_setsigmask(byte* attributes, ulong* signals);
    [DllImport(Name)] internal static extern int posix_spawnattr_setsigdefault(byte* attributes, ulong* signals);
    [DllImport(Name)] internal static extern int posix_spawn_file_actions_init(byte* actions);
    [DllImport(Name)] internal static extern int posix_spawn_file_actions_destroy(byte* actions);
    [DllImport(Name)] internal static extern int posix_spawn_file_actions_adddup2(byte* actions, int fd, int newFd);
    [DllImport(Name)] internal static extern int posix_spawn_file_actions_addchdir_np(byte* actions, byte* path);
    [DllImport(Name)] internal static extern int posix_spawn_file_actions_addclosefrom_np(byte* actions, int from);
    [DllImport(Name)] internal static extern int kill(int processId, int signal);
    [DllImport(Name)] internal static extern int waitid(int kind, uint id, byte* information, int flags);

    [DllImport(Name)] internal static extern nint mmap(void* address, nuint length, int protection, int flags, int fd, long offset);
    [DllImport(Name)] internal static extern int munmap(void* address, nuint length);

    [DllImport(Name)] internal static extern nint syscall(nint number, nint a, nint b, nint c, nint d, nint e, nint f);
    // For short calls that cannot block: without the transition that lets the garbage collector run meanwhile. A collection then waits for the
    // call, which takes as long as copying the bytes. Of up to five arguments, which go in registers; the sixth that the kernel is given is undefined.
    [DllImport(Name, EntryPoint = "syscall"), SuppressGCTransition] internal static extern nint syscall_now(nint number, nint a, nint b, nint c, nint d, nint e);
}

/// <summary>
/// Numbers of system calls that older C libraries have no wrapper for, and of those whose wrapper costs something: from 424 on they are the same on
/// all architectures.
/// </summary>
internal static class SystemCallNumbers
{
    // 0: of this architecture it is not known here. asm/unistd_64.h, asm-generic/unistd.h.
    internal static readonly nint ReceiveFrom = RuntimeInformation.ProcessArchitecture switch { Architecture.X64 => 45, Architecture.Arm64 => 207, _ => 0 };
    internal static readonly nint SendTo = RuntimeInformation.ProcessArchitecture switch { Architecture.X64 => 44, Architecture.Arm64 => 206, _ => 0 };
    internal static readonly nint GetDents64 = RuntimeInformation.ProcessArchitecture switch { Architecture.X64 => 217, Architecture.Arm64 => 61, _ => 0 };

    internal const nint PidFdSendSignal = 424;
    internal const nint IoUringSetup = 425;
    internal const nint IoUringEnter = 426;
    internal const nint IoUringRegister = 427;
    internal const nint PidFdOpen = 434;
    internal const nint EpollPWait2 = 441;
}
