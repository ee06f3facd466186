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
        ReadOnlySpan<byte> bytes = node.From(_position);
        if ((nuint)bytes.Length > buffer.Length)
            bytes = bytes[..(int)buffer.Length];
        if (!buffer.Put(bytes))
            return Error(Errno.EFAULT);
        _position += bytes.Length;
        return bytes.Length;
    }

    internal override nint Write(SimThread thread, ref UserBuffer buffer)
    {
        const int Largest = 1 << 30;
        if ((Flags & FileFlags.Append) != 0)
            _position = node.Length;
        if (_position + (long)buffer.Length > Largest)
            return Error(Errno.ENOSPC);
        int count = (int)buffer.Length;
        if (!buffer.Take(node.Room(_position, count)))
            return Error(Errno.EFAULT);
        _position += count;
        node.Wrote(_position);
        return count;
    }

    internal override unsafe int Ioctl(uint request, void* argument)
        => request == FileRead ? PutInt(argument, (int)(node.Length - _position)) : -(int)Errno.ENOTTY;

    internal override nint SpliceRead(SimThread thread, Pipe pipe, nuint length, SpliceFlags flags) => pipe.Fill(thread, this, length, MessageFlags.None);

    internal override nint SpliceWrite(SimThread thread, Pipe pipe, nuint length, SpliceFlags flags) => pipe.Drain(thread, this, length, flags);
}

/// <summary>An open directory: there is nothing in it for read(2).</summary>
internal sealed class DirectoryFile(World world, string path, FileFlags flags) : SimFile(world, flags)
{
    internal override string Kind => path;

    internal override bool CanPoll => false;

    internal override WaitQueue WaitQueue { get; } = new();

    internal override EpollEvents Poll() => EpollEvents.None;

    internal override nint Read(SimThread thread, ref UserBuffer buffer) => Error(Errno.EISDIR);
}

/// <summary>What open(2) gives with O_PATH: a place in the file system, and for most calls no file at all.</summary>
internal sealed class PathFile(World world, string path, FileFlags flags) : SimFile(world, flags)
{
    internal override string Kind => $"{path}[path]";

    internal override bool CanPoll => false;

    internal override WaitQueue WaitQueue { get; } = new();

    internal override EpollEvents Poll() => EpollEvents.None;
}
