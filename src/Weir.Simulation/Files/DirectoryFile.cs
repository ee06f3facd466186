using System.Runtime.InteropServices;

namespace Weir.Simulation;

/// <summary>An open directory: there is nothing in it for read(2), and its entries for getdents64(2).</summary>
internal sealed class DirectoryFile(World world, DirectoryNode node, string path, FileFlags flags) : SimFile(world, flags)
{
    private const int HeaderSize = 19; // of struct linux_dirent64

    private long _position;

    internal override string Kind => path;

    internal override bool CanPoll => false;

    internal override WaitQueue WaitQueue { get; } = new();

    internal override EpollEvents Poll() => EpollEvents.None;

    internal override nint Read(SimThread thread, ref UserBuffer buffer) => Error(Errno.EISDIR);

    /// <summary>iterate_dir, filldir64: as many entries as fit, from where the last call ended.</summary>
    internal unsafe int ReadEntries(byte* buffer, int length)
    {
        if (node.IsDead)
            return -(int)Errno.ENOENT;
        int total = 0, error = 0;
        while (error == 0 && NextEntry(out string name, out FileNode entry, out long position))
        {
            byte[] bytes = PathText.Encode(name, terminated: true);
            int size = (HeaderSize + bytes.Length + 7) & ~7;
            if (size > length - total)
                error = -(int)Errno.EINVAL;
            else if (!UserMemory.IsMapped(buffer + total, (nuint)size))
                error = -(int)Errno.EFAULT;
            if (error != 0)
                break;
            var record = new Span<byte>(buffer + total, size);
            record.Clear();
            ulong inode = entry.Inode;
            MemoryMarshal.Write(record, in inode);
            long next = position + 1;
            MemoryMarshal.Write(record[8..], in next);
            ushort recordLength = (ushort)size;
            MemoryMarshal.Write(record[16..], in recordLength);
            record[18] = entry.DirectoryType;
            bytes.CopyTo(record[HeaderSize..]);
            total += size;
            _position = next;
        }

        FsNotify.OfFile(this, InotifyEvents.Access);
        return total > 0 ? total : error;
    }

    // dir_emit_dots, then what is there; an entry made meanwhile comes last.
    private bool NextEntry(out string name, out FileNode entry, out long position)
    {
        (name, entry, position) = (_position == 0 ? "." : "..", _position == 0 ? node : Place!.Parent?.Node ?? node, _position);
        if (_position < 2)
            return true;
        foreach (Dentry one in node.Entries)
        {
            if (one.Position < _position)
                continue;
            (name, entry, position) = (one.Name, one.Node, one.Position);
            return true;
        }

        return false;
    }
}
