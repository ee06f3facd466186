namespace Weir.Simulation;

public sealed unsafe partial class SimKernel
{
    // s_maxbytes: sparse files are kept whole, so they end earlier here than anywhere else.
    private const long LargestFile = 1 << 30;

    /// <inheritdoc/>
    public override nint PRead(int fd, void* buffer, nuint length, long offset)
    {
        IoVector vector = new() { Base = buffer, Length = length };
        return ReadVectorAt(SystemCall.PRead, fd, &vector, 1, offset);
    }

    /// <inheritdoc/>
    public override nint PWrite(int fd, void* buffer, nuint length, long offset)
    {
        IoVector vector = new() { Base = buffer, Length = length };
        return WriteVectorAt(SystemCall.PWrite, fd, &vector, 1, offset);
    }

    /// <inheritdoc/>
    public override nint PReadV(int fd, IoVector* vectors, int count, long offset) => ReadVectorAt(SystemCall.PReadV, fd, vectors, count, offset);

    /// <inheritdoc/>
    public override nint PWriteV(int fd, IoVector* vectors, int count, long offset) => WriteVectorAt(SystemCall.PWriteV, fd, vectors, count, offset);

    // ksys_pread64 and vfs_read, do_preadv and vfs_readv
    private nint ReadVectorAt(SystemCall name, int fd, IoVector* vectors, int count, long offset)
    {
        using Call call = Begin(name, fd);
        if (call.Fault < 0)
            return call.Returns((nint)call.Fault);
        nint error = CheckTransfer(fd, count, offset, IsReadable, out SimFile? file);
        if (error < 0)
            return call.Returns(error);
        IoVector shortened;
        UserBuffer buffer = World.Faults.Shorten(file!, writes: false, vectors, count, &shortened);
        nint result = file is RegularFile regular ? regular.ReadAt(ref buffer, offset) : file!.Read(call.Thread, ref buffer);
        if (result > 0 || (result == 0 && name == SystemCall.PReadV))
            FsNotify.OfFile(file, InotifyEvents.Access); // as in ReadVector
        return call.Returns(result);
    }

    private nint WriteVectorAt(SystemCall name, int fd, IoVector* vectors, int count, long offset)
    {
        using Call call = Begin(name, fd);
        if (call.Fault < 0)
            return call.Returns((nint)call.Fault);
        nint error = CheckTransfer(fd, count, offset, IsWritable, out SimFile? file);
        if (error < 0)
            return call.Returns(error);
        IoVector shortened;
        UserBuffer buffer = World.Faults.Shorten(file!, writes: true, vectors, count, &shortened);
        nint result = file is RegularFile regular ? regular.WriteAt(ref buffer, offset) : file!.Write(call.Thread, ref buffer);
        if (result > 0)
            FsNotify.OfFile(file, InotifyEvents.Modify);
        return call.Returns(result);
    }

    private nint CheckTransfer(int fd, int count, long offset, Func<SimFile, bool> isOpenForIt, out SimFile? file)
    {
        file = null;
        if (offset < 0)
            return -(int)Errno.EINVAL;
        file = Descriptors.Find(fd);
        if (file == null)
            return -(int)Errno.EBADF;
        // FMODE_PREAD and FMODE_PWRITE: what has a place in a file system, and is no pipe.
        if (file is not (RegularFile or DirectoryFile or NullFile))
            return -(int)Errno.ESPIPE;
        if (!isOpenForIt(file))
            return -(int)Errno.EBADF;
        return count is < 0 or > 1024 ? -(int)Errno.EINVAL : 0;
    }

    /// <inheritdoc/>
    public override int FSync(int fd, bool dataOnly)
    {
        using Call call = Begin(SystemCall.FSync, fd);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        // What is written here is on the disk at once.
        return call.Returns(Descriptors.Find(fd) switch
        {
            null => -(int)Errno.EBADF,
            RegularFile or DirectoryFile => 0,
            _ => -(int)Errno.EINVAL,
        });
    }

    /// <inheritdoc/>
    public override int FAllocate(int fd, FileAllocation mode, long offset, long length)
    {
        using Call call = Begin(SystemCall.FAllocate, fd);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        SimFile? file = Descriptors.Find(fd);
        return call.Returns(file == null ? -(int)Errno.EBADF : AllocateNow(file, mode, offset, length));
    }

    /// <summary>vfs_fallocate.</summary>
    internal int AllocateNow(SimFile file, FileAllocation mode, long offset, long length)
    {
        const FileAllocation InsertRange = (FileAllocation)0x20, UnshareRange = (FileAllocation)0x40, WriteZeroes = (FileAllocation)0x80;
        if (offset < 0 || length <= 0)
            return -(int)Errno.EINVAL;
        bool keepsSize = (mode & FileAllocation.KeepSize) != 0;
        switch (mode & ~FileAllocation.KeepSize)
        {
            case FileAllocation.Default or FileAllocation.ZeroRange:
            case FileAllocation.PunchHole when keepsSize:
                break;
            case FileAllocation.CollapseRange or InsertRange when !keepsSize:
            case UnshareRange or WriteZeroes:
                throw NotEmulated($"fallocate({mode})");
            default:
                return -(int)Errno.EOPNOTSUPP;
        }

        if (!IsWritable(file))
            return -(int)Errno.EBADF;
        if (file is PipeFile)
            return -(int)Errno.ESPIPE;
        if (file is not RegularFile regular)
            return -(int)Errno.ENODEV;
        if (length > long.MaxValue - offset || offset + length > LargestFile)
            return -(int)Errno.EFBIG;
        if ((mode & (FileAllocation.PunchHole | FileAllocation.ZeroRange)) != 0)
            regular.Node.Clear(offset, length);
        if ((mode & FileAllocation.PunchHole) == 0)
            regular.Node.Allocate(offset + length);
        if (!keepsSize && offset + length > regular.Node.Length)
            regular.Node.SetLength(offset + length);
        regular.Touch();
        FsNotify.OfFile(regular, InotifyEvents.Modify);
        return 0;
    }

    /// <inheritdoc/>
    public override int FTruncate(int fd, long length)
    {
        using Call call = Begin(SystemCall.FTruncate, fd);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if (length < 0)
            return call.Returns(-(int)Errno.EINVAL);
        SimFile? file = Descriptors.Find(fd);
        return call.Returns(file == null ? -(int)Errno.EBADF : TruncateNow(file, length));
    }

    /// <summary>do_ftruncate.</summary>
    internal int TruncateNow(SimFile file, long length)
    {
        if (length < 0 || file is not RegularFile regular || !IsWritable(file))
            return -(int)Errno.EINVAL;
        if (length > LargestFile)
            return -(int)Errno.EFBIG;
        regular.Node.SetLength(length);
        regular.Touch();
        FsNotify.OfFile(regular, InotifyEvents.Modify);
        return 0;
    }

    /// <inheritdoc/>
    public override int StatX(int directory, byte* path, StatXFlags flags, StatXMask mask, StatXResult* result)
    {
        using Call call = Begin(SystemCall.StatX, directory);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        return call.Returns(StatXNow(call.Thread, directory, path, flags, mask, result));
    }

    /// <summary>do_statx.</summary>
    internal int StatXNow(SimThread thread, int directory, byte* path, StatXFlags flags, StatXMask mask, StatXResult* result)
    {
        const StatXMask Reserved = (StatXMask)0x8000_0000u;
        const StatXFlags NoAutoMount = (StatXFlags)0x800, ForceSync = (StatXFlags)0x2000, DontSync = (StatXFlags)0x4000;
        const StatXFlags Known = StatXFlags.NoFollow | NoAutoMount | StatXFlags.EmptyPath | ForceSync | DontSync;
        if ((mask & Reserved) != 0 || (flags & ~Known) != 0 || (flags & (ForceSync | DontSync)) == (ForceSync | DontSync))
            return -(int)Errno.EINVAL;
        bool isEmpty = UserMemory.IsMapped(path, 1) && *path == 0;
        StatXResult found;
        if (isEmpty && (flags & StatXFlags.EmptyPath) != 0 && directory != StatXRequest.WorkingDirectory)
        {
            SimFile? file = Descriptors.FindAny(directory);
            if (file == null)
                return -(int)Errno.EBADF;
            found = Describe(file);
        }
        else
        {
            if (!TryPath(path, out string name, out int error))
                return error;
            if (directory != StatXRequest.WorkingDirectory && name[0] != '/')
                throw NotEmulated("statx relative to a directory");
            FileNode? node = Machine.FindNode(name, out error);
            if (node == null)
                return error;
            found = Describe(node);
        }

        if (!UserMemory.IsMapped(result, (nuint)sizeof(StatXResult)))
            return -(int)Errno.EFAULT;
        *result = found;
        return 0;
    }

    private StatXResult Describe(SimFile file) => file switch
    {
        RegularFile regular => Describe(regular.Node),
        DirectoryFile or NullFile or PathFile when Machine.FindNode(file.Kind.Replace("[path]", ""), out _) is { } node => Describe(node),
        PipeFile => new StatXResult { Mask = StatXMask.BasicStats, Mode = 0x1000 | 0x180, Links = 1, BlockSize = 4096 },
        SimSocket => new StatXResult { Mask = StatXMask.BasicStats, Mode = 0xC000 | 0x1FF, Links = 1, BlockSize = 4096 },
        _ => new StatXResult { Mask = StatXMask.BasicStats, Mode = 0x180, Links = 1, BlockSize = 4096 }, // an anonymous inode
    };

    private StatXResult Describe(FileNode node)
    {
        var result = new StatXResult
        {
            Mask = StatXMask.BasicStats | StatXMask.BirthTime,
            BlockSize = 4096,
            Links = node.IsDirectory ? 2u : node is RegularNode { HasName: false } ? 0u : 1u,
            Inode = node.Number == 0 ? node.Number = ++Machine.LastInode : node.Number,
        };
        switch (node)
        {
            case RegularNode regular:
                result.Mode = (ushort)(0x8000 | regular.Mode);
                result.Size = (ulong)regular.Length;
                result.Blocks = (ulong)((regular.Allocated + 4095) / 4096 * 8);
                result.BirthTime = Time(regular.MadeAt);
                result.ModifyTime = Time(regular.ChangedAt);
                result.ChangeTime = Time(regular.ChangedAt);
                result.AccessTime = Time(regular.MadeAt); // as mounted with noatime
                break;
            case DirectoryNode:
                result.Mode = 0x4000 | 0x1ED;
                break;
            case DeviceNode:
                result.Mode = 0x2000 | 0x1B6;
                break;
            case FifoNode:
                result.Mode = 0x1000 | 0x180;
                break;
            default:
                result.Mode = 0xC000 | 0x1ED; // a bound socket
                break;
        }

        return result;

        static StatXTime Time(long monotonic)
        {
            (long seconds, long rest) = Math.DivRem(SimClock.WallClockAtStart + Math.Max(monotonic, SimClock.Start) - SimClock.Start, 1_000_000_000L);
            return new StatXTime { Seconds = seconds, Nanoseconds = (uint)rest };
        }
    }
}
