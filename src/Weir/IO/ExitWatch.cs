namespace Weir;

/// <summary>
/// Watches a pidfd on a loop until the process has ended, and takes note of that once. Belongs to the loop and not to whoever asked: a
/// child whose <see cref="ChildProcess"/> was disposed is still reaped.
/// </summary>
internal sealed class ExitWatch : IDisposable
{
    private readonly EventLoop _loop;
    private readonly FdWatcher _watcher;
    private readonly bool _reaps;
    private readonly ExitPromise _promise;
    private int _fd;
    private bool _hasEnded;
    private bool _isAbandoned;

    /// <summary>Takes over the pidfd; if the loop cannot take it, it is the caller's still.</summary>
    internal ExitWatch(EventLoop loop, int pidFd, bool reaps, ExitPromise promise)
    {
        _loop = loop;
        _reaps = reaps;
        _promise = promise;
        _fd = pidFd;
        _watcher = new FdWatcher(pidFd, FdOwnership.Owned, EpollEvents.In);
        loop.DisposeAtEnd(this);
        _ = WatchAsync();
    }

    /// <summary>The pidfd; -1 once it was given away or closed.</summary>
    internal int FileDescriptor => _fd;

    private async Task WatchAsync()
    {
        try
        {
            do
                await _watcher.WaitReadableAsync().ConfigureAwait(false);
            while (!TryNote());
        }
        catch (ObjectDisposedException)
        {
            return; // given away, or the loop ends: who did that does the rest
        }
        catch (Exception exception)
        {
            _promise.Fail(exception);
        }

        if (_isAbandoned)
            Close();
    }

    /// <summary>Whether the process has ended; then everyone who waits is told.</summary>
    /// <exception cref="KernelException">waitid(2) refused for a reason of its own.</exception>
    private bool TryNote()
    {
        if (_hasEnded)
            return true;
        if (!HasEnded(_loop.Kernel, _fd, _reaps, out int result, out ChildStatus status))
        {
            _watcher.Clear(EpollEvents.In);
            return false;
        }

        // ECHILD: no child of ours, or no longer. Before the end too, so it says something only once the pidfd is readable.
        _hasEnded = true;
        if (result < 0 && result != -(int)Errno.ECHILD)
            throw new KernelException("waitid(P_PIDFD)", _fd, (Errno)(-result));
        _promise.Complete(result < 0 ? ExitStatus.Unknown : ExitStatus.From(status));
        return true;
    }

    /// <summary>Asks, without waiting, whether a process has ended (waitid(2)); also true if it cannot be asked, which the result says.</summary>
    internal static bool HasEnded(Kernel kernel, int pidFd, bool reap, out int result, out ChildStatus status)
    {
        do
            result = kernel.WaitId(pidFd, WaitFlags.Exited | WaitFlags.NoHang | (reap ? 0 : WaitFlags.NoReap), out status);
        while (result == -(int)Errno.EINTR);
        return result != 0 || status.ProcessId != 0;
    }

    /// <summary>Ends the watch and gives the pidfd away.</summary>
    internal int Release()
    {
        int fd = _fd;
        _fd = -1;
        _loop.ForgetAtEnd(this);
        _promise.Fail(new ObjectDisposedException(nameof(ChildProcess), "The process was disposed or its descriptor taken back, or the loop has stopped."));
        _watcher.NotifyClosing();
        _watcher.Dispose();
        return fd;
    }

    private void Close()
    {
        if (_fd >= 0)
            _loop.Kernel.Close(Release());
    }

    /// <summary>Nobody asks any more: a child goes on being watched until it has ended and was reaped, all else is let go of.</summary>
    internal void Abandon()
    {
        _isAbandoned = true;
        if (!_reaps || _hasEnded)
            Close();
        else
            _promise.Fail(new ObjectDisposedException(nameof(ChildProcess)));
    }

    /// <summary>The end of the loop: a last look, and what still runs is left to whoever starts the next child.</summary>
    void IDisposable.Dispose()
    {
        if (_fd < 0)
            return;
        if (!_reaps || _hasEnded)
            Close();
        else
            LeftChildren.AddUnlessEnded(_loop.Kernel, Release());
    }
}
