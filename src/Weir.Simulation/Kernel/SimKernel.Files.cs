namespace Weir.Simulation;

public sealed unsafe partial class SimKernel
{
    private const int PathMax = 4096;

    /// <inheritdoc/>
    public override long ClockGetTime(ClockId clock) => clock switch
    {
        // No entry into the kernel (vDSO): neither a point where others may go on nor a step.
        ClockId.Monotonic => World.ReadClock(),
        ClockId.Realtime => SimClock.WallClockAtStart + World.Now - SimClock.Start,
        _ => -(int)Errno.EINVAL,
    };

    /// <inheritdoc/>
    public override int GetResourceLimit(ResourceLimit resource, out ulong soft, out ulong hard)
    {
        using Call call = Begin(SystemCall.GetResourceLimit);
        (soft, hard) = resource == ResourceLimit.OpenFiles
            ? (Descriptors.SoftLimit, Descriptors.HardLimit)
            : (ulong.MaxValue, ulong.MaxValue);
        return call.Returns(call.Fault);
    }

    /// <inheritdoc/>
    public override int SetResourceLimit(ResourceLimit resource, ulong soft, ulong hard)
    {
        using Call call = Begin(SystemCall.SetResourceLimit);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if (soft > hard)
            return call.Returns(-(int)Errno.EINVAL);
        if (resource == ResourceLimit.OpenFiles)
        {
            Descriptors.SoftLimit = soft;
            Descriptors.HardLimit = hard;
        }

        return call.Returns(0);
    }

    /// <inheritdoc/>
    public override int Open(byte* path, FileFlags flags, int mode)
    {
        using Call call = Begin(SystemCall.Open);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if (!TryPath(path, out string name, out int error))
            return call.Returns(error);
        // The number comes first: a name that cannot get one is not looked at, let alone made.
        int fd = Descriptors.FindFree();
        if (fd < 0 || Machine.OpenFiles >= Machine.MaxOpenFiles)
            return call.Returns(fd < 0 ? fd : -(int)Errno.ENFILE);
        SimFile? file = Machine.OpenPath(call.Thread, name, flags, mode, out error);
        return call.Returns(file == null ? error : Install(file, (flags & FileFlags.CloseOnExec) != 0));
    }

    /// <inheritdoc/>
    public override int Close(int fd)
    {
        using Call call = Begin(SystemCall.Close, fd);
        if (call.IsRefused)
            return call.Fault;
        SimFile? file = Descriptors.Take(fd);
        if (file == null)
            return call.Returns(-(int)Errno.EBADF);
        file.Drop();
        World.Detectors.Closed(this, fd, file);
        return call.Returns(call.Fault); // an error from close closes all the same
    }

    /// <inheritdoc/>
    public override int Dup3(int fd, int newFd, FileFlags flags)
    {
        using Call call = Begin(SystemCall.Dup3, fd);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if ((flags & ~FileFlags.CloseOnExec) != 0 || fd == newFd)
            return call.Returns(-(int)Errno.EINVAL);
        if (newFd < 0 || (ulong)newFd >= Descriptors.SoftLimit)
            return call.Returns(-(int)Errno.EBADF);
        SimFile? file = Descriptors.FindAny(fd);
        if (file == null)
            return call.Returns(-(int)Errno.EBADF);
        SimFile? before = Descriptors.Take(newFd);
        Descriptors.Set(newFd, file, (flags & FileFlags.CloseOnExec) != 0);
        before?.Drop();
        if (before != null && before != file)
            World.Detectors.Closed(this, newFd, before);
        return call.Returns(newFd);
    }

    /// <inheritdoc/>
    public override int Fcntl(int fd, FcntlCommand command, nint argument)
    {
        using Call call = Begin(SystemCall.Fcntl, fd);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        SimFile? file = Descriptors.FindAny(fd);
        if (file == null || (file is PathFile && !IsForAnyFile(command)))
            return call.Returns(-(int)Errno.EBADF);
        const FileFlags Changeable = FileFlags.NonBlock | FileFlags.Append;
        switch (command)
        {
            case FcntlCommand.GetDescriptorFlags:
                return call.Returns(Descriptors.IsCloseOnExec(fd) ? 1 : 0);
            case FcntlCommand.SetDescriptorFlags:
                Descriptors.SetCloseOnExec(fd, (argument & 1) != 0);
                return call.Returns(0);
            case FcntlCommand.GetStatusFlags:
                return call.Returns((int)file.Flags);
            case FcntlCommand.SetStatusFlags:
                file.Flags = (file.Flags & ~Changeable) | ((FileFlags)(int)argument & Changeable);
                return call.Returns(0);
            case FcntlCommand.DupCloseOnExec:
                if (argument < 0 || (ulong)argument >= Descriptors.SoftLimit)
                    return call.Returns(-(int)Errno.EINVAL);
                return call.Returns(Install(file, closeOnExec: true, (int)argument));
            default:
                return call.Returns(file.Fcntl(command, argument));
        }
    }

    // check_fcntl_cmd: what may be asked of an O_PATH descriptor.
    private static bool IsForAnyFile(FcntlCommand command) => command
        is FcntlCommand.GetDescriptorFlags or FcntlCommand.SetDescriptorFlags or FcntlCommand.GetStatusFlags or FcntlCommand.DupCloseOnExec;

    /// <inheritdoc/>
    public override int Ioctl(int fd, uint request, void* argument)
    {
        using Call call = Begin(SystemCall.Ioctl, fd);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        SimFile? file = Descriptors.Find(fd);
        return call.Returns(file == null ? -(int)Errno.EBADF : file.Ioctl(request, argument));
    }

    /// <inheritdoc/>
    public override int Unlink(byte* path)
    {
        using Call call = Begin(SystemCall.Unlink);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if (!TryPath(path, out string name, out int error))
            return call.Returns(error);
        return call.Returns(Machine.Unlink(name));
    }

    /// <inheritdoc/>
    public override nint Read(int fd, void* buffer, nuint length)
    {
        IoVector vector = new() { Base = buffer, Length = length };
        return ReadVector(SystemCall.Read, fd, &vector, 1);
    }

    /// <inheritdoc/>
    public override nint Write(int fd, void* buffer, nuint length)
    {
        IoVector vector = new() { Base = buffer, Length = length };
        return WriteVector(SystemCall.Write, fd, &vector, 1);
    }

    /// <inheritdoc/>
    public override nint ReadV(int fd, IoVector* vectors, int count) => ReadVector(SystemCall.ReadV, fd, vectors, count);

    /// <inheritdoc/>
    public override nint WriteV(int fd, IoVector* vectors, int count) => WriteVector(SystemCall.WriteV, fd, vectors, count);

    private nint ReadVector(SystemCall name, int fd, IoVector* vectors, int count)
    {
        using Call call = Begin(name, fd);
        if (call.Fault < 0)
            return call.Returns((nint)call.Fault);
        SimFile? file = Descriptors.Find(fd);
        if (file == null || !IsReadable(file))
            return call.Returns(-(nint)(int)Errno.EBADF);
        if (count is < 0 or > 1024)
            return call.Returns(-(nint)(int)Errno.EINVAL);
        IoVector shortened;
        UserBuffer buffer = World.Faults.Shorten(file, writes: false, vectors, count, &shortened);
        file.Acquire(); // closed while somebody reads from it, it lives until he returns
        try
        {
            nint result = file.Read(call.Thread, ref buffer);
            // vfs_readv tells of a read that found nothing as well, vfs_read does not.
            if (result > 0 || (result == 0 && name == SystemCall.ReadV))
                FsNotify.OfFile(file, InotifyEvents.Access);
            return call.Returns(result);
        }
        finally
        {
            file.Drop();
        }
    }

    private nint WriteVector(SystemCall name, int fd, IoVector* vectors, int count)
    {
        using Call call = Begin(name, fd);
        if (call.Fault < 0)
            return call.Returns((nint)call.Fault);
        SimFile? file = Descriptors.Find(fd);
        if (file == null || !IsWritable(file))
            return call.Returns(-(nint)(int)Errno.EBADF);
        if (count is < 0 or > 1024)
            return call.Returns(-(nint)(int)Errno.EINVAL);
        IoVector shortened;
        UserBuffer buffer = World.Faults.Shorten(file, writes: true, vectors, count, &shortened);
        file.Acquire();
        try
        {
            nint result = file.Write(call.Thread, ref buffer);
            if (result > 0)
                FsNotify.OfFile(file, InotifyEvents.Modify);
            return call.Returns(result);
        }
        finally
        {
            file.Drop();
        }
    }

    /// <summary>memfd_create(2): a regular file without a name.</summary>
    internal int MakeMemoryFile(string name)
    {
        using Call call = Begin(SystemCall.MemFdCreate);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        return call.Returns(Install(new RegularFile(World, new RegularNode(), $"memfd:{name}", FileFlags.ReadWrite | OpenFlags.LargeFile), closeOnExec: true));
    }

    /// <summary>The string at a path argument. False: the errno that the call returns.</summary>
    internal static bool TryPath(byte* path, out string name, out int error)
    {
        name = "";
        error = -(int)Errno.EFAULT;
        if (!UserMemory.IsMapped(path, 1))
            return false;
        int length = 0;
        while (length < PathMax && path[length] != 0)
            length++;
        name = PathText.Decode(new ReadOnlySpan<byte>(path, length));
        error = length == 0 ? -(int)Errno.ENOENT : length == PathMax ? -(int)Errno.ENAMETOOLONG : 0;
        return error == 0;
    }
}
