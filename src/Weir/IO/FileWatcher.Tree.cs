using System.Runtime.InteropServices;

namespace Weir;

// The names it knows of, and the watches.
//
// A watch is on a directory and not on a path, but it is asked for by path, and by the time an event is read the path may lead elsewhere. So each
// directory that was watched or scanned by its path is in doubt until the queue has been found empty and nothing read meanwhile has moved or
// removed a directory; else it is asked for again by the path that it has then. While nothing moves, that ends with every watch on the directory
// at its path; and names of files are right as soon as the watch is, for every scan comes after its watch and every event after a scan says the
// same again or something newer.
public sealed partial class FileWatcher
{
    private const FileFlags ForScan = FileFlags.ReadOnly | FileFlags.NonBlock | FileFlags.CloseOnExec;

    private const InotifyEvents Always = OfNames | InotifyEvents.DeleteSelf | InotifyEvents.MoveSelf | InotifyEvents.OnlyDirectory | InotifyEvents.ExcludeUnlinked;

    private readonly Dictionary<int, WatchedEntry> _byWatch = [];
    private readonly Queue<WatchedEntry> _scans = [];
    private readonly Queue<WatchedEntry> _verifications = [];
    private readonly List<WatchedEntry> _unsettled = [];
    private readonly byte[] _entries = new byte[BufferSize];
    private bool _pathsChanged;
    private bool _limitIsTold;
    private int _lastScan;

    private bool IsRecursive => _options.Recursive && _only == null;

    private InotifyEvents WatchMask => Always
        | (_options.Modified ? InotifyEvents.Modify : 0)
        | (_options.Attributes ? InotifyEvents.Attributes : 0)
        | (_options.CloseWrite ? InotifyEvents.CloseWrite : 0);

    // The first watch, whose failures are the caller's.
    private void Begin()
    {
        _root = new WatchedEntry(null, Path, isDirectory: true);
        int watch = AddWatch(_root);
        if (watch == -(int)Errno.ENOTDIR && Path != "/")
        {
            // A file: looked after where its name is. A trailing slash has been cut off, so this is not for "file/" alone.
            int slash = Path.LastIndexOf('/');
            _only = Path[(slash + 1)..];
            _root = new WatchedEntry(null, slash == 0 ? "/" : Path[..slash], isDirectory: true);
            watch = AddWatch(_root);
        }

        KernelException.Check(watch, $"inotify_add_watch({Path})", _fd);
        Watched(_root, watch);
        Doubt(_root);
        Scan(_root);
    }

    private unsafe int AddWatch(WatchedEntry directory)
    {
        InotifyEvents mask = WatchMask | (directory == _root ? 0 : InotifyEvents.DoNotFollow);
        fixed (byte* path = PathText.Encode(directory.Path, terminated: true))
            return _loop.Kernel.InotifyAddWatch(_fd, path, mask);
    }

    // One that has just been found.
    private void ScanNew(WatchedEntry directory)
    {
        if (directory.IsGone)
            return;
        Doubt(directory);
        int watch = AddWatch(directory);
        if (watch < 0)
            Refused(directory, watch);
        else if (directory.Watch == watch || Watched(directory, watch))
            Scan(directory);
    }

    // What is not there, or no directory, events will tell of; what may not be read is left alone.
    private void Refused(WatchedEntry directory, int error)
    {
        Errno errno = (Errno)(-error);
        if (errno is Errno.ENOENT or Errno.ENOTDIR or Errno.EACCES or Errno.EPERM or Errno.ELOOP or Errno.ENAMETOOLONG)
            return;
        if (errno == Errno.ENOSPC && _limitIsTold)
            return;
        _limitIsTold |= errno == Errno.ENOSPC;
        _failure ??= new KernelException($"inotify_add_watch({directory.Path})", _fd, errno);
    }

    // False: it is one that is watched at another path as well, by way of a mount.
    private bool Watched(WatchedEntry directory, int watch)
    {
        if (_byWatch.TryGetValue(watch, out WatchedEntry? other) && other != directory)
        {
            int there = AddWatch(other);
            if (there == watch)
                return false;
            if (there >= 0 && !_byWatch.ContainsKey(there))
                _loop.Kernel.InotifyRemoveWatch(_fd, there);
            // It was that one's, which has moved; what is there now will be asked for.
            other.Watch = WatchedEntry.NotWatched;
            Doubt(other);
            _pathsChanged = true;
        }

        Unwatch(directory);
        directory.Watch = watch;
        _byWatch[watch] = directory;
        _limitIsTold = false;
        return true;
    }

    private void Unwatch(WatchedEntry directory)
    {
        if (directory.Watch == WatchedEntry.NotWatched)
            return;
        _byWatch.Remove(directory.Watch);
        _loop.Kernel.InotifyRemoveWatch(_fd, directory.Watch); // EINVAL: it has ended already
        directory.Watch = WatchedEntry.NotWatched;
    }

    // It and all below it are no longer in the tree.
    private void Release(WatchedEntry entry)
    {
        entry.IsGone = true;
        if (entry.IsDirectory)
            Unwatch(entry);
        if (entry.Children == null)
            return;
        foreach (WatchedEntry child in entry.Children.Values)
            Release(child);
    }

    private void Doubt(WatchedEntry directory)
    {
        if (directory.IsUnsettled)
            return;
        directory.IsUnsettled = true;
        _unsettled.Add(directory);
    }

    private void DoubtAll()
    {
        var all = new List<WatchedEntry>();
        if (IsRecursive)
            _root.AddDirectories(all);
        else
            all.Add(_root);
        all.ForEach(Doubt);
        _pathsChanged = true;
    }

    // The queue is empty. True: there is something to be done.
    private bool Settle()
    {
        EndLateHalves();
        if (_ready.Count > 0)
            return true;
        if (AwaitsHalf || _unsettled.Count == 0)
            return false;
        if (_pathsChanged)
        {
            _pathsChanged = false;
            foreach (WatchedEntry directory in _unsettled)
                _verifications.Enqueue(directory);
            _isDrained = false; // looked at again before anything counts as settled
            return true;
        }

        foreach (WatchedEntry directory in _unsettled)
            directory.IsUnsettled = false;
        _unsettled.Clear();
        return false;
    }

    private void Verify(WatchedEntry directory)
    {
        if (directory.IsGone || _hasEnded)
            return;
        int watch = AddWatch(directory);
        if (watch < 0)
        {
            Refused(directory, watch);
            return;
        }

        bool isSame = watch == directory.Watch;
        if (!isSame && !Watched(directory, watch))
            return;
        if (!isSame && directory.Children != null)
        {
            // Another directory than was thought: so are those in it.
            foreach (WatchedEntry child in directory.Children.Values)
            {
                if (child.IsDirectory && IsRecursive)
                {
                    Doubt(child);
                    _verifications.Enqueue(child);
                }
            }
        }

        Scan(directory);
    }

    // Compares what is there with what is known.
    private unsafe void Scan(WatchedEntry directory)
    {
        int fd;
        FileFlags flags = ForScan | ArchitectureFlags.Directory | (directory == _root ? 0 : ArchitectureFlags.NoFollow);
        fixed (byte* path = PathText.Encode(directory.Path, terminated: true))
            fd = _loop.Kernel.Open(path, flags, 0);
        if (fd < 0)
        {
            Errno errno = (Errno)(-fd);
            if (errno is not (Errno.ENOENT or Errno.ENOTDIR or Errno.EACCES or Errno.EPERM or Errno.ELOOP or Errno.ENAMETOOLONG))
                _failure ??= new KernelException($"open({directory.Path})", -1, errno);
            return;
        }

        int scan = ++_lastScan, count;
        try
        {
            fixed (byte* buffer = _entries)
            {
                while ((count = _loop.Kernel.GetDents64(fd, buffer, BufferSize)) > 0)
                {
                    _loop.Queue.Spend(count);
                    FindEntries(directory, _entries.AsSpan(0, count), scan);
                }
            }
        }
        finally
        {
            _loop.Kernel.Close(fd);
        }

        if (count == 0 && directory.Children != null)
            RemoveUnfound(directory, scan);
    }

    // struct linux_dirent64: 8 bytes inode, 8 bytes position, 2 bytes length, 1 byte type, name
    private void FindEntries(WatchedEntry directory, ReadOnlySpan<byte> entries, int scan)
    {
        const int lengthAt = 16, typeAt = 18, nameAt = 19;
        const byte unknown = 0, ofDirectory = 4;
        while (!entries.IsEmpty)
        {
            ReadOnlySpan<byte> bytes = entries[nameAt..];
            bytes = bytes[..bytes.IndexOf((byte)0)];
            byte type = entries[typeAt];
            entries = entries[MemoryMarshal.Read<ushort>(entries[lengthAt..])..];
            if (bytes.SequenceEqual("."u8) || bytes.SequenceEqual(".."u8))
                continue;
            string name = PathText.Decode(bytes);
            if (_only != null && name != _only)
                continue;
            bool isDirectory = type == ofDirectory || (type == unknown && IsDirectory(WatchedEntry.PathOf(directory, name)));
            WatchedEntry? known = directory.Find(name);
            if (known != null && known.IsDirectory != isDirectory)
            {
                Removed(known);
                known = null;
            }

            if (known == null)
                Made(directory, name, isDirectory);
            directory.Find(name)!.Scan = scan;
        }
    }

    private void RemoveUnfound(WatchedEntry directory, int scan)
    {
        List<WatchedEntry>? unfound = null;
        foreach (WatchedEntry child in directory.Children!.Values)
        {
            if (child.Scan != scan)
                (unfound ??= []).Add(child);
        }

        unfound?.ForEach(Removed);
    }

    // For file systems that do not say it in their directories.
    private unsafe bool IsDirectory(string path)
    {
        StatXResult result;
        fixed (byte* name = PathText.Encode(path, terminated: true))
        {
            return _loop.Kernel.StatX(StatXRequest.WorkingDirectory, name, StatXFlags.NoFollow, StatXMask.Type, &result) == 0 && result.IsDirectory;
        }
    }
}
