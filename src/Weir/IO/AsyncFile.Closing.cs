namespace Weir;

public sealed partial class AsyncFile
{
    /// <summary>
    /// Closes the file when the operations in flight have completed, and completes then; those started after it are refused. Again: the same
    /// close is waited for. close(2).
    /// </summary>
    /// <exception cref="KernelException">EIO, ENOSPC, EDQUOT: something written earlier is lost. It is closed all the same.</exception>
    public ValueTask CloseAsync()
    {
        lock (_closeGate)
            return new ValueTask(_closing ??= StartClose());
    }

    private Task StartClose()
    {
        var operation = new FileOperation(_loop, this);
        operation.Prepare(IoUringOp.Close);
        // A loop that has stopped has closed it.
        return operation.Start() ? operation.AsPlainValueTask(default).AsTask() : Task.CompletedTask;
    }

    /// <summary>As <see cref="CloseAsync"/>.</summary>
    public ValueTask DisposeAsync() => CloseAsync();

    /// <summary>Begins to close it, as <see cref="CloseAsync"/>, and does not wait; how it ends is not told. Any thread.</summary>
    public void Dispose()
    {
        Task closing = CloseAsync().AsTask();
        if (!closing.IsCompleted)
            closing.ContinueWith(static task => task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    /// <summary>An operation starts. A negated errno, or 0 and the descriptor. The loop's thread only, as all that follows.</summary>
    internal int Enter(out int fd)
    {
        fd = _fd;
        if (fd < 0 || _isClosing)
            return -(int)IoDriver.Closed;
        _inFlight++;
        return 0;
    }

    /// <summary>An operation has ended.</summary>
    internal void Leave()
    {
        if (--_inFlight > 0 || _close is not { } close)
            return;
        _close = null;
        close.Submit();
    }

    /// <summary>A close starts: 0: at once; 1: it will, when the others have ended, or it has.</summary>
    internal int BeginClose(FileOperation close)
    {
        _isClosing = true;
        close.Entry.Descriptor = _fd;
        if (_fd < 0)
        {
            close.End(0); // by the loop's end
            return 1;
        }

        if (_inFlight == 0)
            return 0;
        _close = close;
        return 1;
    }

    /// <summary>The kernel has closed it, whatever it said.</summary>
    internal int Closed(int result)
    {
        _fd = -1;
        _loop.ForgetAtEnd(_loopEnd);
        return result;
    }

    /// <summary>Closes it here and now.</summary>
    internal int CloseNow()
    {
        int fd = _fd;
        if (fd < 0)
            return 0;
        GiveUpPlace();
        return Closed(_loop.Kernel.Close(fd));
    }

    /// <summary>The loop ends, and nothing is in flight any more.</summary>
    private void EndWithLoop()
    {
        int result = CloseNow();
        FileOperation? close = _close;
        _close = null;
        close?.End(result);
    }

    private sealed class LoopEnd(AsyncFile file) : IDisposable
    {
        public void Dispose() => file.EndWithLoop();
    }
}
