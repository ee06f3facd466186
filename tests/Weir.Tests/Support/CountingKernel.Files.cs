namespace Weir.Tests;

public unsafe partial class CountingKernel
{
    public override nint PRead(int fd, void* buffer, nuint length, long offset)
        => Refuses(nameof(PRead), out int error) ? error : Inner.PRead(fd, buffer, length, offset);

    public override nint PWrite(int fd, void* buffer, nuint length, long offset)
        => Refuses(nameof(PWrite), out int error) ? error : Inner.PWrite(fd, buffer, length, offset);

    public override nint PReadV(int fd, IoVector* vectors, int count, long offset)
        => Refuses(nameof(PReadV), out int error) ? error : Inner.PReadV(fd, vectors, count, offset);

    public override nint PWriteV(int fd, IoVector* vectors, int count, long offset)
        => Refuses(nameof(PWriteV), out int error) ? error : Inner.PWriteV(fd, vectors, count, offset);

    public override int FSync(int fd, bool dataOnly)
        => Refuses(nameof(FSync), out int error) ? error : Inner.FSync(fd, dataOnly);

    public override int FAllocate(int fd, FileAllocation mode, long offset, long length)
        => Refuses(nameof(FAllocate), out int error) ? error : Inner.FAllocate(fd, mode, offset, length);

    public override int FTruncate(int fd, long length)
        => Refuses(nameof(FTruncate), out int error) ? error : Inner.FTruncate(fd, length);

    public override int StatX(int directory, byte* path, StatXFlags flags, StatXMask mask, StatXResult* result)
        => Refuses(nameof(StatX), out int error) ? error : Inner.StatX(directory, path, flags, mask, result);

    public override int GetDents64(int fd, void* buffer, nuint length)
        => Refuses(nameof(GetDents64), out int error) ? error : Inner.GetDents64(fd, buffer, length);

    public override int MakeDirectory(byte* path, int mode)
        => Refuses(nameof(MakeDirectory), out int error) ? error : Inner.MakeDirectory(path, mode);

    public override int RemoveDirectory(byte* path)
        => Refuses(nameof(RemoveDirectory), out int error) ? error : Inner.RemoveDirectory(path);

    public override int Rename(byte* from, byte* to)
        => Refuses(nameof(Rename), out int error) ? error : Inner.Rename(from, to);
}
