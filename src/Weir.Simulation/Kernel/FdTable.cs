namespace Weir.Simulation;

/// <summary>The descriptors of a process: the lowest free number is given out first, up to the process's limit.</summary>
internal sealed class FdTable
{
    private Entry[] _entries = new Entry[16];
    private int _lowestFree; // nothing below it is free

    private struct Entry
    {
        internal SimFile? File;
        internal bool CloseOnExec;
        internal bool IsInherited;
        internal CallPlace Opened;
        internal SimFile? LastFile; // what the number meant before it was closed, for those who go on using it
        internal CallPlace Closed;
    }

    /// <summary>RLIMIT_NOFILE, soft and hard: the .NET runtime raises the one to the other at its start.</summary>
    internal ulong SoftLimit { get; set; } = 1 << 20;

    internal ulong HardLimit { get; set; } = 1 << 20;

    internal int Count { get; private set; }

    /// <summary>The file behind a number, for calls that work on files: an O_PATH descriptor is none to them.</summary>
    internal SimFile? Find(int fd) => FindAny(fd) is { IsPathOnly: false } file ? file : null;

    internal SimFile? FindAny(int fd) => (uint)fd < (uint)_entries.Length ? _entries[fd].File : null;

    internal bool IsCloseOnExec(int fd) => _entries[fd].CloseOnExec;

    internal void SetCloseOnExec(int fd, bool value) => _entries[fd].CloseOnExec = value;

    /// <summary>The descriptors open now, with the file behind each and the call that opened it.</summary>
    internal IEnumerable<(int Fd, SimFile File, CallPlace Opened)> Open
    {
        get
        {
            for (int fd = 0; fd < _entries.Length; fd++)
            {
                if (_entries[fd].File is { } file)
                    yield return (fd, file, _entries[fd].Opened);
            }
        }
    }

    /// <summary>Whether the process had it from its beginning, from the one that it was forked off.</summary>
    internal bool IsInherited(int fd) => _entries[fd].IsInherited;

    /// <summary>What a number that is free now meant before, and the call that closed it. False: it was never open.</summary>
    internal bool TryFindClosed(int fd, out SimFile? file, out CallPlace closed)
    {
        bool known = (uint)fd < (uint)_entries.Length && _entries[fd] is { File: null, LastFile: not null };
        (file, closed) = known ? (_entries[fd].LastFile, _entries[fd].Closed) : default;
        return known;
    }

    /// <summary>The lowest free number from <paramref name="least"/> on; -EMFILE when the limit is reached.</summary>
    internal int FindFree(int least = 0)
    {
        int fd = Math.Max(least, _lowestFree);
        while (fd < _entries.Length && _entries[fd].File != null)
            fd++;
        if (least <= _lowestFree)
            _lowestFree = fd;
        return (ulong)fd < SoftLimit ? fd : -(int)Errno.EMFILE;
    }

    /// <summary>Makes <paramref name="fd"/>, which is free, refer to a file, and counts the reference.</summary>
    internal void Set(int fd, SimFile file, bool closeOnExec, bool isInherited = false)
    {
        if (fd >= _entries.Length)
            Array.Resize(ref _entries, Math.Max(fd + 1, _entries.Length * 2));
        _entries[fd] = new Entry { File = file, CloseOnExec = closeOnExec, IsInherited = isInherited, Opened = CallPlace.Here(file.World) };
        file.Acquire();
        Count++;
    }

    /// <summary>Frees a number; the caller drops the reference that it had.</summary>
    internal SimFile? Take(int fd)
    {
        SimFile? file = FindAny(fd);
        if (file == null)
            return null;
        _entries[fd] = new Entry { LastFile = file, Closed = CallPlace.Here(file.World) };
        _lowestFree = Math.Min(_lowestFree, fd);
        Count--;
        return file;
    }
}
