namespace Weir.Simulation;

public sealed unsafe partial class SimKernel
{
    /// <inheritdoc/>
    public override int GetDents64(int fd, void* buffer, nuint length)
    {
        using Call call = Begin(SystemCall.GetDents64, fd);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        SimFile? file = Descriptors.Find(fd);
        if (file is not DirectoryFile directory)
            return call.Returns(file == null ? -(int)Errno.EBADF : -(int)Errno.ENOTDIR);
        return call.Returns(directory.ReadEntries((byte*)buffer, (int)Math.Min(length, int.MaxValue)));
    }

    /// <inheritdoc/>
    public override int MakeDirectory(byte* path, int mode)
    {
        using Call call = Begin(SystemCall.MakeDirectory);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        return call.Returns(TryPath(path, out string name, out int error) ? Machine.MakeNode(name, new DirectoryNode()) : error);
    }

    /// <inheritdoc/>
    public override int RemoveDirectory(byte* path)
    {
        using Call call = Begin(SystemCall.RemoveDirectory);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        return call.Returns(TryPath(path, out string name, out int error) ? Machine.RemoveDirectory(name) : error);
    }

    /// <inheritdoc/>
    public override int Rename(byte* from, byte* to)
    {
        using Call call = Begin(SystemCall.Rename);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if (!TryPath(from, out string old, out int error) || !TryPath(to, out string name, out error))
            return call.Returns(error);
        return call.Returns(Machine.Rename(old, name));
    }
}
