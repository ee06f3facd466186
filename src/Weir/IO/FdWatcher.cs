using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Weir;

/// <summary>Waits, on a loop, for any descriptor that can be polled: inotify, netlink, a device, a native library's socket.</summary>
/// <remarks>
/// <para>For the thread of the loop it was made on, except where a member says otherwise. Waits may return early: try the call, and wait again on EAGAIN.</para>
/// <para>An owned descriptor is watched edge-triggered: after EAGAIN say so with <see cref="Clear"/>, else the next wait returns at once.
/// HUP and ERR wake both directions.</para>
/// </remarks>
public sealed class FdWatcher : IDisposable
{
    private readonly EventLoop _loop;
    private readonly int _fd;
    private readonly SafeHandle? _handle;
    private readonly FdOwnership _ownership;
    private readonly ulong _ownedToken;
    private readonly EpollEvents _ownedInterest;
    private IoOperation? _reader;
    private IoOperation? _writer;
    private bool _isKnown;
    private bool _disposed;

    /// <summary>Watches a descriptor by number.</summary>
    /// <param name="fileDescriptor">An open descriptor.</param>
    /// <param name="ownership">Whether it is lent (the default) or handed over.</param>
    /// <param name="interest">For an owned descriptor, what to watch for; all of In, Out, Pri and RdHup by default.</param>
    /// <exception cref="KernelException">EPERM: regular files cannot be polled; EBADF: not open. Of a lent one this shows at the first wait.</exception>
    public FdWatcher(int fileDescriptor, FdOwnership ownership = FdOwnership.Borrowed, EpollEvents interest = AllInterest)
        : this(fileDescriptor, null, ownership, interest)
    {
    }

    private FdWatcher(int fileDescriptor, SafeHandle? handle, FdOwnership ownership, EpollEvents interest)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(fileDescriptor);
        _loop = EventLoop.Required;
        _fd = fileDescriptor;
        _handle = handle;
        _ownership = ownership;
        if (ownership == FdOwnership.Owned)
        {
            Check(interest);
            _ownedInterest = interest;
            int flags = KernelException.Check(_loop.Kernel.Fcntl(_fd, FcntlCommand.GetStatusFlags, 0), "fcntl(F_GETFL)", _fd);
            RequireReadiness();
            _loop.Kernel.Fcntl(_fd, FcntlCommand.SetStatusFlags, flags | (int)FileFlags.NonBlock);
            _ownedToken = _loop.Driver.Register(_fd, handle == null ? DescriptorKind.Watched : DescriptorKind.WatchedHandle, interest, EpollEvents.None);
        }
    }

    /// <summary>Watches the descriptor of a handle. A handle handed over is disposed with the watcher.</summary>
    public FdWatcher(SafeHandle handle, FdOwnership ownership = FdOwnership.Borrowed, EpollEvents interest = AllInterest)
        : this(NumberOf(handle), handle, ownership, interest)
    {
    }

    private const EpollEvents AllInterest = EpollEvents.In | EpollEvents.Out | EpollEvents.Pri | EpollEvents.RdHup;

    /// <summary>What is known to be ready. Always nothing for a lent descriptor.</summary>
    public EpollEvents Readiness => _ownership == FdOwnership.Owned ? _loop.Driver.Readiness(_ownedToken, EpollEvents.None) : EpollEvents.None;

    /// <summary>Waits until a read would not block: data, the end, or an error.</summary>
    /// <exception cref="BusyResourceException">Someone waits to read it already; that wait is untouched.</exception>
    /// <exception cref="KernelException">The descriptor cannot be watched: EBADF, EPERM.</exception>
    /// <exception cref="ObjectDisposedException">The owner said that it is closing it.</exception>
    public ValueTask WaitReadableAsync(CancellationToken cancellationToken = default)
        => WaitPlainAsync(EpollEvents.In | EpollEvents.RdHup, cancellationToken);

    /// <summary>Waits until a write would not block: room, or an error. Failures as those of <see cref="WaitReadableAsync"/>.</summary>
    public ValueTask WaitWritableAsync(CancellationToken cancellationToken = default) => WaitPlainAsync(EpollEvents.Out, cancellationToken);

    /// <summary>
    /// Waits until something of <paramref name="interest"/>, or HUP or ERR, is ready, and returns what is. Waits that contain Out take the
    /// writer's place, all others the reader's.
    /// </summary>
    public ValueTask<EpollEvents> WaitAsync(EpollEvents interest, CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<EpollEvents>(cancellationToken);
        IoOperation operation = Prepare(interest);
        if (!operation.Start())
            return Convert(operation.AsValueTask(cancellationToken));
        int result = operation.TakeResult();
        return result >= 0
            ? new ValueTask<EpollEvents>((EpollEvents)result)
            : ValueTask.FromException<EpollEvents>(IoOperation.ToException(operation.Kind, result, _fd, cancellationToken));
    }

    private ValueTask WaitPlainAsync(EpollEvents interest, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled(cancellationToken);
        IoOperation operation = Prepare(interest);
        if (!operation.Start())
            return operation.AsPlainValueTask(cancellationToken);
        int result = operation.TakeResult();
        return result >= 0
            ? default
            : ValueTask.FromException(IoOperation.ToException(operation.Kind, result, _fd, cancellationToken));
    }

    private IoOperation Prepare(EpollEvents interest)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        // The number may be another file's by now.
        ObjectDisposedException.ThrowIf(_handle is { IsClosed: true }, _handle!);
        Check(interest);
        RequireLoop();
        if (_ownership == FdOwnership.Owned && (interest & _ownedInterest) == 0)
            throw new ArgumentException($"fd {_fd} is watched for {_ownedInterest}, so {interest} would never come: name it when making the watcher.", nameof(interest));
        if (!_isKnown)
            RequireReadiness();
        bool writes = (interest & EpollEvents.Out) != 0;
        OperationKind kind = writes ? OperationKind.WaitToWrite : OperationKind.WaitToRead;
        ref IoOperation? place = ref writes ? ref _writer : ref _reader;
        IoOperation operation = place ??= new IoOperation(_loop.Queue);
        if (operation.Status != AwaitableStatus.Idle)
            throw IoOperation.Busy(kind, _fd);
        ulong token = _ownership == FdOwnership.Owned ? _ownedToken : _loop.Driver.Borrow(_fd);
        operation.Prepare(kind, token, default, interest);
        return operation;
    }

    private void RequireReadiness()
    {
        int error = _loop.Driver.CannotWaitFor(_fd);
        if (error < 0)
            throw new KernelException("poll", _fd, (Errno)(-error));
        _isKnown = true;
    }

    /// <summary>Forgets readiness of an owned descriptor that was used up: In after a read said EAGAIN, Out after a write did.</summary>
    public void Clear(EpollEvents readiness)
    {
        RequireLoop();
        if (_ownership == FdOwnership.Owned)
            _loop.Driver.Readiness(_ownedToken, readiness);
    }

    /// <summary>Waits until there is data and reads it: for eventfd, timerfd, inotify and whatever else is consumed by reading.</summary>
    /// <returns>The number of bytes; 0 at the end of a stream.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<int> WaitAndReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            await WaitReadableAsync(cancellationToken).ConfigureAwait(false);
            nint count = ReadNow(buffer.Span);
            if (count >= 0)
                return (int)count;
            Errno errno = (Errno)(-(int)count);
            if (errno == Errno.EAGAIN)
                Clear(EpollEvents.In);
            else if (errno != Errno.EINTR)
                throw new KernelException("read", _fd, errno);
        }
    }

    /// <summary>
    /// The owner is about to close the descriptor: everyone who waits on it, through this watcher or another, gets
    /// <see cref="ObjectDisposedException"/> and the registration is removed while that is still possible. An owned descriptor is the caller's again, to
    /// close it himself; a handle is still disposed with the watcher.
    /// </summary>
    public void NotifyClosing()
    {
        RequireLoop();
        if (_ownership == FdOwnership.Owned)
            _loop.Driver.Unregister(_ownedToken);
        else
            NotifyClosing(_fd);
    }

    /// <summary>As <see cref="NotifyClosing()"/>, for a descriptor lent to the current loop by number. Does nothing if nobody waits on it.</summary>
    public static void NotifyClosing(int fileDescriptor)
    {
        IoDriver driver = EventLoop.Required.Driver;
        if (driver.TryFindBorrowed(fileDescriptor, out ulong token))
            driver.Unregister(token);
    }

    /// <summary>
    /// Ends this watcher's waits; closes an owned descriptor, or disposes its handle. Any thread once the loop has stopped, which has done the rest.
    /// </summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        if (_loop.HasEnded())
        {
            _disposed = true;
            if (_ownership == FdOwnership.Owned)
                _handle?.Dispose();
            return;
        }

        RequireLoop();
        _disposed = true;
        if (_reader != null)
            _loop.Driver.Abandon(_reader, -(int)IoDriver.Closed);
        if (_writer != null)
            _loop.Driver.Abandon(_writer, -(int)IoDriver.Closed);
        if (_ownership == FdOwnership.Borrowed)
            return;
        bool inCare = _loop.Driver.DescriptorOf(_ownedToken) >= 0;
        _loop.Driver.Unregister(_ownedToken);
        if (_handle != null)
            _handle.Dispose();
        else if (inCare)
            _loop.Kernel.Close(_fd);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<EpollEvents> Convert(ValueTask<int> wait) => (EpollEvents)await wait.ConfigureAwait(false);

    private unsafe nint ReadNow(Span<byte> buffer)
    {
        fixed (byte* bytes = buffer)
            return _loop.Kernel.Read(_fd, bytes, (nuint)buffer.Length);
    }

    private static int NumberOf(SafeHandle handle)
    {
        ArgumentNullException.ThrowIfNull(handle);
        ObjectDisposedException.ThrowIf(handle.IsClosed || handle.IsInvalid, handle);
        return (int)handle.DangerousGetHandle();
    }

    private static void Check(EpollEvents interest)
    {
        if (interest == EpollEvents.None || (interest & ~AllInterest) != 0)
            throw new ArgumentOutOfRangeException(nameof(interest), interest, "Some of In, Out, Pri and RdHup; modes are the watcher's own affair.");
    }

    private void RequireLoop()
    {
        if (!_loop.IsCurrent)
            throw new InvalidOperationException("A watcher is used on the thread of its loop; post to the loop from elsewhere.");
    }
}
