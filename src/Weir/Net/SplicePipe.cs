namespace Weir.Net;

/// <summary>
/// A pipe(7) that bytes take from one connection to another without being copied through the process: the kernel passes on its own pages
/// (splice(2)). Filled by <see cref="Connection.TryReadTo"/>, emptied by <see cref="Connection.TryWriteFrom"/>.
/// </summary>
/// <remarks>
/// For its loop's thread. It holds two descriptors until disposed, and memory only while there is something in it: an empty one can serve
/// the next connection, so a few do for many.
/// </remarks>
public sealed unsafe class SplicePipe : IDisposable
{
    /// <summary>What a process without privileges may have by default: /proc/sys/fs/pipe-max-size.</summary>
    private const int DefaultCapacity = 1 << 20;

    private const int CapacityOfNewPipes = 1 << 16;

    private readonly Kernel _kernel;
    private bool _disposed;

    private SplicePipe(Kernel kernel, int readEnd, int writeEnd, int capacity)
    {
        _kernel = kernel;
        ReadEnd = readEnd;
        WriteEnd = writeEnd;
        Capacity = capacity;
    }

    /// <summary>
    /// The most bytes it can hold. The kernel counts pages, and a page for each piece that the network delivered, so it may be full sooner.
    /// </summary>
    public int Capacity { get; }

    /// <summary>Bytes in it now.</summary>
    public int Count { get; internal set; }

    internal int ReadEnd { get; }

    internal int WriteEnd { get; }

    /// <summary>Makes a pipe on the current loop's kernel.</summary>
    /// <param name="capacity">
    /// Bytes; the kernel rounds up to a power of two of pages. Where it refuses (fs.pipe-max-size, fs.pipe-user-pages-soft), the pipe has the usual 64 KiB.
    /// </param>
    /// <exception cref="KernelException">No descriptors left.</exception>
    public static SplicePipe Create(int capacity = DefaultCapacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        Kernel kernel = EventLoop.Required.Kernel;
        int* fds = stackalloc int[2];
        KernelException.Check(kernel.Pipe2(fds, FileFlags.NonBlock | FileFlags.CloseOnExec), "pipe2");
        int size = kernel.Fcntl(fds[1], FcntlCommand.SetPipeSize, capacity);
        if (size < 0)
            size = kernel.Fcntl(fds[1], FcntlCommand.GetPipeSize, 0);
        return new SplicePipe(kernel, fds[0], fds[1], size > 0 ? size : CapacityOfNewPipes);
    }

    /// <summary>Closes both ends; what is still in it is lost.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _kernel.Close(ReadEnd);
        _kernel.Close(WriteEnd);
    }

    internal void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_disposed, this);
}
