namespace Weir.Simulation;

/// <summary>
/// What the file system tells those who watch it: include/linux/fsnotify.h and fs/notify/fsnotify.c, for inode marks. Callers have finished
/// their change.
/// </summary>
internal static class FsNotify
{
    /// <summary>fsnotify_name: an entry of a directory came or went.</summary>
    internal static void Name(FileNode directory, InotifyEvents mask, string name, uint cookie = 0)
        => Tell(directory, mask, name, cookie, isOfUnlinked: false);

    /// <summary>fsnotify_inode: for those who watch the node itself.</summary>
    internal static void Node(FileNode node, InotifyEvents mask)
        => Tell(node, node.IsDirectory ? mask | InotifyEvents.IsDirectory : mask, null, 0, isOfUnlinked: false);

    /// <summary>fsnotify_dentry: for those who watch the directory that it is in, and for its own.</summary>
    internal static void Entry(Dentry entry, InotifyEvents mask) => Entry(entry, mask, byFile: false);

    /// <summary>fsnotify_file: as <see cref="Entry(Dentry, InotifyEvents)"/>, for what was done by an open file.</summary>
    internal static void OfFile(SimFile file, InotifyEvents mask)
    {
        if (file.Place != null && !file.IsPathOnly)
            Entry(file.Place, mask, byFile: true);
    }

    /// <summary>fsnotify_inoderemove: the node ends, and with it the watches on it.</summary>
    internal static void Removed(FileNode node)
    {
        if (node is DirectoryNode directory)
            directory.IsDead = true;
        Node(node, InotifyEvents.DeleteSelf);
        while (node.Watches.Count > 0)
            node.Watches[^1].Destroy();
    }

    private static void Entry(Dentry entry, InotifyEvents mask, bool byFile)
    {
        FileNode node = entry.Node;
        if (node.IsDirectory)
            mask |= InotifyEvents.IsDirectory;
        // A group that watches both hears of it from the directory first.
        bool isPrivate = byFile && node.IsSpecial && (mask & (InotifyEvents.Access | InotifyEvents.Modify)) != 0;
        if (entry.Parent != null && !isPrivate)
            Tell(entry.Parent.Node, mask, entry.Name, 0, byFile && entry.IsUnlinked);
        Tell(node, mask, null, 0, byFile && entry.IsUnlinked);
    }

    private static void Tell(FileNode node, InotifyEvents mask, string? name, uint cookie, bool isOfUnlinked)
    {
        List<InotifyWatch> watches = node.Watches;
        for (int i = watches.Count - 1; i >= 0; i--) // a watch may end with its event
            watches[i].Handle(mask, name, cookie, isOfUnlinked);
    }
}

/// <summary>An inotify instance's interest in one node: struct inotify_inode_mark.</summary>
internal sealed class InotifyWatch(InotifyFile file, FileNode node, int number)
{
    private bool _isGone;

    internal InotifyFile File => file;

    /// <summary>The watch descriptor.</summary>
    internal int Number => number;

    /// <summary>The events asked for, and of the flags those that stay.</summary>
    internal InotifyEvents Mask { get; set; }

    // fsnotify_handle_inode_event, inotify_handle_inode_event
    internal void Handle(InotifyEvents mask, string? name, uint cookie, bool isOfUnlinked)
    {
        const InotifyEvents NeverOfDirectories = InotifyEvents.MoveSelf | InotifyEvents.DeleteSelf;
        if (isOfUnlinked && (Mask & InotifyEvents.ExcludeUnlinked) != 0)
            return;
        if ((mask & Mask & InotifyEvents.All) == 0)
            return;
        if ((mask & NeverOfDirectories) != 0)
            mask &= ~InotifyEvents.IsDirectory;
        file.Insert(new InotifyRecord(number, mask, cookie, name));
        if ((Mask & InotifyEvents.OneShot) != 0)
            Destroy();
    }

    /// <summary>fsnotify_destroy_mark: the last event of a watch is that it is ignored from now on.</summary>
    internal void Destroy()
    {
        if (_isGone)
            return;
        Detach();
        file.Insert(new InotifyRecord(number, InotifyEvents.Ignored, 0, null));
    }

    /// <summary>Goes without a word, with the instance.</summary>
    internal void Detach()
    {
        _isGone = true;
        node.Watches.Remove(this);
        file.Forget(this);
    }
}

/// <summary>An event in the queue.</summary>
internal readonly record struct InotifyRecord(int Watch, InotifyEvents Mask, uint Cookie, string? Name)
{
    private const int HeaderSize = 16;

    private int NameLength => Name == null ? 0 : PathText.ByteCount(Name);

    // round_event_name_len: the terminating zero counts, and the rest is padding.
    private int PaddedLength => Name == null ? 0 : (NameLength + HeaderSize) / HeaderSize * HeaderSize;

    internal int Size => HeaderSize + PaddedLength;

    /// <summary>event_compare: the cookie is not looked at.</summary>
    internal bool IsSameAs(in InotifyRecord later)
        => (Mask & InotifyEvents.Ignored) == 0 && Mask == later.Mask && Watch == later.Watch && Name == later.Name;

    /// <summary>copy_event_to_user. False: EFAULT.</summary>
    internal bool CopyTo(ref UserBuffer buffer)
    {
        Span<byte> bytes = stackalloc byte[Size];
        bytes.Clear();
        BitConverter.TryWriteBytes(bytes, Watch);
        BitConverter.TryWriteBytes(bytes[4..], (uint)Mask);
        BitConverter.TryWriteBytes(bytes[8..], Cookie);
        BitConverter.TryWriteBytes(bytes[12..], PaddedLength);
        if (Name != null)
            PathText.Encode(Name).CopyTo(bytes[HeaderSize..]);
        return buffer.Put(bytes);
    }
}
