namespace Weir;

public sealed partial class AsyncFile
{
    /// <summary>
    /// Completes when what was written is on the disk, with all that is needed to find it (fsync(2)), or with <paramref name="dataOnly"/> without
    /// times and the like (fdatasync(2)). Writes that have not completed yet are not covered.
    /// </summary>
    /// <exception cref="KernelException">EIO, ENOSPC: something written earlier has not reached the disk, and may be lost.</exception>
    /// <exception cref="ObjectDisposedException">The file was closed, or its loop has stopped.</exception>
    public ValueTask FlushAsync(bool dataOnly = false, CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled(cancellationToken);
        FileOperation operation = Rent().Prepare(IoUringOp.FSync);
        operation.Entry.OperationFlags = dataOnly ? 1u : 0; // IORING_FSYNC_DATASYNC
        return Started(operation, cancellationToken);
    }

    /// <summary>
    /// Allocates a range, so that writing there cannot fail for want of space; with other modes frees or zeroes it. fallocate(2).
    /// </summary>
    /// <exception cref="KernelException">ENOSPC; EOPNOTSUPP: the file system knows no such mode; EFBIG; EBADF: not open for writing.</exception>
    /// <exception cref="ObjectDisposedException">The file was closed, or its loop has stopped.</exception>
    public ValueTask AllocateAsync(long offset, long length, FileAllocation mode = FileAllocation.Default, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled(cancellationToken);
        FileOperation operation = Rent().Prepare(IoUringOp.FAllocate);
        operation.Entry.Offset = (ulong)offset;
        operation.Entry.Address = (ulong)length; // io_uring has it there
        operation.Entry.Length = (uint)mode;
        return Started(operation, cancellationToken);
    }

    /// <summary>Cuts the file to a length, or extends it with zeros. ftruncate(2).</summary>
    /// <remarks>Kernels before 6.9 have no such operation in io_uring: there a thread makes the call.</remarks>
    /// <exception cref="KernelException">EINVAL: not open for writing; EFBIG; EPERM.</exception>
    /// <exception cref="ObjectDisposedException">The file was closed, or its loop has stopped.</exception>
    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled(cancellationToken);
        FileOperation operation = Rent().Prepare(IoUringOp.FTruncate);
        operation.Entry.Offset = (ulong)length;
        return Started(operation, cancellationToken);
    }

    /// <summary>Size, times and what else is known of the file. statx(2).</summary>
    /// <exception cref="KernelException">The call failed.</exception>
    /// <exception cref="ObjectDisposedException">The file was closed, or its loop has stopped.</exception>
    public ValueTask<FileStatus> GetStatusAsync(CancellationToken cancellationToken = default)
        => cancellationToken.IsCancellationRequested
            ? ValueTask.FromCanceled<FileStatus>(cancellationToken)
            : StatusAsync(new FileOperation(_loop, this).PrepareStatus(null, followLinks: true), cancellationToken);

    /// <summary>As <see cref="GetStatusAsync"/>, of the file at a path, without opening it.</summary>
    /// <param name="path">The path.</param>
    /// <param name="followLinks">False: a symbolic link itself is looked at.</param>
    /// <param name="loop">The loop it is done on; null for the caller's.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="KernelException">"statx(path)" and why: ENOENT, EACCES, ENOTDIR.</exception>
    /// <exception cref="InvalidOperationException">No loop runs on this thread and none is named.</exception>
    public static ValueTask<FileStatus> StatAsync(string path, bool followLinks = true, EventLoop? loop = null, CancellationToken cancellationToken = default)
    {
        CheckPath(path);
        loop ??= EventLoop.Required;
        return cancellationToken.IsCancellationRequested
            ? ValueTask.FromCanceled<FileStatus>(cancellationToken)
            : StatusAsync(new FileOperation(loop, null).PrepareStatus(path, followLinks), cancellationToken);
    }

    private static async ValueTask<FileStatus> StatusAsync(FileOperation operation, CancellationToken cancellationToken)
    {
        if (!operation.Start())
            throw LoopHasStopped();
        await operation.AsPlainValueTask(cancellationToken).ConfigureAwait(false);
        return new FileStatus(operation.Found);
    }
}
