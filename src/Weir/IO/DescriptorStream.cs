using System.Runtime.InteropServices;

namespace Weir;

/// <summary>
/// A stream over a descriptor that a loop owns: a socket connection or one end of a pipe. Reads and writes complete on the loop; nothing is
/// allocated for one.
/// </summary>
/// <remarks>
/// <para>One reader and one writer at a time. Asynchronous members and Dispose may be called from any thread: from outside the loop they
/// are carried over and start in call order, and the caller resumes in its own context. Synchronous reads and writes block the caller,
/// which must therefore not be the loop. Members that say so are for the loop's thread only.</para>
/// <para>The descriptor is closed by Dispose, at the latest when the loop stops.</para>
/// </remarks>
public abstract partial class DescriptorStream : Stream
{
    private protected const EpollEvents ReadInterest = EpollEvents.In | EpollEvents.RdHup;

    private readonly EventLoop _loop;
    private readonly ulong _token;
    private IoOperation? _reader;
    private IoOperation? _writer;

    /// <summary>Takes over <paramref name="fd"/>; if the loop cannot take it, it is closed, unless it is to stay the caller's then.</summary>
    private protected DescriptorStream(EventLoop loop, int fd, DescriptorKind kind, EpollEvents mask, EpollEvents assumedReady, bool closeIfRefused = true)
    {
        _loop = loop;
        try
        {
            _token = loop.Driver.Register(fd, kind, mask, assumedReady);
        }
        catch
        {
            if (closeIfRefused)
                loop.Kernel.Close(fd);
            throw;
        }
    }

    /// <summary>The loop it lives on. Any thread.</summary>
    public EventLoop Loop => _loop;

    /// <summary>The descriptor, for calls this type has no member for; -1 once closed. It stays this stream's own: do not close it.</summary>
    public int FileDescriptor => _loop.Driver.DescriptorOf(_token);

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <summary>Not supported.</summary>
    public override long Length => throw new NotSupportedException("A connection has no length.");

    /// <summary>Not supported.</summary>
    public override long Position
    {
        get => throw new NotSupportedException("A connection has no position.");
        set => throw new NotSupportedException("A connection has no position.");
    }

    private protected ulong Token => _token;

    /// <summary>Whether it is read and written by the calls of sockets.</summary>
    private protected virtual bool IsSocket => false;

    private protected Kernel Kernel => _loop.Kernel;

    /// <summary>
    /// Reads what is there, at least one byte; 0 is the end. An empty buffer waits until there is something to read, as
    /// <see cref="WaitForDataAsync"/>.
    /// </summary>
    /// <exception cref="KernelException">The read failed: ECONNRESET and the like.</exception>
    /// <exception cref="BusyResourceException">Someone else is reading.</exception>
    /// <exception cref="ObjectDisposedException">It was closed, before or meanwhile.</exception>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<int>(cancellationToken);
        if (buffer.IsEmpty)
            return ZeroByteRead(cancellationToken);
        IoOperation operation = Reader();
        operation.Prepare(OperationKind.Read, _token, buffer, ReadInterest);
        return Started(operation, cancellationToken);
    }

    /// <summary>Writes the whole buffer. Small writes complete at once; when the kernel has no room left, the rest follows as it drains.</summary>
    /// <exception cref="KernelException">The write failed: EPIPE when the reader is gone, and the like.</exception>
    /// <exception cref="BusyResourceException">Someone else is writing.</exception>
    /// <exception cref="ObjectDisposedException">It was closed, before or meanwhile.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; a part may have been written.</exception>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled(cancellationToken);
        if (buffer.IsEmpty)
            return default;
        // Nearly always there is room, and no operation is needed: a connection that never finds the kernel full never makes one.
        int done = 0;
        if (_loop.IsCurrent && _writer is null or { Status: AwaitableStatus.Idle } && _loop.Queue.HasBudget && buffer.Length <= _loop.Driver.MostWrittenNow)
        {
            nint count = _loop.Driver.WriteNow(_token, buffer.Span);
            if (count == buffer.Length)
            {
                _loop.Queue.Spend(buffer.Length);
                return default;
            }

            // Told now: the kernel says why a connection died to the first who asks, and only EPIPE after that.
            if (count < 0 && count is not (-(int)Errno.EAGAIN or -(int)Errno.EINTR))
                return ValueTask.FromException(Failure(OperationKind.Write, (int)count));
            done = (int)Math.Max(count, 0);
        }

        IoOperation operation = Writer();
        // The kernel only reads from it.
        operation.Prepare(OperationKind.Write, _token, MemoryMarshal.AsMemory(buffer), EpollEvents.Out);
        operation.Done = done;
        return StartedPlain(operation, cancellationToken);
    }

    /// <summary>
    /// Waits until there is something to read, or the end, without holding a buffer meanwhile. May return early: read with
    /// <see cref="TryRead"/> and wait again if it finds nothing. Any thread.
    /// </summary>
    /// <exception cref="BusyResourceException">Someone else is reading.</exception>
    /// <exception cref="ObjectDisposedException">It was closed, before or meanwhile.</exception>
    public ValueTask WaitForDataAsync(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled(cancellationToken);
        IoOperation operation = Reader();
        operation.Prepare(OperationKind.WaitToRead, _token, default, ReadInterest);
        return StartedPlain(operation, cancellationToken);
    }

    /// <summary>Waits until there is room to write, or the other side is gone. Any thread.</summary>
    /// <exception cref="KernelException">What would say that there is room cannot be watched for: ENOMEM and the like.</exception>
    /// <exception cref="BusyResourceException">Someone else is writing.</exception>
    /// <exception cref="ObjectDisposedException">It was closed, before or meanwhile.</exception>
    public ValueTask WaitWritableAsync(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled(cancellationToken);
        IoOperation operation = Writer();
        operation.Prepare(OperationKind.WaitToWrite, _token, default, EpollEvents.Out);
        return StartedPlain(operation, cancellationToken);
    }

    /// <summary>Reads what is there now, into a buffer that is not empty. False: nothing is. True with 0 bytes: the end. The loop's thread only.</summary>
    /// <exception cref="KernelException">The read failed.</exception>
    /// <exception cref="BusyResourceException">Someone else is reading.</exception>
    /// <exception cref="ObjectDisposedException">It was closed.</exception>
    /// <exception cref="InvalidOperationException">The caller is not on the loop's thread.</exception>
    public bool TryRead(Span<byte> buffer, out int bytesRead)
    {
        RequireLoop();
        if (buffer.IsEmpty)
            throw new ArgumentException("An empty buffer cannot tell data from the end: use WaitForDataAsync to wait.", nameof(buffer));
        nint count = _loop.Driver.ReadNow(_token, buffer);
        bytesRead = (int)Math.Max(count, 0);
        if (count >= 0)
        {
            _loop.Queue.Spend(bytesRead);
            return true;
        }

        return count == -(int)Errno.EAGAIN || count == -(int)Errno.EINTR ? false : throw Failure(OperationKind.Read, (int)count);
    }

    /// <summary>Writes as much as there is room for now, and says how much that was. The loop's thread only.</summary>
    /// <exception cref="KernelException">The write failed.</exception>
    /// <exception cref="BusyResourceException">Someone else is writing.</exception>
    /// <exception cref="ObjectDisposedException">It was closed.</exception>
    /// <exception cref="InvalidOperationException">The caller is not on the loop's thread.</exception>
    public int TryWrite(ReadOnlySpan<byte> buffer)
    {
        RequireLoop();
        if (buffer.IsEmpty)
            return 0;
        nint count = _loop.Driver.WriteNow(_token, buffer);
        if (count >= 0)
        {
            _loop.Queue.Spend((int)count);
            return (int)count;
        }

        return count == -(int)Errno.EAGAIN || count == -(int)Errno.EINTR ? 0 : throw Failure(OperationKind.Write, (int)count);
    }

    /// <summary>Nothing is buffered here, so there is nothing to flush.</summary>
    public override void Flush()
    {
    }

    /// <summary>Nothing is buffered here, so there is nothing to flush.</summary>
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Not supported.</summary>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("A connection cannot seek.");

    /// <summary>Not supported.</summary>
    public override void SetLength(long value) => throw new NotSupportedException("A connection has no length.");

    /// <summary>Closes the descriptor. Operations in progress end with <see cref="ObjectDisposedException"/>.</summary>
    protected override void Dispose(bool disposing)
    {
        if (_loop.IsCurrent)
            CloseOnLoop();
        else
            _loop.Queue.Post(new RunEntry(static stream => ((DescriptorStream)stream!).CloseOnLoop(), this));
        base.Dispose(disposing);
    }

    private protected virtual void CloseOnLoop()
    {
        _loop.Driver.Close(_token);
    }

    private protected IoOperation Reader()
    {
        if (!_loop.IsCurrent)
            return new IoOperation(_loop.Queue) { OnSocket = IsSocket };
        IoOperation reader = _reader ??= new IoOperation(_loop.Queue) { Owner = this, OnSocket = IsSocket };
        return reader.Status == AwaitableStatus.Idle ? reader : throw IoOperation.Busy(OperationKind.Read, FileDescriptor);
    }

    private protected IoOperation Writer()
    {
        if (!_loop.IsCurrent)
            return new IoOperation(_loop.Queue) { OnSocket = IsSocket };
        IoOperation writer = _writer ??= new IoOperation(_loop.Queue) { Owner = this, OnSocket = IsSocket };
        return writer.Status == AwaitableStatus.Idle ? writer : throw IoOperation.Busy(OperationKind.Write, FileDescriptor);
    }

    private ValueTask<int> Started(IoOperation operation, CancellationToken cancellationToken)
    {
        if (!operation.Start())
            return operation.AsValueTask(cancellationToken);
        int result = operation.TakeResult();
        return result >= 0 ? new ValueTask<int>(result) : ValueTask.FromException<int>(Failure(operation.Kind, result));
    }

    private ValueTask StartedPlain(IoOperation operation, CancellationToken cancellationToken)
    {
        if (!operation.Start())
            return operation.AsPlainValueTask(cancellationToken);
        int result = operation.TakeResult();
        return result >= 0 ? default : ValueTask.FromException(Failure(operation.Kind, result));
    }

    private async ValueTask<int> ZeroByteRead(CancellationToken cancellationToken)
    {
        await WaitForDataAsync(cancellationToken).ConfigureAwait(false);
        return 0;
    }

    /// <summary>The exception for a negative result of <paramref name="call"/>, or if that is null of the call that such an operation makes.</summary>
    private protected Exception Failure(OperationKind kind, int result, string? call = null)
        => result == -(int)IoDriver.Closed
            ? new ObjectDisposedException(GetType().FullName)
            : IoOperation.ToException(kind, result, FileDescriptor, default, call ?? IoOperation.CallName(kind, IsSocket));

    private protected void RequireLoop()
    {
        if (!_loop.IsCurrent)
            throw new InvalidOperationException("This member is for the loop's own thread: use an asynchronous one from elsewhere, or bring the call there with the loop's InvokeAsync.");
    }
}
