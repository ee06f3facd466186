namespace Weir;

/// <summary>
/// A system call failed. The message names the call, the descriptor, the errno and, where there is something to do, what to do.
/// An <see cref="IOException"/>, so that streams and those who use them handle it as they handle any failed I/O.
/// </summary>
public sealed class KernelException : IOException
{
    /// <summary>The failure of <paramref name="call"/> on <paramref name="fileDescriptor"/> (-1 where there was none).</summary>
    public KernelException(string call, int fileDescriptor, Errno errno)
        : base(Describe(call, fileDescriptor, errno))
    {
        Call = call;
        FileDescriptor = fileDescriptor;
        Errno = errno;
    }

    /// <summary>The system call by its man page name, with what matters of its arguments: "epoll_ctl(ADD)".</summary>
    public string Call { get; }

    /// <summary>The descriptor the call was made on; -1 where there was none.</summary>
    public int FileDescriptor { get; }

    /// <summary>Why it failed.</summary>
    public Errno Errno { get; }

    /// <summary>Throws when <paramref name="result"/>, as a method of <see cref="Kernel"/> returns it, is a negated errno; else returns it.</summary>
    public static int Check(int result, string call, int fileDescriptor = -1)
        => result >= 0 ? result : throw new KernelException(call, fileDescriptor, (Errno)(-result));

    /// <summary>The address that mmap(2) has returned.</summary>
    /// <exception cref="KernelException">It is an error: the last page of the address space stands for those.</exception>
    internal static unsafe void* CheckAddress(nint result, int fileDescriptor = -1)
        => result is < 0 and > -4096 ? throw new KernelException("mmap", fileDescriptor, (Errno)(-(int)result)) : (void*)result;

    private static string Describe(string call, int fd, Errno errno)
    {
        string where = fd >= 0 ? $"{call}, fd {fd}" : call;
        string hint = Hint(call, errno);
        return hint.Length == 0 ? $"{where}: {errno}" : $"{where}: {errno}: {hint}";
    }

    private static string Hint(string call, Errno errno) => errno switch
    {
        Errno.EPERM when call.StartsWith("io_uring", StringComparison.Ordinal)
            => "io_uring is forbidden here, by seccomp or by the sysctl kernel.io_uring_disabled; use DriverKind.Epoll",
        Errno.ENOSYS when call.StartsWith("io_uring", StringComparison.Ordinal) => "this kernel has no io_uring; use DriverKind.Epoll",
        Errno.EOPNOTSUPP or Errno.EINVAL when call.StartsWith("io_uring", StringComparison.Ordinal)
            => "this kernel's io_uring lacks what the driver needs (Linux 6.1); use DriverKind.Epoll",
        Errno.ENOMEM when call.StartsWith("io_uring", StringComparison.Ordinal) => "no memory for a ring, or none that may be locked; raise `ulimit -l`, or use DriverKind.Epoll",
        Errno.EPERM when call.StartsWith("epoll_ctl", StringComparison.Ordinal) || call == "poll"
            => "this kind of file cannot be polled (regular files and directories are always ready); read and write it directly",
        Errno.EPERM when call == "sendmsg(SCM_CREDENTIALS)"
            => "a process may name itself and its own user and group; another process takes CAP_SYS_ADMIN, another user CAP_SETUID, another group CAP_SETGID",
        Errno.ESRCH when call == "sendmsg(SCM_CREDENTIALS)" => "the process that was named does not exist",
        Errno.EACCES when call.StartsWith("posix_spawn", StringComparison.Ordinal) => "not executable, or a directory on the way to it is closed to this user",
        Errno.ENOSYS when call.StartsWith("posix_spawn", StringComparison.Ordinal)
            => "this kernel has no pidfd_open (Linux 5.3), or this C library cannot start a program in another directory (glibc 2.29)",
        Errno.EPERM when call.StartsWith("posix_spawn", StringComparison.Ordinal) || call.StartsWith("pidfd_open", StringComparison.Ordinal)
            => "not allowed; a filter of system calls (seccomp) may forbid pidfd_open, as those of older container runtimes do",
        Errno.ENOSYS when call.StartsWith("pidfd_open", StringComparison.Ordinal) => "this kernel has no pidfd_open (Linux 5.3)",
        Errno.E2BIG => "arguments and environment are too large: one may have 128 KiB, all together a quarter of `ulimit -s`",
        Errno.ENOEXEC => "neither a program for this machine nor a script that begins with #!",
        Errno.ETOOMANYREFS => "this user has too many descriptors under way in unix sockets; their receivers must take some first",
        Errno.EACCES when call.StartsWith("send", StringComparison.Ordinal)
            => "a broadcast address needs the option Broadcast; a unix path the right to write to it",
        Errno.EAGAIN when call.StartsWith("send", StringComparison.Ordinal)
            => "all local ports are in use, and the socket has none; bind it to one, or widen net.ipv4.ip_local_port_range",
        Errno.EAGAIN when call == "write" => "the counter is full: there were 2^64-2 signals that nobody waited for",
        Errno.ESRCH => "there is no such process",
        Errno.EACCES => "permission denied; check the rights on the path, or use a port above 1023",
        Errno.ENOENT when call.StartsWith("connect", StringComparison.Ordinal) => "no such socket; check the path and that its server runs",
        Errno.ENOENT when call.StartsWith("epoll_ctl", StringComparison.Ordinal) => "the descriptor is not registered; it was closed or never added",
        Errno.ENOENT => "no such file or directory",
        Errno.ENOTDIR => "a part of the path is no directory",
        Errno.EBADF => "the descriptor is not open; it was closed elsewhere",
        Errno.EEXIST when call.StartsWith("epoll_ctl", StringComparison.Ordinal) => "the descriptor is registered already; modify it instead",
        Errno.EEXIST => "it exists already",
        Errno.EADDRINUSE when call.EndsWith("AddMembership)", StringComparison.Ordinal) => "the socket is a member of that group already",
        Errno.EADDRNOTAVAIL when call.EndsWith("DropMembership)", StringComparison.Ordinal) => "the socket is no member of that group on that interface",
        Errno.EADDRINUSE => "the address is in use; choose another port or stop the process that listens on it",
        Errno.EADDRNOTAVAIL => "no interface of this machine has the address, or the local ports are used up",
        Errno.ECONNREFUSED => "nobody listens at that address",
        Errno.ECONNRESET => "the peer reset the connection",
        Errno.EPIPE => "the peer has closed its reading side",
        Errno.ETIMEDOUT => "the peer did not answer in time",
        Errno.EHOSTUNREACH or Errno.ENETUNREACH => "no route to that address",
        Errno.EMSGSIZE => "the datagram is larger than the socket's buffer or its protocol allows; it was not sent",
        Errno.EDESTADDRREQ => "the socket is connected to nobody; name a receiver or connect it",
        Errno.ENOTCONN => "the socket is not connected",
        Errno.ENOTSOCK => "the descriptor is not a socket; for other files there are FdWatcher, PipeEnd and Terminal",
        Errno.EMFILE when call.StartsWith("inotify_init", StringComparison.Ordinal)
            => "the user's limit of inotify instances is reached, or this process has no descriptors left; raise fs.inotify.max_user_instances or `ulimit -n`",
        Errno.EMFILE => "this process has no descriptors left; raise `ulimit -n`",
        Errno.ENFILE => "the system has no descriptors left; raise fs.file-max",
        Errno.ENOSPC when call.StartsWith("epoll_ctl", StringComparison.Ordinal)
            => "the user's limit of epoll registrations is reached; raise fs.epoll.max_user_watches",
        Errno.ENOSPC when call.StartsWith("inotify_add_watch", StringComparison.Ordinal)
            => "the user's limit of inotify watches is reached; raise fs.inotify.max_user_watches",
        Errno.ENOSPC => "no space left",
        Errno.ENOBUFS or Errno.ENOMEM => "the kernel has no memory for it",
        Errno.EINVAL when call.EndsWith("(O_DIRECT)", StringComparison.Ordinal)
            => "direct I/O wants offset, length and address as multiples of the device's block (512 or 4096 bytes), and not every file system has it",
        Errno.EISDIR => "it is a directory",
        Errno.EROFS => "the file system is mounted read-only",
        Errno.EFBIG => "the file would pass the size limit of its file system or of this process (`ulimit -f`)",
        Errno.ESPIPE => "a pipe or socket has no offsets; read it as a stream",
        Errno.EINVAL => "an argument is out of range for this kind of descriptor",
        Errno.EAFNOSUPPORT => "this kernel has that address family switched off",
        Errno.ENAMETOOLONG => "the path is too long",
        Errno.ELOOP when call.StartsWith("epoll_ctl", StringComparison.Ordinal) => "epoll instances may be nested at most five deep and never in a circle",
        _ => "",
    };
}
