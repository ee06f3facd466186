using System.Runtime.InteropServices;

namespace Weir;

internal sealed unsafe partial class LinuxKernel
{
    // By number: no C library has wrappers for them, and syscall(2) returns -1 with errno as a wrapper does.

    public override int IoUringSetup(uint entries, IoUringParameters* parameters)
        => (int)Result(LibC.syscall(SystemCallNumbers.IoUringSetup, (nint)entries, (nint)parameters, 0, 0, 0, 0));

    public override int IoUringEnter(int fd, uint toSubmit, uint minComplete, IoUringEnterFlags flags, void* argument, nuint argumentSize)
        => (int)Result(LibC.syscall(SystemCallNumbers.IoUringEnter, fd, (nint)toSubmit, (nint)minComplete, (nint)(uint)flags, (nint)argument, (nint)argumentSize));

    public override int IoUringRegister(int fd, IoUringRegisterOp operation, void* argument, uint count)
        => (int)Result(LibC.syscall(SystemCallNumbers.IoUringRegister, fd, (nint)(uint)operation, (nint)argument, (nint)count, 0, 0));

    public override nint MMap(nuint length, int fd, long offset)
    {
        const int ReadWrite = 1 | 2; // PROT_READ, PROT_WRITE
        const int Shared = 1, Private = 2, Anonymous = 0x20, Populate = 0x8000; // MAP_*
        nint address = LibC.mmap(null, length, ReadWrite, fd < 0 ? Private | Anonymous : Shared | Populate, fd, offset);
        return address == -1 ? -Marshal.GetLastSystemError() : address;
    }

    public override int MUnmap(void* address, nuint length) => Result(LibC.munmap(address, length));
}
