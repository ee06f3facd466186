namespace Weir.Simulation;

public sealed unsafe partial class SimKernel
{
    /// <inheritdoc/>
    public override nint PRead(int fd, void* buffer, nuint length, long offset) => throw NotEmulated("pread");

    /// <inheritdoc/>
    public override nint PWrite(int fd, void* buffer, nuint length, long offset) => throw NotEmulated("pwrite");

    /// <inheritdoc/>
    public override nint PReadV(int fd, IoVector* vectors, int count, long offset) => throw NotEmulated("preadv");

    /// <inheritdoc/>
    public override nint PWriteV(int fd, IoVector* vectors, int count, long offset) => throw NotEmulated("pwritev");

    /// <inheritdoc/>
    public override int FSync(int fd, bool dataOnly) => throw NotEmulated("fsync");

    /// <inheritdoc/>
    public override int FAllocate(int fd, FileAllocation mode, long offset, long length) => throw NotEmulated("fallocate");

    /// <inheritdoc/>
    public override int FTruncate(int fd, long length) => throw NotEmulated("ftruncate");

    /// <inheritdoc/>
    public override int StatX(int directory, byte* path, StatXFlags flags, StatXMask mask, StatXResult* result) => throw NotEmulated("statx");
}
