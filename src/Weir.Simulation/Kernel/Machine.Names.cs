namespace Weir.Simulation;

// The file system: a flat table of absolute paths, in which directories are entries like any other.
internal sealed partial class Machine
{
    /// <summary>What absolute paths stand for: files, directories, FIFOs, bound unix sockets.</summary>
    internal Dictionary<string, FileNode> Names { get; } = new()
    {
        ["/"] = new DirectoryNode(),
        ["/dev"] = new DirectoryNode(),
        ["/dev/null"] = new DeviceNode(),
        ["/dev/zero"] = new DeviceNode(),
        ["/proc"] = new DirectoryNode(),
        ["/proc/self"] = new DirectoryNode(),
        ["/proc/self/exe"] = new RegularNode(),
        ["/run"] = new DirectoryNode(),
        ["/tmp"] = new DirectoryNode(),
    };

    /// <summary>Opens what a path stands for, and makes it first if that is asked for. Null: <paramref name="error"/> is the negated errno.</summary>
    internal SimFile? OpenPath(SimThread thread, string path, FileFlags flags, int mode, out int error)
    {
        bool creates = (flags & FileFlags.Create) != 0 && (flags & OpenFlags.Path) == 0;
        if ((error = Walk(path, out string full, out bool asDirectory)) < 0)
            return null;
        if (!Names.TryGetValue(full, out FileNode? node))
        {
            error = !creates ? -(int)Errno.ENOENT : asDirectory ? -(int)Errno.EISDIR : 0;
            if (error < 0)
                return null;
            Names.Add(full, node = new RegularNode());
        }
        else if (creates && (flags & FileFlags.Exclusive) != 0)
        {
            error = -(int)Errno.EEXIST;
            return null;
        }

        bool isDirectory = node.IsDirectory;
        if (creates && (isDirectory || asDirectory))
            error = -(int)Errno.EISDIR;
        else if (!isDirectory && (asDirectory || (flags & OpenFlags.Directory) != 0))
            error = -(int)Errno.ENOTDIR;
        if (error < 0)
            return null;
        if ((flags & OpenFlags.Path) != 0)
            return new PathFile(World, full, flags & (OpenFlags.Path | OpenFlags.Directory));
        if ((flags & FileFlags.Truncate) != 0)
            (node as RegularNode)?.Truncate();
        return node.Open(thread, this, full, (flags & ~OpenFlags.OfTheCall) | OpenFlags.LargeFile, out error);
    }

    /// <summary>Gives a node a name that nothing has yet.</summary>
    internal int MakeNode(string path, FileNode node)
    {
        int error = Walk(path, out string full, out bool asDirectory);
        if (error < 0)
            return error;
        if (Names.ContainsKey(full))
            return -(int)Errno.EEXIST;
        if (asDirectory && !node.IsDirectory)
            return -(int)Errno.ENOENT;
        Names.Add(full, node);
        return 0;
    }

    /// <summary>What a path stands for. Null: the error.</summary>
    internal FileNode? FindNode(string path, out int error)
    {
        if ((error = Walk(path, out string full, out bool asDirectory)) < 0)
            return null;
        if (!Names.TryGetValue(full, out FileNode? node))
            error = -(int)Errno.ENOENT;
        else if (asDirectory && !node.IsDirectory)
            error = -(int)Errno.ENOTDIR;
        return error < 0 ? null : node;
    }

    /// <summary>unlink(2): takes a name away; what it stood for lives on in those who have it open.</summary>
    internal int Unlink(string path)
    {
        int error = Walk(path, out string full, out bool asDirectory);
        if (error < 0)
            return error;
        if (!Names.TryGetValue(full, out FileNode? node))
            return -(int)Errno.ENOENT;
        if (node.IsDirectory)
            return -(int)Errno.EISDIR;
        if (asDirectory)
            return -(int)Errno.ENOTDIR;
        Names.Remove(full);
        return 0;
    }

    /// <summary>
    /// The one spelling of a path: absolute (the working directory is the root), without empty or dot components. On the way there must be
    /// directories.
    /// </summary>
    private int Walk(string path, out string full, out bool asDirectory)
    {
        (full, asDirectory) = (path, false);
        if (Names.ContainsKey(path))
            return 0; // also a socket's, which is kept as it was spelled
        asDirectory = path[^1] == '/';
        full = "/";
        string[] parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        foreach (string part in parts)
        {
            if (!Names.TryGetValue(full, out FileNode? parent))
                return -(int)Errno.ENOENT;
            if (!parent.IsDirectory)
                return -(int)Errno.ENOTDIR;
            if (part == "..")
                full = full.LastIndexOf('/') is > 0 and int slash ? full[..slash] : "/";
            else if (part != ".")
                full = full == "/" ? "/" + part : full + "/" + part;
        }

        return 0;
    }
}
