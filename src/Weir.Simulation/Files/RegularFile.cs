namespace Weir.Simulation;

/// <summary>An open regular file (or memfd): read and written at its position, and refused by epoll.</summary>
internal sealed class RegularFile(World world, RegularNode node, string path, FileFlags flags) : SimFile(world, flags)
{
    private long _position;

    internal override string Kind => path;

    internal override bool CanPoll => false;

    internal override WaitQueue WaitQueue { get; } = new();

    internal override EpollEvents Poll() => EpollEvents.None;

    internal override nint Read(SimThread thread, ref UserBuffer buffer)
    {
        nint count = ReadAt(ref buffer, _position);
        _position += Math.Max(count, 0);
        return count;
    }

    internal override nint Write(SimThread thread, ref UserBuffer buffer)
    {
        if ((Flags & FileFlags.Append) != 0)
            _position = node.Length;
        nint count = WriteAt(ref buffer, _position);
        _position += Math.Max(count, 0);
        return count;
    }

    /// <summary>The inode, which all who have opened it share.</summary>
    internal RegularNode Node => node;

    /// <summary>pread(2): reads at a position, which is not negative, and leaves the file's own where it is.</summary>
    internal nint ReadAt(ref UserBuffer buffer, long position)
    {
        ReadOnlySpan<byte> bytes = node.From(position);
        if ((nuint)bytes.Length > buffer.Length)
            bytes = bytes[..(int)buffer.Length];
        return buffer.Put(bytes) ? bytes.Length : Error(Errno.EFAULT);
    }

    /// <summary>pwrite(2): as <see cref="ReadAt"/>; a file opened to append is appended to all the same.</summary>
    internal nint WriteAt(ref UserBuffer buffer, long position)
    {
        const long Largest = 1 << 30;
        if ((Flags & FileFlags.Append) != 0)
            position = node.Length;
        if (buffer.Length > Largest || position > Largest - (long)buffer.Length)
            return Error(Errno.ENOSPC);
        int count = (int)buffer.Length;
        if (count == 0)
            return 0;
        if (!buffer.Take(node.Room(position, count)))
            return Error(Errno.EFAULT);
        node.Wrote(position + count);
        Touch();
        return count;
    }

    /// <summary>Something has changed it now.</summary>
    internal void Touch() => node.ChangedAt = World.Now;

    internal override unsafe int Ioctl(uint request, void* argument)
        => request == FileRead ? PutInt(argument, (int)(node.Length - _position)) : -(int)Errno.ENOTTY;

    internal override nint SpliceRead(SimThread thread, Pipe pipe, nuint length, SpliceFlags flags) => pipe.Fill(thread, this, length, MessageFlags.None);

    internal override nint SpliceWrite(SimThread thread, Pipe pipe, nuint length, SpliceFlags flags) => pipe.Drain(thread, this, length, flags);
}

/// <summary>What open(2) gives with O_PATH: a place in the file system, and for most calls no file at all.</summary>
internal sealed class PathFile(World world, string path, FileFlags flags) : SimFile(world, flags)
{
    internal override string Kind => $"{path}[path]";

    internal override bool CanPoll => false;

    internal override WaitQueue WaitQueue { get; } = new();

    internal override EpollEvents Poll() => EpollEvents.None;
}
