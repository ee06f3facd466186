namespace Weir;

/// <summary>What statx(2) tells of a file.</summary>
public readonly record struct FileStatus
{
    internal FileStatus(in StatXResult result)
    {
        Size = (long)result.Size;
        AllocatedSize = (long)result.Blocks * 512;
        BlockSize = (int)result.BlockSize;
        FileType = result.FileType;
        IsRegularFile = result.IsRegularFile;
        IsDirectory = result.IsDirectory;
        Mode = (UnixFileMode)(result.Mode & 0xFFF);
        Inode = result.Inode;
        Links = result.Links;
        UserId = result.Owner;
        GroupId = result.Group;
        AccessTime = Time(result.AccessTime);
        ModifyTime = Time(result.ModifyTime);
        ChangeTime = Time(result.ChangeTime);
        BirthTime = (result.Mask & StatXMask.BirthTime) != 0 ? Time(result.BirthTime) : null;
    }

    /// <summary>Bytes.</summary>
    public long Size { get; }

    /// <summary>Bytes in use on the disk: fewer than the size where there are holes.</summary>
    public long AllocatedSize { get; }

    /// <summary>The preferred size of reads and writes, in bytes.</summary>
    public int BlockSize { get; }

    /// <summary>The type as inode(7) has it: 0x8000 a regular file, 0x4000 a directory, 0x6000 a block device, ...</summary>
    public int FileType { get; }

    /// <summary>Whether it is a regular file.</summary>
    public bool IsRegularFile { get; }

    /// <summary>Whether it is a directory.</summary>
    public bool IsDirectory { get; }

    /// <summary>Permissions.</summary>
    public UnixFileMode Mode { get; }

    /// <summary>Number within the file system.</summary>
    public ulong Inode { get; }

    /// <summary>Names it has.</summary>
    public uint Links { get; }

    /// <summary>User id of the owner.</summary>
    public uint UserId { get; }

    /// <summary>Group id.</summary>
    public uint GroupId { get; }

    /// <summary>When it was last read, cut to 100 ns; how exact it is depends on the mount (noatime, relatime).</summary>
    public DateTimeOffset AccessTime { get; }

    /// <summary>When its data last changed, cut to 100 ns.</summary>
    public DateTimeOffset ModifyTime { get; }

    /// <summary>When its inode last changed, cut to 100 ns.</summary>
    public DateTimeOffset ChangeTime { get; }

    /// <summary>When it was made, cut to 100 ns; null where the file system does not know.</summary>
    public DateTimeOffset? BirthTime { get; }

    private static DateTimeOffset Time(in StatXTime time)
        => DateTimeOffset.UnixEpoch.AddTicks(time.Seconds * TimeSpan.TicksPerSecond + time.Nanoseconds / 100);
}
