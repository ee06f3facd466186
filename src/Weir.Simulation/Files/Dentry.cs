namespace Weir.Simulation;

/// <summary>
/// A name in a directory and the node that it stands for: struct dentry. Open files hold on to the one that they were opened by, which a
/// rename takes along and an unlink cuts off.
/// </summary>
internal sealed class Dentry(Dentry? parent, string name, FileNode node)
{
    private int _pins;

    /// <summary>The directory that it is in; null for the root.</summary>
    internal Dentry? Parent { get; private set; } = parent;

    internal string Name { get; private set; } = name;

    internal FileNode Node => node;

    /// <summary>The name is gone; what it stood for lives as long as somebody has it open.</summary>
    internal bool IsUnlinked { get; private set; }

    /// <summary>Where it lies among the entries of its directory: getdents64(2) goes on behind the last that it gave.</summary>
    internal long Position { get; set; }

    internal DirectoryNode Directory => (DirectoryNode)Parent!.Node;

    internal string Path => Parent == null ? "/" : Parent.Parent == null ? "/" + Name : Parent.Path + "/" + Name;

    /// <summary>An open file or a name in it keeps it.</summary>
    internal void Pin() => _pins++;

    internal void Unpin()
    {
        _pins--;
        EndIfUnused();
    }

    /// <summary>Takes the name out of its directory. <see cref="EndIfUnused"/> is the caller's, at the moment that is right.</summary>
    internal void Cut()
    {
        Directory.Remove(this);
        IsUnlinked = true;
    }

    /// <summary>d_move: in another directory, by another name, at once.</summary>
    internal void Move(Dentry parent, string name)
    {
        Dentry before = Parent!;
        Directory.Remove(this);
        Parent = parent;
        Name = name;
        parent.Pin();
        Directory.Add(this);
        before.Unpin();
    }

    /// <summary>The last of dput: with the last name goes the inode, and those who watch it are told.</summary>
    internal void EndIfUnused()
    {
        if (!IsUnlinked || _pins > 0)
            return;
        FsNotify.Removed(node);
        Parent!.Unpin();
    }

    /// <summary>Whether it is, or lies below, <paramref name="ancestor"/>.</summary>
    internal bool IsWithin(Dentry ancestor)
    {
        for (Dentry? entry = this; entry != null; entry = entry.Parent)
        {
            if (entry == ancestor)
                return true;
        }

        return false;
    }
}
