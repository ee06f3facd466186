using System.Runtime.InteropServices;

namespace Weir;

// What the events mean.
public sealed partial class FileWatcher
{
    private const InotifyEvents OfNames = InotifyEvents.Create | InotifyEvents.Delete | InotifyEvents.MovedFrom | InotifyEvents.MovedTo;
    private const int HeaderSize = 16; // struct inotify_event: int wd; uint32_t mask, cookie, len

    // First halves of moves. fsnotify_move queues both halves while the two directories are locked, so whatever else happens to a name in the
    // first directory says that the second half went elsewhere, and so does IN_MOVE_SELF of a directory, which follows both.
    private readonly List<HalfMove> _halves = [];

    // Source: null for a name that is of no interest by itself.
    private sealed record HalfMove(uint Cookie, WatchedEntry Directory, string Name, WatchedEntry? Source, long Deadline);

    private bool AwaitsHalf => _halves.Exists(half => half.Source != null);

    // The queue is empty: those that have waited long enough are alone.
    private void EndLateHalves()
    {
        long now = _loop.Now;
        while (_halves.Find(half => half.Deadline <= now) is { } half)
            End(half);
    }

    private TimeSpan TimeLeftForHalves()
    {
        long nanoseconds = _halves.Min(half => half.Deadline) - _loop.Now;
        long milliseconds = nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 > 0 ? 1 : 0);
        return TimeSpan.FromMilliseconds(Math.Clamp(milliseconds, 1, int.MaxValue));
    }

    private void Process(ReadOnlySpan<byte> events)
    {
        while (events.Length >= HeaderSize && !_hasEnded)
        {
            int watch = MemoryMarshal.Read<int>(events);
            var mask = (InotifyEvents)MemoryMarshal.Read<uint>(events[4..]);
            uint cookie = MemoryMarshal.Read<uint>(events[8..]);
            int length = MemoryMarshal.Read<int>(events[12..]);
            ReadOnlySpan<byte> name = events.Slice(HeaderSize, length);
            events = events[(HeaderSize + length)..];
            int end = name.IndexOf((byte)0);
            if ((mask & InotifyEvents.QueueOverflow) != 0)
                Overflowed();
            else if (!_byWatch.TryGetValue(watch, out WatchedEntry? directory))
                continue; // of a watch that was removed while its events were on their way
            else if (name.IsEmpty)
                ProcessOwn(directory, mask);
            else
                ProcessName(directory, PathText.Decode(end < 0 ? name : name[..end]), mask, cookie);
        }
    }

    private void Overflowed()
    {
        EndHalves();
        Tell(new FileChange(FileChangeKind.Overflow, Path, _root.IsDirectory && _only == null));
        DoubtAll();
    }

    // About the directory itself.
    private void ProcessOwn(WatchedEntry directory, InotifyEvents mask)
    {
        bool isRoot = directory == _root;
        if ((mask & InotifyEvents.Unmount) != 0)
        {
            Tell(new FileChange(FileChangeKind.Unmounted, directory.Path, IsDirectory: true));
            _hasEnded |= isRoot;
        }
        else if (isRoot && (mask & (InotifyEvents.DeleteSelf | InotifyEvents.MoveSelf | InotifyEvents.Ignored)) != 0)
        {
            EndHalves();
            Tell(new FileChange(FileChangeKind.Gone, _root.Path, IsDirectory: true));
            _hasEnded = true;
        }
        else if ((mask & InotifyEvents.MoveSelf) != 0)
        {
            if (_halves.Find(half => half.Source == directory) is { } half)
                End(half);
        }
        else if ((mask & InotifyEvents.Ignored) != 0)
        {
            // It was removed, which its parent tells next; or what was mounted there was unmounted, and something else shows.
            _byWatch.Remove(directory.Watch);
            directory.Watch = WatchedEntry.NotWatched;
            Doubt(directory);
            _pathsChanged = true;
        }
        else if (isRoot && _only == null && (mask & InotifyEvents.Attributes) != 0)
        {
            Tell(new FileChange(FileChangeKind.Attributes, _root.Path, IsDirectory: true));
        }
    }

    private void ProcessName(WatchedEntry directory, string name, InotifyEvents mask, uint cookie)
    {
        bool isDirectory = (mask & InotifyEvents.IsDirectory) != 0;
        if ((mask & OfNames) != 0)
            EndHalvesIn(directory, (mask & InotifyEvents.MovedTo) != 0 ? cookie : 0);
        if (isDirectory && (mask & OfNames & ~InotifyEvents.Create) != 0)
            _pathsChanged = true;
        if (_only != null && name != _only)
        {
            ProcessOther(directory, name, mask, cookie);
            return;
        }

        // An entry of another type was found by a scan that was later than this event: there are more events to come.
        WatchedEntry? entry = directory.Find(name);
        bool isThat = entry != null && entry.IsDirectory == isDirectory;
        if ((mask & InotifyEvents.MovedTo) != 0)
            MovedTo(directory, name, isDirectory, cookie);
        else if ((mask & InotifyEvents.Create) != 0)
            Created(directory, name, isDirectory, entry);
        else if (!isThat)
            return;
        else if ((mask & InotifyEvents.Delete) != 0)
            Removed(entry!);
        else if ((mask & InotifyEvents.MovedFrom) != 0)
            MovedFrom(entry!, cookie);
        else if ((mask & InotifyEvents.Modify) != 0)
            Tell(new FileChange(FileChangeKind.Modified, entry!.Path, isDirectory));
        else if ((mask & InotifyEvents.Attributes) != 0)
            Tell(new FileChange(FileChangeKind.Attributes, entry!.Path, isDirectory));
        else if ((mask & InotifyEvents.CloseWrite) != 0)
            Tell(new FileChange(FileChangeKind.CloseWrite, entry!.Path, isDirectory));
    }

    // Beside the one file that is watched: what takes its place, and what it becomes.
    private void ProcessOther(WatchedEntry directory, string name, InotifyEvents mask, uint cookie)
    {
        if ((mask & InotifyEvents.MovedFrom) != 0)
        {
            _halves.Add(new HalfMove(cookie, directory, name, null, long.MaxValue));
        }
        else if ((mask & InotifyEvents.MovedTo) != 0 && TakeHalf(cookie) is { Source: { } source } half)
        {
            Release(source);
            Tell(new FileChange(FileChangeKind.Moved, WatchedEntry.PathOf(directory, name), source.IsDirectory, WatchedEntry.PathOf(half.Directory, half.Name)));
        }
    }

    private void Created(WatchedEntry directory, string name, bool isDirectory, WatchedEntry? known)
    {
        if (known == null)
        {
            Made(directory, name, isDirectory);
        }
        else if (isDirectory && known.IsDirectory && IsRecursive)
        {
            // Found by a scan before this event was read; or made again, and the event of its removal was lost.
            Doubt(known);
            _pathsChanged = true;
        }
    }

    private void Made(WatchedEntry directory, string name, bool isDirectory)
    {
        WatchedEntry entry = directory.Add(name, isDirectory);
        Tell(new FileChange(FileChangeKind.Created, entry.Path, isDirectory));
        if (isDirectory && IsRecursive)
            _scans.Enqueue(entry);
    }

    private void Removed(WatchedEntry entry)
    {
        Tell(new FileChange(FileChangeKind.Deleted, entry.Path, entry.IsDirectory));
        entry.Detach();
        Release(entry);
    }

    private void MovedFrom(WatchedEntry entry, uint cookie)
    {
        long deadline = TimerQueue.DeadlineAfter(_loop.Now, EventLoop.ToNanoseconds(_options.MoveTimeout));
        _halves.Add(new HalfMove(cookie, entry.Parent!, entry.Name, entry, deadline));
        entry.Detach();
    }

    private void MovedTo(WatchedEntry directory, string name, bool isDirectory, uint cookie)
    {
        HalfMove? half = TakeHalf(cookie);
        if (half is { Source: not null, Directory.IsGone: true })
        {
            End(half); // the directory it came from was told to be gone, with everything in it
            half = null;
        }

        if (half?.Source is { } inside && inside.IsOnPathTo(directory))
        {
            // No directory can be moved into itself: a watch was asked for by a path that led elsewhere by then, and is still taken for another's.
            End(half);
            DoubtAll();
            return;
        }

        WatchedEntry? there = directory.Find(name);
        if (half != null)
        {
            string from = WatchedEntry.PathOf(half.Directory, half.Name);
            there?.Detach();
            if (there != null)
                Release(there);
            if (half.Source != null)
                half.Source.Attach(directory, name);
            else
                directory.Add(name, isDirectory);
            Tell(new FileChange(FileChangeKind.Moved, WatchedEntry.PathOf(directory, name), isDirectory, from));
            if (isDirectory && IsRecursive && half.Source is { } moved)
                Doubt(moved); // it was found by one path and is now at another: its watch must be on what is there
        }
        else if (there == null)
        {
            Made(directory, name, isDirectory);
        }
        else if (there.IsDirectory == isDirectory)
        {
            // It has replaced what was there, or was found by a scan before this event was read. A directory's watch tells which.
            if (isDirectory && IsRecursive)
                Doubt(there);
            else
                Tell(new FileChange(FileChangeKind.Moved, there.Path, isDirectory));
        }
    }

    private HalfMove? TakeHalf(uint cookie)
    {
        int index = _halves.FindIndex(half => half.Cookie == cookie);
        if (index < 0)
            return null;
        HalfMove half = _halves[index];
        _halves.RemoveAt(index);
        return half;
    }

    // Something else has happened in that directory: the other halves went where nobody looks.
    private void EndHalvesIn(WatchedEntry directory, uint cookie)
    {
        for (int i = _halves.Count - 1; i >= 0; i--)
        {
            if (_halves[i].Directory == directory && _halves[i].Cookie != cookie)
                End(_halves[i]);
        }
    }

    private void EndHalves()
    {
        while (_halves.Count > 0)
            End(_halves[0]);
    }

    private void End(HalfMove half)
    {
        _halves.Remove(half);
        if (half.Source == null)
            return;
        if (!half.Directory.IsGone)
            Tell(new FileChange(FileChangeKind.Deleted, WatchedEntry.PathOf(half.Directory, half.Name), half.Source.IsDirectory));
        Release(half.Source);
    }

    private void Tell(FileChange change)
    {
        bool isWanted = change.Kind switch
        {
            FileChangeKind.Modified => _options.Modified,
            FileChangeKind.Attributes => _options.Attributes,
            FileChangeKind.CloseWrite => _options.CloseWrite,
            _ => true,
        };
        if (_reports && isWanted)
            _ready.Enqueue(change);
    }
}
