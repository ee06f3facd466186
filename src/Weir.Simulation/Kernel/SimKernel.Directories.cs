namespace Weir.Simulation;

public sealed unsafe partial class SimKernel
{
    /// <inheritdoc/>
    public override int GetDents64(int fd, void* buffer, nuint length) => throw NotEmulated("getdents64");

    /// <inheritdoc/>
    public override int MakeDirectory(byte* path, int mode) => throw NotEmulated("mkdir");

    /// <inheritdoc/>
    public override int RemoveDirectory(byte* path) => throw NotEmulated("rmdir");

    /// <inheritdoc/>
    public override int Rename(byte* from, byte* to) => throw NotEmulated("rename");
}
