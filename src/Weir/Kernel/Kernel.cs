namespace Weir;

/// <summary>
/// The one door to the operating system. Every method is one system call of Linux: it returns what the call returns, or the
/// negated <see cref="Errno"/>, and does nothing else: no exception, no allocation, no retry. Buffers cross as raw pointers, so that a
/// bad one can be expressed (EFAULT). <see cref="Linux"/> is the real kernel; a simulator derives its own.
/// </summary>
/// <remarks>
/// Thread-safe as the calls themselves are. Whoever holds a descriptor number must know that it is open: a number that was closed may
/// already be someone else's. EINTR is returned, never hidden: only the caller knows whether its time has passed.
/// </remarks>
public abstract unsafe partial class Kernel
{
    /// <summary>The kernel this process runs on.</summary>
    public static Kernel Linux { get; } = new LinuxKernel();

    /// <summary>A name for logs and statistics.</summary>
    public abstract string Name { get; }

    /// <summary>
    /// Whether it decides itself which thread runs, as a simulator does: then the runtime makes no threads of its own, for they would escape it.
    /// False for real kernels.
    /// </summary>
    public virtual bool SchedulesThreads => false;

    // Time and limits

    /// <summary>Nanoseconds of a clock. clock_gettime(2).</summary>
    public abstract long ClockGetTime(ClockId clock);

    /// <summary>Soft and hard limit of a resource. getrlimit(2).</summary>
    public abstract int GetResourceLimit(ResourceLimit resource, out ulong soft, out ulong hard);

    /// <summary>Sets the soft and hard limit of a resource. setrlimit(2).</summary>
    public abstract int SetResourceLimit(ResourceLimit resource, ulong soft, ulong hard);

    // Descriptors and files

    /// <summary>Opens a file named by a zero-terminated path. open(2).</summary>
    public abstract int Open(byte* path, FileFlags flags, int mode);

    /// <summary>Closes a descriptor. On Linux the number is free again whatever is returned, EINTR included. close(2).</summary>
    public abstract int Close(int fd);

    /// <summary>Makes <paramref name="newFd"/> another number for the same open file description. dup3(2).</summary>
    public abstract int Dup3(int fd, int newFd, FileFlags flags);

    /// <summary>Descriptor and status flags, duplicates, pipe sizes. fcntl(2).</summary>
    public abstract int Fcntl(int fd, FcntlCommand command, nint argument);

    /// <summary>Device control, such as FIONREAD. ioctl(2).</summary>
    public abstract int Ioctl(int fd, uint request, void* argument);

    /// <summary>Removes a name from the file system. unlink(2).</summary>
    public abstract int Unlink(byte* path);

    /// <summary>Makes a FIFO, a pipe with a name, at a zero-terminated path; the process's umask applies. mkfifo(3).</summary>
    public abstract int MakeFifo(byte* path, int mode);

    /// <summary>Reads at most <paramref name="length"/> bytes; 0 is the end. read(2).</summary>
    public abstract nint Read(int fd, void* buffer, nuint length);

    /// <summary>Writes at most <paramref name="length"/> bytes. write(2).</summary>
    public abstract nint Write(int fd, void* buffer, nuint length);

    /// <summary>Reads into several buffers. readv(2).</summary>
    public abstract nint ReadV(int fd, IoVector* vectors, int count);

    /// <summary>Writes from several buffers. writev(2).</summary>
    public abstract nint WriteV(int fd, IoVector* vectors, int count);

    /// <summary>Moves bytes between a pipe and another file without copying them through the process. splice(2).</summary>
    public abstract nint Splice(int fdIn, long* offsetIn, int fdOut, long* offsetOut, nuint length, SpliceFlags flags);

    /// <summary>Makes a pipe: <paramref name="fds"/>[0] reads what [1] writes. pipe2(2).</summary>
    public abstract int Pipe2(int* fds, FileFlags flags);
}
