namespace Weir.Simulation;

/// <summary>What a name in the file system stands for: an inode.</summary>
internal abstract class FileNode
{
    internal virtual bool IsDirectory => false;

    /// <summary>DT_REG and the like: what getdents64(2) calls it.</summary>
    internal abstract byte DirectoryType { get; }

    /// <summary>A socket, a FIFO or a device: reads and writes are not news of the directory that its name is in.</summary>
    internal bool IsSpecial => DirectoryType is not (DirectoryEntryTypes.Regular or DirectoryEntryTypes.Directory);

    /// <summary>The number of the inode; 0 until it has a name.</summary>
    internal ulong Inode { get; set; }

    /// <summary>Who watches it by inotify.</summary>
    internal List<InotifyWatch> Watches { get; } = [];

    /// <summary>The inode number; 0 until somebody asks.</summary>
    internal ulong Number { get; set; }

    /// <summary>Opens it. Null: <paramref name="error"/> is the negated errno. May block, if the node does.</summary>
    /// <param name="thread">The caller.</param>
    /// <param name="machine">Where it is.</param>
    /// <param name="path">The name it was found by.</param>
    /// <param name="flags">Access mode and status flags.</param>
    /// <param name="error">0, or what went wrong.</param>
    internal abstract SimFile? Open(SimThread thread, Machine machine, string path, FileFlags flags, out int error);
}

/// <summary>The types of struct linux_dirent64.</summary>
internal static class DirectoryEntryTypes
{
    internal const byte Fifo = 1;
    internal const byte Character = 2;
    internal const byte Directory = 4;
    internal const byte Regular = 8;
    internal const byte Socket = 12;
}

/// <summary>A directory: its entries by name, and in the order in which they were made.</summary>
internal sealed class DirectoryNode : FileNode
{
    private const long FirstPosition = 2; // after "." and ".."

    private readonly Dictionary<string, Dentry> _byName = [];
    private readonly SortedDictionary<long, Dentry> _byPosition = [];
    private long _lastPosition = FirstPosition - 1;

    internal override bool IsDirectory => true;

    internal override byte DirectoryType => DirectoryEntryTypes.Directory;

    internal bool IsEmpty => _byName.Count == 0;

    /// <summary>It was removed: nothing is in it, and nothing can be made there.</summary>
    internal bool IsDead { get; set; }

    internal IEnumerable<Dentry> Entries => _byPosition.Values;

    internal Dentry? Find(string name) => _byName.GetValueOrDefault(name);

    internal void Add(Dentry entry)
    {
        entry.Position = ++_lastPosition;
        _byName.Add(entry.Name, entry);
        _byPosition.Add(entry.Position, entry);
    }

    internal void Remove(Dentry entry)
    {
        _byName.Remove(entry.Name);
        _byPosition.Remove(entry.Position);
    }

    internal override SimFile? Open(SimThread thread, Machine machine, string path, FileFlags flags, out int error)
    {
        error = ((int)flags & 3) == (int)FileFlags.ReadOnly ? 0 : -(int)Errno.EISDIR;
        return error < 0 ? null : new DirectoryFile(machine.World, this, path, flags);
    }
}

/// <summary>A device that is always ready and therefore cannot be polled: /dev/null, /dev/zero.</summary>
internal sealed class DeviceNode : FileNode
{
    internal override byte DirectoryType => DirectoryEntryTypes.Character;

    internal override SimFile? Open(SimThread thread, Machine machine, string path, FileFlags flags, out int error)
    {
        error = 0;
        return new NullFile(machine.World, path, flags);
    }
}

/// <summary>A regular file: bytes in memory, which live as long as it has a name or is open.</summary>
internal sealed class RegularNode : FileNode
{
    private byte[] _bytes = [];

    internal override byte DirectoryType => DirectoryEntryTypes.Regular;

    internal int Length { get; private set; }

    /// <summary>Permissions.</summary>
    internal int Mode { get; init; } = 0x1A4;

    /// <summary>Whether a name stands for it, or it lives on only in those who have it open.</summary>
    internal bool HasName { get; set; }

    /// <summary>Bytes that have been allocated, counted from the start.</summary>
    internal long Allocated => Math.Max(_allocated, Length);

    /// <summary>When it was made, by the monotonic clock.</summary>
    internal long MadeAt { get; init; }

    /// <summary>When it was last written to, by the monotonic clock.</summary>
    internal long ChangedAt { get; set; }

    private long _allocated;

    /// <summary>Allocates to an end that may be beyond the length.</summary>
    internal void Allocate(long end) => _allocated = Math.Max(_allocated, end);

    /// <summary>Zeroes what there is of a range.</summary>
    internal void Clear(long offset, long length)
    {
        if (offset < Length)
            _bytes.AsSpan((int)offset, (int)Math.Min(length, Length - offset)).Clear();
    }

    /// <summary>Cuts it off, or extends it with zeros.</summary>
    internal void SetLength(long length)
    {
        if (length < Length)
        {
            _bytes.AsSpan((int)length, Length - (int)length).Clear(); // what comes back later reads as zeros
            _allocated = 0;
        }
        else
        {
            Room(length, 0);
        }

        Length = (int)length;
    }

    internal ReadOnlySpan<byte> From(long position) => position >= Length ? default : _bytes.AsSpan((int)position, Length - (int)position);

    /// <summary>Makes room to write at a position; what lies between the end and it reads as zeros.</summary>
    internal Span<byte> Room(long position, int count)
    {
        int end = checked((int)(position + count));
        if (end > _bytes.Length)
            Array.Resize(ref _bytes, Math.Max(end, _bytes.Length * 2));
        return _bytes.AsSpan((int)position, count);
    }

    internal void Wrote(long end) => Length = Math.Max(Length, (int)end);

    internal void Truncate()
    {
        _bytes = [];
        Length = 0;
    }

    internal override SimFile? Open(SimThread thread, Machine machine, string path, FileFlags flags, out int error)
    {
        error = 0;
        return new RegularFile(machine.World, this, path, flags);
    }
}
