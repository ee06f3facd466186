namespace Weir;

/// <summary>
/// A process, watched on a loop by its pidfd (pidfd_open(2)): a program started here, or any process that is there already. Its end is never
/// missed, and taken note of once, however many wait for it.
/// </summary>
/// <remarks>
/// <para>For its loop's thread; <see cref="WaitForExitAsync"/> for any.</para>
/// <para>No thread, no signal handler and no list of all children is involved, so it lives beside System.Diagnostics.Process. A pidfd means one
/// process, and never another that has got its number.</para>
/// <para>A child started here is reaped when it ends, whether or not somebody waits. Dispose neither kills it nor waits for it, and the loop goes
/// on watching until the child has ended; if the loop ends first, the child is reaped when the next one is started (or by init, after this process).</para>
/// </remarks>
public sealed partial class ChildProcess : IDisposable
{
    private readonly EventLoop _loop;
    private readonly ExitPromise _exit = new();
    private readonly ExitWatch? _watch; // null: it had ended before it could be watched
    private bool _disposed;

    /// <summary>Takes over the pidfd; if the loop cannot take it, it is the caller's still. -1: the process is gone.</summary>
    private ChildProcess(EventLoop loop, int processId, int pidFd, bool reaps)
    {
        _loop = loop;
        ProcessId = processId;
        if (pidFd >= 0)
            _watch = new ExitWatch(loop, pidFd, reaps, _exit);
        else
            _exit.Complete(Weir.ExitStatus.Unknown);
    }

    /// <summary>Its number; -1 if it was taken over by its descriptor. May be another process's once this one has ended.</summary>
    public int ProcessId { get; }

    /// <summary>The pidfd, readable when the process has ended; -1 once disposed. It stays this object's own: do not close it.</summary>
    public int FileDescriptor => _watch is { } watch && !_disposed ? watch.FileDescriptor : -1;

    /// <summary>How it ended; null as long as the loop has not seen it end. Any thread.</summary>
    public ExitStatus? ExitStatus => _exit.Status;

    /// <summary>
    /// Watches a process that is there already. It is not reaped: whoever is its parent may still wait for it. How it ended is told if it is a
    /// child of this process (and not reaped before the loop has looked), else <see cref="ExitStatus.Unknown"/>.
    /// </summary>
    /// <exception cref="KernelException">ESRCH: there is no such process; EINVAL: the number is that of a thread.</exception>
    public static ChildProcess FromProcessId(int processId)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(processId);
        EventLoop loop = EventLoop.Required;
        int fd = KernelException.Check(loop.Kernel.PidFdOpen(processId), $"pidfd_open({processId})");
        try
        {
            return new ChildProcess(loop, processId, fd, reaps: false);
        }
        catch
        {
            loop.Kernel.Close(fd);
            throw;
        }
    }

    /// <summary>
    /// Takes over a pidfd, and with it the duty to reap, if the process is a child of this one: the way back from <see cref="ReleaseDescriptor"/>.
    /// </summary>
    /// <exception cref="KernelException">EBADF, EPERM: no pidfd. It is then still the caller's.</exception>
    public static ChildProcess FromDescriptor(int pidFd)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(pidFd);
        EventLoop loop = EventLoop.Required;
        // Only of a pidfd has waitid something to say other than EBADF.
        int result = loop.Kernel.WaitId(pidFd, WaitFlags.Exited | WaitFlags.NoHang | WaitFlags.NoReap, out _);
        if (result < 0 && result != -(int)Errno.ECHILD)
            throw new KernelException("waitid(P_PIDFD)", pidFd, (Errno)(-result));
        return new ChildProcess(loop, -1, pidFd, reaps: true);
    }

    /// <summary>
    /// Waits for its end and says how it ended; at once, and the same, however often one asks after that. Any number may wait, on any thread.
    /// </summary>
    /// <exception cref="OperationCanceledException">The wait was cancelled; the process is untouched.</exception>
    /// <exception cref="ObjectDisposedException">Disposed, or its descriptor taken back, or the loop has stopped, before it ended.</exception>
    public ValueTask<ExitStatus> WaitForExitAsync(CancellationToken cancellationToken = default)
        => _exit.Status is { } status
            ? new ValueTask<ExitStatus>(status)
            : new ValueTask<ExitStatus>(_exit.Task(_loop.IsCurrent).WaitAsync(cancellationToken));

    /// <summary>
    /// Sends it a signal. Nothing happens if it has ended. pidfd_send_signal(2): it cannot reach another process that has its number by now.
    /// </summary>
    /// <param name="signal">A number of signal(7): 9, SIGKILL, which cannot be refused (the default); 15, SIGTERM, which asks it to end.</param>
    /// <exception cref="KernelException">EPERM: it runs as another user; EINVAL: there is no such signal.</exception>
    public void Kill(int signal = 9)
    {
        RequireLoop();
        ObjectDisposedException.ThrowIf(_disposed, this);
        int fd = FileDescriptor;
        if (fd < 0 || ExitStatus != null)
            return;
        int result = _loop.Kernel.PidFdSendSignal(fd, signal);
        if (result < 0 && result != -(int)Errno.ESRCH)
            throw new KernelException($"pidfd_send_signal({signal})", fd, (Errno)(-result));
    }

    /// <summary>
    /// Gives the pidfd to the caller, who owns it from here on, and with it the duty to reap a child. Waits in progress end as if it were disposed.
    /// </summary>
    /// <exception cref="ObjectDisposedException">Disposed, or given away before.</exception>
    public int ReleaseDescriptor()
    {
        RequireLoop();
        ObjectDisposedException.ThrowIf(FileDescriptor < 0, this);
        return _watch!.Release();
    }

    /// <summary>
    /// Closes its pipes and ends all waits. The process goes on; a child started here is still reaped when it ends. Any thread once the loop has
    /// stopped, which has done all that.
    /// </summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        if (_loop.HasEnded())
        {
            _disposed = true;
            return;
        }

        RequireLoop();
        _disposed = true;
        _input?.Dispose();
        _output?.Dispose();
        _error?.Dispose();
        _watch?.Abandon();
    }

    private void RequireLoop()
    {
        if (!_loop.IsCurrent)
            throw new InvalidOperationException("A process is handled on the thread of its loop; post to the loop from elsewhere.");
    }
}
