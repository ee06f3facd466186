namespace Weir.Simulation;

/// <summary>What a name in the file system stands for: an inode.</summary>
internal abstract class FileNode
{
    internal virtual bool IsDirectory => false;

    /// <summary>Opens it. Null: <paramref name="error"/> is the negated errno. May block, if the node does.</summary>
    /// <param name="thread">The caller.</param>
    /// <param name="machine">Where it is.</param>
    /// <param name="path">The name it was found by.</param>
    /// <param name="flags">Access mode and status flags.</param>
    /// <param name="error">0, or what went wrong.</param>
    internal abstract SimFile? Open(SimThread thread, Machine machine, string path, FileFlags flags, out int error);
}

/// <summary>A directory; its entries are the names that begin with its own.</summary>
internal sealed class DirectoryNode : FileNode
{
    internal override bool IsDirectory => true;

    internal override SimFile? Open(SimThread thread, Machine machine, string path, FileFlags flags, out int error)
    {
        error = ((int)flags & 3) == (int)FileFlags.ReadOnly ? 0 : -(int)Errno.EISDIR;
        return error < 0 ? null : new DirectoryFile(machine.World, path, flags);
    }
}

/// <summary>A device that is always ready and therefore cannot be polled: /dev/null, /dev/zero.</summary>
internal sealed class DeviceNode : FileNode
{
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

    internal int Length { get; private set; }

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
