namespace Weir.Simulation;

public sealed unsafe partial class SimKernel
{
    /// <inheritdoc/>
    public override int IoUringSetup(uint entries, IoUringParameters* parameters) => -(int)Errno.ENOSYS;

    /// <inheritdoc/>
    public override int IoUringEnter(int fd, uint toSubmit, uint minComplete, IoUringEnterFlags flags, void* argument, nuint argumentSize) => throw NotEmulated("io_uring_enter");

    /// <inheritdoc/>
    public override int IoUringRegister(int fd, IoUringRegisterOp operation, void* argument, uint count) => throw NotEmulated("io_uring_register");

    /// <inheritdoc/>
    public override nint MMap(nuint length, int fd, long offset) => throw NotEmulated("mmap");

    /// <inheritdoc/>
    public override int MUnmap(void* address, nuint length) => throw NotEmulated("munmap");
}
