using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>
/// Tells what changes in a directory, in the tree below it or about one file, by inotify(7). Made by <see cref="OpenAsync"/> on a loop; all members
/// are for that loop's thread.
/// </summary>
/// <remarks>
/// <para>It knows the names there are, and what it tells agrees with itself: nothing is made that was there, nothing removed that was not, and who
/// applies the changes one after another to what was there in the beginning has what is there in the end.</para>
/// <para>Nothing is read ahead: who does not read leaves the events in the kernel's queue (fs.inotify.max_queued_events), and learns by
/// <see cref="FileChangeKind.Overflow"/> when that was too short. What it keeps is the names.</para>
/// <para>Symbolic links below the path are entries like any other and not followed. Directories that may not be read are not watched. That a
/// directory above the path is renamed cannot be seen: what is found below afterwards is found by the old path, or not at all.</para>
/// </remarks>
public sealed partial class FileWatcher : IDisposable
{
    private const int BufferSize = 32 * 1024;

    private readonly EventLoop _loop;
    private readonly FileWatcherOptions _options;
    private readonly int _fd;
    private readonly FdWatcher _watcher;
    private readonly byte[] _buffer = new byte[BufferSize];
    private readonly Queue<FileChange> _ready = [];
    private WatchedEntry _root = null!;
    private string? _only; // the one name of interest, where a file is watched
    private bool _reports;
    private bool _isDrained;
    private bool _isReading;
    private bool _hasEnded;
    private bool _disposed;
    private KernelException? _failure;

    private FileWatcher(string path, FileWatcherOptions options)
    {
        _loop = EventLoop.Required;
        _options = options;
        Path = path;
        int fd = KernelException.Check(_loop.Kernel.InotifyInit(), "inotify_init1");
        try
        {
            _watcher = new FdWatcher(fd, FdOwnership.Owned, EpollEvents.In);
        }
        catch
        {
            _loop.Kernel.Close(fd);
            throw;
        }

        _fd = fd;
    }

    /// <summary>The path that is watched, without a slash at its end.</summary>
    public string Path { get; }

    /// <summary>The watches that the kernel keeps for it: one for each directory. They count for fs.inotify.max_user_watches.</summary>
    public int WatchCount => _byWatch.Count;

    /// <summary>
    /// Begins to watch. Everything that changes after the task has completed is told; in a tree, other work of the loop goes on between the
    /// directories.
    /// </summary>
    /// <param name="path">
    /// A directory; or a file, which is then watched by its name: through removal, replacement and return, as long as its directory stays.
    /// </param>
    /// <param name="options">How.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="KernelException">
    /// ENOENT: there is nothing at the path. EACCES: it may not be read. EMFILE: fs.inotify.max_user_instances is reached. ENOSPC:
    /// fs.inotify.max_user_watches is.
    /// </exception>
    public static async Task<FileWatcher> OpenAsync(string path, FileWatcherOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (path.Contains('\0'))
            throw new ArgumentException("A path has no zero in it.", nameof(path));
        options ??= new FileWatcherOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MoveTimeout, TimeSpan.Zero);
        cancellationToken.ThrowIfCancellationRequested();
        if (path[0] != '/')
            path = System.IO.Path.Combine(Environment.CurrentDirectory, path);
        path = path.TrimEnd('/');
        var watcher = new FileWatcher(path.Length == 0 ? "/" : path, options);
        try
        {
            watcher.Begin();
            watcher.ThrowFailure();
            while (watcher._scans.TryDequeue(out WatchedEntry? directory))
            {
                watcher.ScanNew(directory);
                watcher.ThrowFailure();
                if (!watcher._loop.Queue.HasBudget)
                {
                    await EventLoop.Yield();
                    ObjectDisposedException.ThrowIf(!watcher._loop.IsCurrent, watcher); // the loop has stopped
                    cancellationToken.ThrowIfCancellationRequested();
                }
            }

            watcher._reports = true;
            return watcher;
        }
        catch
        {
            watcher.Dispose();
            throw;
        }
    }

    /// <summary>The bytes of a path that a change has told, as the kernel knows it.</summary>
    public static byte[] GetPathBytes(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return PathText.Encode(path);
    }

    /// <summary>
    /// Waits until something has changed, and tells as much of it as there is room for. One reader at a time. If it is cancelled, nothing is lost.
    /// </summary>
    /// <returns>How many changes; 0 after the last, which is <see cref="FileChangeKind.Gone"/> or <see cref="FileChangeKind.Unmounted"/>.</returns>
    /// <exception cref="KernelException">
    /// ENOSPC: a directory was made that cannot be watched, since fs.inotify.max_user_watches is reached. What is watched stays so, and the next
    /// read goes on.
    /// </exception>
    /// <exception cref="BusyResourceException">Someone else is reading.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed, before or meanwhile.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<int> ReadAsync(Memory<FileChange> changes, CancellationToken cancellationToken = default)
    {
        if (changes.IsEmpty)
            throw new ArgumentException("There must be room for a change.", nameof(changes));
        if (!await FillAsync(cancellationToken).ConfigureAwait(false))
            return 0;
        int count = 0;
        while (count < changes.Length && _ready.TryDequeue(out FileChange change))
            changes.Span[count++] = change;
        return count;
    }

    /// <summary>The changes as they come, until the last. Failures are those of <see cref="ReadAsync"/>.</summary>
    public async IAsyncEnumerable<FileChange> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        while (await FillAsync(cancellationToken))
        {
            // Taken before it is handed out: whoever leaves off there has had it.
            while (_ready.TryDequeue(out FileChange change))
                yield return change;
        }
    }

    /// <summary>
    /// Ends the watches; a read in progress ends with <see cref="ObjectDisposedException"/>. Any thread once the loop has stopped, which has closed the
    /// descriptor.
    /// </summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _watcher.Dispose(); // refuses other threads while the loop runs
        _disposed = true;
        _byWatch.Clear();
    }

    // True: something is ready. False: nothing comes any more.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        cancellationToken.ThrowIfCancellationRequested();
        if (!_loop.IsCurrent)
            throw new InvalidOperationException("A watcher is used on the thread of its loop; post to the loop from elsewhere.");
        if (_isReading)
            throw new BusyResourceException($"Someone else is reading the changes of {Path}.");
        _isReading = true;
        try
        {
            while (_ready.Count == 0)
            {
                ThrowFailure();
                if (_hasEnded)
                    return false;
                if (!_loop.Queue.HasBudget)
                {
                    await EventLoop.Yield();
                    ObjectDisposedException.ThrowIf(_disposed || !_loop.IsCurrent, this); // the loop may have stopped
                    cancellationToken.ThrowIfCancellationRequested();
                }

                if (!Advance())
                    await WaitAsync(cancellationToken).ConfigureAwait(false);
            }

            return true;
        }
        finally
        {
            _isReading = false;
        }
    }

    private void ThrowFailure()
    {
        KernelException? failure = _failure;
        _failure = null;
        if (failure != null)
            throw failure;
    }

    // Does the next piece of work. False: there is none before the kernel has more to tell.
    private bool Advance()
    {
        if (_scans.TryDequeue(out WatchedEntry? made))
            ScanNew(made);
        else if (_verifications.TryDequeue(out WatchedEntry? doubtful))
            Verify(doubtful);
        else if (!_isDrained)
            ReadEvents();
        else
            return Settle();
        return true;
    }

    private unsafe void ReadEvents()
    {
        nint count;
        fixed (byte* buffer = _buffer)
            count = _loop.Kernel.Read(_fd, buffer, BufferSize);
        if (count > 0)
        {
            _loop.Queue.Spend((int)count);
            Process(_buffer.AsSpan(0, (int)count));
            return;
        }

        Errno errno = (Errno)(-(int)count);
        if (errno == Errno.EAGAIN)
        {
            _watcher.Clear(EpollEvents.In);
            _isDrained = true;
        }
        else if (errno != Errno.EINTR)
        {
            throw new KernelException("read", _fd, errno);
        }
    }

    private async ValueTask WaitAsync(CancellationToken cancellationToken)
    {
        if (!AwaitsHalf)
        {
            await _watcher.WaitReadableAsync(cancellationToken).ConfigureAwait(false);
            _isDrained = false;
            return;
        }

        using var limit = new CancellationTokenSource(TimeLeftForHalves(), _loop.TimeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            await _watcher.WaitReadableAsync(either.Token).ConfigureAwait(false);
            _isDrained = false;
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            // Looked at again: the loop may not have seen yet what has come.
            _isDrained = false;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
    }
}
