namespace Weir;

/// <summary>How <see cref="AsyncFile.OpenAsync"/> opens.</summary>
public sealed class AsyncFileOptions
{
    /// <summary>
    /// O_DIRECT: data goes between the device and the caller's memory, past the page cache. Offset, length and address of each buffer must be
    /// multiples of the device's block, 512 or 4096 bytes: <see cref="AsyncFile.AllocateAligned"/> gives such memory. Defaults to false.
    /// </summary>
    public bool Direct { get; set; }

    /// <summary>O_DSYNC: a write completes when its data is on the disk. Defaults to false.</summary>
    public bool WriteThrough { get; set; }

    /// <summary>O_NOFOLLOW: a symbolic link at the end of the path is refused with ELOOP. Defaults to false.</summary>
    public bool NoFollow { get; set; }

    /// <summary>The permissions of a file that is made, before the process's umask. Defaults to rw-rw-rw-.</summary>
    public UnixFileMode CreateMode { get; set; } = UnixFileMode.UserRead | UnixFileMode.UserWrite
        | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>The loop it lives on. Defaults to the caller's; a caller outside loops must name one.</summary>
    public EventLoop? Loop { get; set; }
}
