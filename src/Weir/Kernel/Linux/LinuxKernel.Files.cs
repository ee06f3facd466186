namespace Weir;

internal sealed unsafe partial class LinuxKernel
{
    public override nint PRead(int fd, void* buffer, nuint length, long offset) => Result(LibC.pread(fd, buffer, length, offset));

    public override nint PWrite(int fd, void* buffer, nuint length, long offset) => Result(LibC.pwrite(fd, buffer, length, offset));

    public override nint PReadV(int fd, IoVector* vectors, int count, long offset) => Result(LibC.preadv(fd, vectors, count, offset));

    public override nint PWriteV(int fd, IoVector* vectors, int count, long offset) => Result(LibC.pwritev(fd, vectors, count, offset));

    public override int FSync(int fd, bool dataOnly) => Result(dataOnly ? LibC.fdatasync(fd) : LibC.fsync(fd));

    public override int FAllocate(int fd, FileAllocation mode, long offset, long length) => Result(LibC.fallocate(fd, (int)mode, offset, length));

    public override int FTruncate(int fd, long length) => Result(LibC.ftruncate(fd, length));

    public override int StatX(int directory, byte* path, StatXFlags flags, StatXMask mask, StatXResult* result)
        => Result(LibC.statx(directory, path, (int)flags, (uint)mask, result));

    public override int GetDents64(int fd, void* buffer, nuint length)
        => SystemCallNumbers.GetDents64 == 0
            ? -(int)Errno.ENOSYS
            : (int)Result(LibC.syscall(SystemCallNumbers.GetDents64, fd, (nint)buffer, (nint)length, 0, 0, 0));

    public override int MakeDirectory(byte* path, int mode) => Result(LibC.mkdir(path, (uint)mode));

    public override int RemoveDirectory(byte* path) => Result(LibC.rmdir(path));

    public override int Rename(byte* from, byte* to) => Result(LibC.rename(from, to));
}
