namespace Weir.Tests;

public unsafe partial class CountingKernel
{
    public override int IoUringSetup(uint entries, IoUringParameters* parameters)
        => Refuses(nameof(IoUringSetup), out int error) ? error : Inner.IoUringSetup(entries, parameters);

    public override int IoUringEnter(int fd, uint toSubmit, uint minComplete, IoUringEnterFlags flags, void* argument, nuint argumentSize)
        => Refuses(nameof(IoUringEnter), out int error) ? error : Inner.IoUringEnter(fd, toSubmit, minComplete, flags, argument, argumentSize);

    public override int IoUringRegister(int fd, IoUringRegisterOp operation, void* argument, uint count)
        => Refuses(nameof(IoUringRegister), out int error) ? error : Inner.IoUringRegister(fd, operation, argument, count);

    public override nint MMap(nuint length, int fd, long offset)
        => Refuses(nameof(MMap), out int error) ? error : Inner.MMap(length, fd, offset);

    public override int MUnmap(void* address, nuint length)
        => Refuses(nameof(MUnmap), out int error) ? error : Inner.MUnmap(address, length);
}
