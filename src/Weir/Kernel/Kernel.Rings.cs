namespace Weir;

public abstract unsafe partial class Kernel
{
    /// <summary>
    /// Makes a ring of submissions and completions, close-on-exec; <paramref name="parameters"/> says what is asked for, and afterwards what is
    /// there. io_uring_setup(2).
    /// </summary>
    public abstract int IoUringSetup(uint entries, IoUringParameters* parameters);

    /// <summary>
    /// Submits entries of a ring, waits for completions, or both; returns how many entries were taken. <paramref name="argument"/> is an
    /// <see cref="IoUringWaitArgument"/> where <see cref="IoUringEnterFlags.ExtendedArgument"/> is set, else null. io_uring_enter(2).
    /// </summary>
    public abstract int IoUringEnter(int fd, uint toSubmit, uint minComplete, IoUringEnterFlags flags, void* argument, nuint argumentSize);

    /// <summary>Gives a ring something to keep, or asks what it can do. io_uring_register(2).</summary>
    public abstract int IoUringRegister(int fd, IoUringRegisterOp operation, void* argument, uint count);

    /// <summary>
    /// Maps <paramref name="length"/> bytes of a descriptor at an offset, shared, for reading and writing, populated at once; with -1 for the
    /// descriptor, private zeroed memory. Returns the address. mmap(2).
    /// </summary>
    public abstract nint MMap(nuint length, int fd, long offset);

    /// <summary>Ends a mapping. munmap(2).</summary>
    public abstract int MUnmap(void* address, nuint length);
}
