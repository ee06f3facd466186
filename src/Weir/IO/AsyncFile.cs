using System.Runtime.InteropServices;

namespace Weir;

/// <summary>
/// A file that is read and written at offsets, on a loop: by io_uring, many operations at once, with no thread that blocks. Callers resume on
/// the loop.
/// </summary>
/// <remarks>
/// <para>For regular files and block devices, which epoll cannot watch. All members may be called from any thread; from outside the loop they
/// are carried over and start in call order, and the caller resumes in its own context. Any number of operations may be in flight; they
/// complete in any order, so overlapping ones are the caller's to order.</para>
/// <para>Memory handed in must not be touched before the operation has completed, cancelled or not: the kernel may still be at it, and a
/// cancelled operation completes only when it is not. It is pinned meanwhile; nothing is allocated for an operation in steady state.</para>
/// <para>Where io_uring cannot be had, a few threads of the loop's own make blocking calls instead, and
/// <see cref="LoopStatistics.FileBackend"/> and the event source "Weir.Files" say so and why.</para>
/// </remarks>
public sealed partial class AsyncFile : IAsyncDisposable, IDisposable
{
    private const int MostKept = 1024;

    private readonly EventLoop _loop;
    private readonly Stack<FileOperation> _idle = new(); // the loop's thread only
    private readonly LoopEnd _loopEnd;
    private readonly Lock _closeGate = new();
    private Task? _closing;
    private FileOperation? _close; // waits for the others to complete
    private volatile int _fd;
    private int _inFlight;
    private bool _isClosing;

    /// <summary>Made on the loop's thread, the moment the descriptor is there.</summary>
    internal AsyncFile(EventLoop loop, int fd, string path, FileFlags flags)
    {
        _loop = loop;
        _fd = fd;
        Path = path;
        IsDirect = (flags & ArchitectureFlags.Direct) != 0;
        _loopEnd = new LoopEnd(this);
        loop.DisposeAtEnd(_loopEnd);
    }

    /// <summary>The loop it lives on. Any thread.</summary>
    public EventLoop Loop => _loop;

    /// <summary>The path it was opened by.</summary>
    public string Path { get; }

    /// <summary>Whether it goes past the page cache, so that buffers, offsets and lengths must be aligned.</summary>
    public bool IsDirect { get; }

    /// <summary>The descriptor, for calls this type has no member for; -1 once closed. It stays this file's own: do not close it.</summary>
    public int FileDescriptor => _fd;

    /// <summary>
    /// Opens a file, close-on-exec. open(2), on the kernel's side by openat(2) of io_uring.
    /// </summary>
    /// <param name="path">The path; a relative one starts at the process's working directory.</param>
    /// <param name="mode">Whether it may or must be there. <see cref="FileMode.Append"/> is refused: writes here name their offset.</param>
    /// <param name="access">What it is opened for. Defaults to reading.</param>
    /// <param name="options">More about it; null for the defaults.</param>
    /// <param name="cancellationToken">Ends the wait. A file that was opened all the same is handed out, or closed.</param>
    /// <exception cref="KernelException">"open(path)" and why: ENOENT, EACCES, EEXIST, EISDIR, EINVAL (no direct I/O there), EMFILE.</exception>
    /// <exception cref="InvalidOperationException">No loop runs on this thread and the options name none.</exception>
    /// <exception cref="ObjectDisposedException">The loop has stopped.</exception>
    public static ValueTask<AsyncFile> OpenAsync(
        string path, FileMode mode = FileMode.Open, FileAccess access = FileAccess.Read, AsyncFileOptions? options = null, CancellationToken cancellationToken = default)
    {
        CheckPath(path);
        FileFlags flags = Flags(mode, access);
        UnixFileMode createMode = default;
        options ??= new AsyncFileOptions();
        if ((flags & FileFlags.Create) != 0)
            createMode = options.CreateMode;
        if (options.Direct)
            flags |= ArchitectureFlags.Direct;
        if (options.WriteThrough)
            flags |= FileFlags.DataSync;
        if (options.NoFollow)
            flags |= ArchitectureFlags.NoFollow;
        EventLoop loop = options.Loop ?? EventLoop.Required;
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<AsyncFile>(cancellationToken);
        return OpenedAsync(new FileOperation(loop, null).PrepareOpen(path, flags, createMode), cancellationToken);
    }

    private static async ValueTask<AsyncFile> OpenedAsync(FileOperation operation, CancellationToken cancellationToken)
    {
        if (!operation.Start())
            throw LoopHasStopped();
        await operation.AsPlainValueTask(cancellationToken).ConfigureAwait(false);
        return operation.File!;
    }

    /// <summary>
    /// Reads at most as many bytes as the buffer takes, from <paramref name="offset"/> on. 0: the end of the file is there or before it; fewer
    /// than asked for: the end, as a rule. pread(2).
    /// </summary>
    /// <exception cref="KernelException">The read failed: EIO; EINVAL when direct I/O is not aligned; EBADF when it is not open for reading.</exception>
    /// <exception cref="OperationCanceledException">Cancelled before any bytes had arrived.</exception>
    /// <exception cref="ObjectDisposedException">The file was closed, or its loop has stopped.</exception>
    public ValueTask<int> ReadAsync(Memory<byte> buffer, long offset, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<int>(cancellationToken);
        FileOperation operation = Rent().PrepareTransfer(IoUringOp.Read, buffer, offset);
        return operation.Start() ? operation.AsValueTask(cancellationToken) : ValueTask.FromException<int>(LoopHasStopped());
    }

    /// <summary>As <see cref="ReadAsync(Memory{byte}, long, CancellationToken)"/>, into several buffers one after the other. preadv(2).</summary>
    /// <param name="buffers">At most 1024; the list must stay as it is until the read has completed.</param>
    /// <param name="offset">Where in the file to begin.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentException">Too many buffers.</exception>
    public ValueTask<int> ReadAsync(IReadOnlyList<Memory<byte>> buffers, long offset, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        CheckCount(buffers.Count);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<int>(cancellationToken);
        FileOperation operation = Rent().PrepareVectors(buffers, null, offset);
        return operation.Start() ? operation.AsValueTask(cancellationToken) : ValueTask.FromException<int>(LoopHasStopped());
    }

    /// <summary>Writes the whole buffer from <paramref name="offset"/> on; a gap before it reads as zeros. pwrite(2).</summary>
    /// <exception cref="KernelException">
    /// The write failed; a part may have been written: ENOSPC, EDQUOT, EFBIG, EIO; EINVAL when direct I/O is not aligned; EBADF when it is not
    /// open for writing.
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled; a part may have been written.</exception>
    /// <exception cref="ObjectDisposedException">The file was closed, or its loop has stopped.</exception>
    public ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, long offset, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        return cancellationToken.IsCancellationRequested
            ? ValueTask.FromCanceled(cancellationToken)
            : Started(Rent().PrepareTransfer(IoUringOp.Write, buffer, offset), cancellationToken);
    }

    /// <summary>As <see cref="WriteAsync(ReadOnlyMemory{byte}, long, CancellationToken)"/>, from several buffers one after the other. pwritev(2).</summary>
    /// <param name="buffers">At most 1024; the list must stay as it is until the write has completed.</param>
    /// <param name="offset">Where in the file to begin.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentException">Too many buffers.</exception>
    public ValueTask WriteAsync(IReadOnlyList<ReadOnlyMemory<byte>> buffers, long offset, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        CheckCount(buffers.Count);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        return cancellationToken.IsCancellationRequested
            ? ValueTask.FromCanceled(cancellationToken)
            : Started(Rent().PrepareVectors(null, buffers, offset), cancellationToken);
    }

    private static void CheckCount(int count)
    {
        if (count > FileOperation.MostBuffers)
            throw new ArgumentException($"{count} buffers are too many for one call, which takes {FileOperation.MostBuffers}: make several.", "buffers");
    }

    private static void CheckPath(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (path.Contains('\0'))
            throw new ArgumentException("A path cannot contain a zero character.", nameof(path));
    }

    private static FileFlags Flags(FileMode mode, FileAccess access)
    {
        FileFlags flags = FileFlags.CloseOnExec | access switch
        {
            FileAccess.Read => FileFlags.ReadOnly,
            FileAccess.Write => FileFlags.WriteOnly,
            FileAccess.ReadWrite => FileFlags.ReadWrite,
            _ => throw new ArgumentOutOfRangeException(nameof(access), access, "No such access."),
        };
        if (access == FileAccess.Read && mode is not (FileMode.Open or FileMode.OpenOrCreate))
            throw new ArgumentException($"FileMode.{mode} needs access for writing.", nameof(access));
        return flags | mode switch
        {
            FileMode.Open => FileFlags.ReadOnly,
            FileMode.OpenOrCreate => FileFlags.Create,
            FileMode.CreateNew => FileFlags.Create | FileFlags.Exclusive,
            FileMode.Create => FileFlags.Create | FileFlags.Truncate,
            FileMode.Truncate => FileFlags.Truncate,
            FileMode.Append => throw new ArgumentException("Writes name their offset here: open the file and write from the size that GetStatusAsync tells.", nameof(mode)),
            _ => throw new ArgumentOutOfRangeException(nameof(mode), mode, "No such mode."),
        };
    }

    private FileOperation Rent() => _loop.IsCurrent && _idle.TryPop(out FileOperation? idle) ? idle : new FileOperation(_loop, this);

    internal void Return(FileOperation operation)
    {
        if (_idle.Count < MostKept)
            _idle.Push(operation);
    }

    private static ValueTask Started(FileOperation operation, CancellationToken cancellationToken)
        => operation.Start() ? operation.AsPlainValueTask(cancellationToken) : ValueTask.FromException(LoopHasStopped());

    private static ObjectDisposedException LoopHasStopped() => new(nameof(EventLoop), "The loop has stopped.");

    /// <summary>
    /// Memory for direct I/O: <paramref name="length"/> bytes at an address that is a multiple of <paramref name="alignment"/>, and stays there.
    /// Any thread.
    /// </summary>
    /// <param name="length">Bytes.</param>
    /// <param name="alignment">A power of two. Defaults to 4096, which satisfies all devices.</param>
    public static Memory<byte> AllocateAligned(int length, int alignment = 4096)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (alignment <= 0 || (alignment & (alignment - 1)) != 0)
            throw new ArgumentOutOfRangeException(nameof(alignment), alignment, "A power of two.");
        byte[] array = GC.AllocateArray<byte>(checked(length + alignment - 1), pinned: true);
        nint address = Marshal.UnsafeAddrOfPinnedArrayElement(array, 0);
        return MemoryMarshal.CreateFromPinnedArray(array, (int)(-address & (alignment - 1)), length);
    }
}
