namespace Weir.Simulation;

// The file system: a flat table of absolute paths, in which directories are entries like any other.
internal sealed partial class Machine
{
    /// <summary>What absolute paths stand for: files, directories, FIFOs (<see cref="FileNode"/>), and bound unix sockets.</summary>
    internal Dictionary<string, object> Names { get; } = new()
    {
        ["/"] = new DirectoryNode(),
        ["/dev"] = new DirectoryNode(),
        ["/dev/null"] = new DeviceNode(),
        ["/dev/zero"] = new DeviceNode(),
        ["/run"] = new DirectoryNode(),
        ["/tmp"] = new DirectoryNode(),
    };

    /// <summary>Opens what a path stands for, and makes it first if that is asked for. Null: <paramref name="error"/> is the negated errno.</summary>
    internal SimFile? OpenPath(SimThread thread, string path, FileFlags flags, int mode, out int error)
    {
        bool creates = (flags & FileFlags.Create) != 0 && (flags & OpenFlags.Path) == 0;
        if ((error = Walk(path, out string full, out bool asDirectory)) < 0)
            return null;
        if (!Names.TryGetValue(full, out object? node))
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

        bool isDirectory = node is FileNode { IsDirectory: true };
        if (creates && (isDirectory || asDirectory))
            error = -(int)Errno.EISDIR;
        else if (!isDirectory && (asDirectory || (flags & OpenFlags.Directory) != 0))
            error = -(int)Errno.ENOTDIR;
        if (error < 0)
            return null;
        if ((flags & OpenFlags.Path) != 0)
            return new PathFile(World, full, flags & (OpenFlags.Path | OpenFlags.Directory));
        if (node is not FileNode file)
        {
            error = -(int)Errno.ENXIO; // a socket is connected to, not opened
            return null;
        }

        if ((flags & FileFlags.Truncate) != 0)
            (file as RegularNode)?.Truncate();
        return file.Open(thread, this, full, (flags & ~OpenFlags.OfTheCall) | OpenFlags.LargeFile, out error);
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

    /// <summary>unlink(2): takes a name away; what it stood for lives on in those who have it open.</summary>
    internal int Unlink(string path)
    {
        int error = Walk(path, out string full, out bool asDirectory);
        if (error < 0)
            return error;
        // Whoever binds a socket to a path of his own spelling finds it by that.
        if (!Names.TryGetValue(full, out object? node) && !Names.TryGetValue(full = path, out node))
            return -(int)Errno.ENOENT;
        if (node is FileNode { IsDirectory: true })
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
        asDirectory = path[^1] == '/';
        full = "/";
        string[] parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        foreach (string part in parts)
        {
            if (!Names.TryGetValue(full, out object? parent))
                return -(int)Errno.ENOENT;
            if (parent is not FileNode { IsDirectory: true })
                return -(int)Errno.ENOTDIR;
            if (part == "..")
                full = full.LastIndexOf('/') is > 0 and int slash ? full[..slash] : "/";
            else if (part != ".")
                full = full == "/" ? "/" + part : full + "/" + part;
        }

        return 0;
    }
}
