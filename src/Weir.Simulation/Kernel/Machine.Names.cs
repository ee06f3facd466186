namespace Weir.Simulation;

// The file system: a tree of names, without links. fs/namei.c.
internal sealed partial class Machine
{
    private const int LongestName = 255;

    private ulong _lastInode;
    private uint _lastCookie;

    /// <summary>The directory that absolute paths begin in, and relative ones as well.</summary>
    internal Dentry Root { get; private set; }

    private enum LastPart
    {
        Normal,
        Root,
        Dot,
        DotDot,
    }

    // Where a path leads: the directory of its last part, and that part.
    private struct Walked
    {
        internal Dentry Parent;
        internal string Name;
        internal LastPart Last;
        internal bool EndsWithSlash;

        internal readonly Dentry? Entry => Last switch
        {
            LastPart.Normal => ((DirectoryNode)Parent.Node).Find(Name),
            LastPart.DotDot => Parent.Parent ?? Parent,
            _ => Parent,
        };
    }

    private Dentry MakeRoot()
    {
        var root = new Dentry(null, "", new DirectoryNode { Inode = ++_lastInode });
        Dentry dev = Link(root, "dev", new DirectoryNode());
        Link(dev, "null", new DeviceNode());
        Link(dev, "zero", new DeviceNode());
        Link(Link(Link(root, "proc", new DirectoryNode()), "self", new DirectoryNode()), "exe", new RegularNode());
        Link(root, "run", new DirectoryNode());
        Link(root, "tmp", new DirectoryNode());
        return root;
    }

    /// <summary>Goes on with the file system of one that has crashed.</summary>
    internal void TakeFilesOf(Machine other) => (Root, _lastInode, _lastCookie) = (other.Root, other._lastInode, other._lastCookie);

    private Dentry Link(Dentry parent, string name, FileNode node)
    {
        var entry = new Dentry(parent, name, node);
        node.Inode = ++_lastInode;
        parent.Pin();
        entry.Directory.Add(entry);
        return entry;
    }

    /// <summary>The inode number given last.</summary>
    internal ulong LastInode { get; set; }

    /// <summary>Opens what a path stands for, and makes it first if that is asked for. Null: <paramref name="error"/> is the negated errno.</summary>
    internal SimFile? OpenPath(SimThread thread, string path, FileFlags flags, int mode, out int error)
    {
        bool creates = (flags & FileFlags.Create) != 0 && (flags & OpenFlags.Path) == 0;
        if ((error = Walk(path, out Walked at)) < 0)
            return null;
        if (creates && at is { Last: LastPart.Normal, EndsWithSlash: true })
            error = -(int)Errno.EISDIR;
        else if (at is { Last: LastPart.Normal } && PathText.ByteCount(at.Name) > LongestName)
            error = -(int)Errno.ENAMETOOLONG;
        if (error < 0)
            return null;
        Dentry? entry = at.Entry;
        bool isNew = entry == null;
        if (entry == null)
        {
            if (!creates)
            {
                error = -(int)Errno.ENOENT;
                return null;
            }

            entry = Link(at.Parent, at.Name, new RegularNode { Mode = mode & 0x1ED, HasName = true, MadeAt = World.Now, ChangedAt = World.Now }); // umask 022
            FsNotify.Name(entry.Directory, InotifyEvents.Create, entry.Name);
        }
        else if (creates && (flags & FileFlags.Exclusive) != 0)
        {
            error = -(int)Errno.EEXIST;
            return null;
        }

        bool isDirectory = entry.Node.IsDirectory;
        if (creates && isDirectory)
            error = -(int)Errno.EISDIR;
        else if (!isDirectory && (at.EndsWithSlash || (flags & OpenFlags.Directory) != 0))
            error = -(int)Errno.ENOTDIR;
        if (error < 0)
            return null;
        return Open(thread, entry, flags, !isNew, out error);
    }

    // do_open
    private SimFile? Open(SimThread thread, Dentry entry, FileFlags flags, bool truncates, out int error)
    {
        error = 0;
        SimFile? file;
        if ((flags & OpenFlags.Path) != 0)
        {
            file = new PathFile(World, entry.Path, flags & (OpenFlags.Path | OpenFlags.Directory));
            file.OpenedAt(entry);
            return file;
        }

        truncates &= (flags & FileFlags.Truncate) != 0 && entry.Node is RegularNode;
        if (truncates)
            ((RegularNode)entry.Node).Truncate();
        entry.Pin(); // it may block, and lose its name meanwhile
        file = entry.Node.Open(thread, this, entry.Path, (flags & ~OpenFlags.OfTheCall) | OpenFlags.LargeFile, out error);
        if (file != null)
        {
            file.OpenedAt(entry);
            FsNotify.OfFile(file, InotifyEvents.Open);
            if (truncates)
                FsNotify.Entry(entry, InotifyEvents.Modify);
        }

        entry.Unpin();
        return file;
    }

    /// <summary>Gives a node a name that nothing has yet: filename_create, and then what mkdir, mknod and bind do.</summary>
    internal int MakeNode(string path, FileNode node)
    {
        int error = Walk(path, out Walked at);
        if (error < 0)
            return error;
        if (at.Last != LastPart.Normal)
            return -(int)Errno.EEXIST;
        if (PathText.ByteCount(at.Name) > LongestName)
            return -(int)Errno.ENAMETOOLONG;
        if (at.Entry != null)
            return -(int)Errno.EEXIST;
        if (at.EndsWithSlash && !node.IsDirectory)
            return -(int)Errno.ENOENT;
        Link(at.Parent, at.Name, node);
        FsNotify.Name(at.Parent.Node, node.IsDirectory ? InotifyEvents.Create | InotifyEvents.IsDirectory : InotifyEvents.Create, at.Name);
        return 0;
    }

    /// <summary>What a path stands for. Null: the error.</summary>
    internal FileNode? FindNode(string path, out int error)
    {
        if ((error = Walk(path, out Walked at)) < 0)
            return null;
        if (at.Last == LastPart.Normal && PathText.ByteCount(at.Name) > LongestName)
            error = -(int)Errno.ENAMETOOLONG;
        FileNode? node = at.Entry?.Node;
        if (error == 0 && node == null)
            error = -(int)Errno.ENOENT;
        else if (error == 0 && at.EndsWithSlash && !node!.IsDirectory)
            error = -(int)Errno.ENOTDIR;
        return error < 0 ? null : node;
    }

    /// <summary>unlink(2): takes a name away; what it stood for lives on in those who have it open.</summary>
    internal int Unlink(string path)
    {
        int error = Walk(path, out Walked at);
        if (error < 0)
            return error;
        if (at.Last != LastPart.Normal)
            return -(int)Errno.EISDIR;
        if (PathText.ByteCount(at.Name) > LongestName)
            return -(int)Errno.ENAMETOOLONG;
        if (at.Entry is not { } entry)
            return -(int)Errno.ENOENT;
        if (entry.Node.IsDirectory)
            return -(int)Errno.EISDIR;
        if (at.EndsWithSlash)
            return -(int)Errno.ENOTDIR;
        entry.Cut();
        if (entry.Node is RegularNode regular)
            regular.HasName = false;
        FsNotify.Node(entry.Node, InotifyEvents.Attributes); // the number of its links
        entry.EndIfUnused();
        FsNotify.Name(at.Parent.Node, InotifyEvents.Delete, entry.Name);
        return 0;
    }

    /// <summary>rmdir(2).</summary>
    internal int RemoveDirectory(string path)
    {
        int error = Walk(path, out Walked at);
        if (error < 0)
            return error;
        if (at.Last != LastPart.Normal)
            return -(int)(at.Last == LastPart.DotDot ? Errno.ENOTEMPTY : at.Last == LastPart.Dot ? Errno.EINVAL : Errno.EBUSY);
        if (PathText.ByteCount(at.Name) > LongestName)
            return -(int)Errno.ENAMETOOLONG;
        if (at.Entry is not { } entry)
            return -(int)Errno.ENOENT;
        if (entry.Node is not DirectoryNode directory)
            return -(int)Errno.ENOTDIR;
        if (!directory.IsEmpty)
            return -(int)Errno.ENOTEMPTY;
        entry.Cut();
        directory.IsDead = true;
        entry.EndIfUnused();
        FsNotify.Name(at.Parent.Node, InotifyEvents.Delete | InotifyEvents.IsDirectory, entry.Name);
        return 0;
    }

    /// <summary>rename(2): do_renameat2, vfs_rename, fsnotify_move.</summary>
    internal int Rename(string from, string to)
    {
        int error = Walk(from, out Walked old);
        if (error < 0 || (error = Walk(to, out Walked at)) < 0)
            return error;
        if (old.Last != LastPart.Normal || at.Last != LastPart.Normal)
            return -(int)Errno.EBUSY;
        if ((error = CheckRename(old, at)) < 0)
            return error;
        Dentry entry = old.Entry!;
        Dentry? target = at.Entry;
        if (entry == target)
            return 0;
        FileNode before = old.Parent.Node, after = at.Parent.Node;
        InotifyEvents kind = entry.Node.IsDirectory ? InotifyEvents.IsDirectory : 0;
        target?.Cut();
        if (target?.Node is DirectoryNode replaced)
            replaced.IsDead = true;
        entry.Move(at.Parent, at.Name);
        uint cookie = ++_lastCookie;
        FsNotify.Name(before, InotifyEvents.MovedFrom | kind, old.Name, cookie);
        FsNotify.Name(after, InotifyEvents.MovedTo | kind, at.Name, cookie);
        if (target?.Node is RegularNode nameless)
            nameless.HasName = false;
        if (target != null)
            FsNotify.Node(target.Node, InotifyEvents.Attributes);
        FsNotify.Node(entry.Node, InotifyEvents.MoveSelf);
        target?.EndIfUnused();
        return 0;
    }

    private static int CheckRename(in Walked old, in Walked at)
    {
        if (PathText.ByteCount(old.Name) > LongestName || (old.Entry != null && PathText.ByteCount(at.Name) > LongestName))
            return -(int)Errno.ENAMETOOLONG;
        if (old.Entry is not { } entry)
            return -(int)Errno.ENOENT;
        bool isDirectory = entry.Node.IsDirectory;
        if (!isDirectory && (old.EndsWithSlash || at.EndsWithSlash))
            return -(int)Errno.ENOTDIR;
        if (at.Parent.IsWithin(entry))
            return -(int)Errno.EINVAL;
        if (at.Entry is not { } target || target == entry)
            return 0;
        if (old.Parent.IsWithin(target))
            return -(int)Errno.ENOTEMPTY;
        if (isDirectory && target.Node is not DirectoryNode { IsEmpty: true })
            return -(int)(target.Node.IsDirectory ? Errno.ENOTEMPTY : Errno.ENOTDIR);
        return !isDirectory && target.Node.IsDirectory ? -(int)Errno.EISDIR : 0;
    }

    // link_path_walk: up to the last part of a path. What is on the way there must be directories.
    private int Walk(string path, out Walked at)
    {
        at = new Walked { Parent = Root, Name = "", Last = LastPart.Root, EndsWithSlash = path.Length > 1 && path[^1] == '/' };
        string[] parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        foreach (string part in parts)
        {
            if (at.Last == LastPart.Normal && PathText.ByteCount(at.Name) > LongestName)
                return -(int)Errno.ENAMETOOLONG;
            Dentry? next = at.Entry;
            if (next == null)
                return -(int)Errno.ENOENT;
            if (!next.Node.IsDirectory)
                return -(int)Errno.ENOTDIR;
            at.Parent = next;
            at.Name = part;
            at.Last = part switch { "." => LastPart.Dot, ".." => LastPart.DotDot, _ => LastPart.Normal };
        }

        return 0;
    }
}
