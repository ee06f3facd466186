namespace Weir;

/// <summary>One end of a pipe(7) on a loop: a stream in one direction.</summary>
public sealed class PipeEnd : DescriptorStream
{
    private readonly bool _reads;

    private PipeEnd(EventLoop loop, int fd, bool reads)
        : base(loop, fd, DescriptorKind.Other, reads ? EpollEvents.In : EpollEvents.None, reads ? EpollEvents.None : EpollEvents.Out)
    {
        _reads = reads;
    }

    /// <summary>Makes a pipe on the current loop. What is written to the second is read from the first.</summary>
    /// <exception cref="KernelException">No descriptors left.</exception>
    public static unsafe (PipeEnd Reader, PipeEnd Writer) CreatePair()
    {
        EventLoop loop = EventLoop.Required;
        int* fds = stackalloc int[2];
        KernelException.Check(loop.Kernel.Pipe2(fds, FileFlags.NonBlock | FileFlags.CloseOnExec), "pipe2");
        return DescriptorPair.Take(loop, new ReadOnlySpan<int>(fds, 2), static (loop, fd, isFirst) => new PipeEnd(loop, fd, reads: isFirst));
    }

    /// <summary>Takes over one end of a pipe, which is non-blocking; if the loop cannot take it, it is closed.</summary>
    internal static PipeEnd Adopt(EventLoop loop, int fd, bool reads) => new(loop, fd, reads);

    /// <inheritdoc/>
    public override bool CanRead => _reads;

    /// <inheritdoc/>
    public override bool CanWrite => !_reads;

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">This is the writing end.</exception>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        => _reads ? base.ReadAsync(buffer, cancellationToken) : throw new NotSupportedException("This is the writing end of the pipe.");

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">This is the reading end.</exception>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        => _reads ? throw new NotSupportedException("This is the reading end of the pipe.") : base.WriteAsync(buffer, cancellationToken);
}
