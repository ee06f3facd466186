using System.Runtime.InteropServices;

namespace Weir;

public sealed unsafe partial class Poller
{
    private const EpollEvents ReadSide = EpollEvents.In | EpollEvents.Pri | EpollEvents.RdHup | EpollEvents.RdNorm | EpollEvents.RdBand | EpollEvents.Msg;
    private const EpollEvents WriteSide = EpollEvents.Out | EpollEvents.WrNorm | EpollEvents.WrBand;
    private const EpollEvents BothSides = EpollEvents.Err | EpollEvents.Hup;
    private const PollerMode AllModes = PollerMode.Edge | PollerMode.OneShot | PollerMode.Exclusive | PollerMode.SeparateDirections;

    /// <summary>
    /// Held over each change and its epoll_ctl(2), so that the table and the kernel agree. The kernel takes a lock of its own there, so
    /// nothing is lost by it. Waiters never take it.
    /// </summary>
    private readonly Lock _changes = new();

    private readonly RegistrationTable _table = new();

    /// <summary>
    /// Registers a descriptor. If it is ready, a wait reports it at once. Register an open file under one number once; a duplicate of
    /// the number counts as another. epoll_ctl(2), EPOLL_CTL_ADD.
    /// </summary>
    /// <param name="fileDescriptor">An open descriptor that can be polled (no regular file).</param>
    /// <param name="interest">Any of IN, OUT, PRI, RDHUP; ERR and HUP are always reported. Modes are not part of it.</param>
    /// <param name="key">What events of it will carry.</param>
    /// <param name="mode">How it is reported.</param>
    /// <exception cref="ArgumentException">A combination that the kernel does not have.</exception>
    /// <exception cref="KernelException">EEXIST: registered already. EPERM: cannot be polled. EBADF: not open. ENOSPC, ENOMEM.</exception>
    /// <exception cref="ObjectDisposedException">The poller is disposed.</exception>
    public void Add(int fileDescriptor, EpollEvents interest, nint key, PollerMode mode = PollerMode.Level)
        => Change(EpollOp.Add, fileDescriptor, interest, key, mode);

    /// <summary>
    /// Registers the descriptor of a handle. The handle is held for the duration of the call only: closing it later closes the
    /// descriptor, so remove it first.
    /// </summary>
    /// <inheritdoc cref="Add(int, EpollEvents, nint, PollerMode)"/>
    public void Add(SafeHandle handle, EpollEvents interest, nint key, PollerMode mode = PollerMode.Level)
    {
        using HandleLease lease = new(handle);
        Change(EpollOp.Add, lease.FileDescriptor, interest, key, mode);
    }

    /// <summary>
    /// Gives a registration another interest, key and mode, and re-arms it: if it is ready now, it is reported again, whatever was
    /// reported before. An event that another thread is taking at this moment is dropped, or returned with the old key. epoll_ctl(2),
    /// EPOLL_CTL_MOD.
    /// </summary>
    /// <exception cref="ArgumentException">A combination that the kernel does not have; <see cref="PollerMode.Exclusive"/> before or after.</exception>
    /// <exception cref="KernelException">ENOENT: not registered, or closed since. EBADF: not open.</exception>
    /// <exception cref="ObjectDisposedException">The poller is disposed.</exception>
    public void Modify(int fileDescriptor, EpollEvents interest, nint key, PollerMode mode = PollerMode.Level)
        => Change(EpollOp.Modify, fileDescriptor, interest, key, mode);

    /// <inheritdoc cref="Modify(int, EpollEvents, nint, PollerMode)"/>
    public void Modify(SafeHandle handle, EpollEvents interest, nint key, PollerMode mode = PollerMode.Level)
    {
        using HandleLease lease = new(handle);
        Change(EpollOp.Modify, lease.FileDescriptor, interest, key, mode);
    }

    /// <summary>
    /// Ends a registration. After it no wait begins to report it; one that is returning on another thread at this moment may still.
    /// epoll_ctl(2), EPOLL_CTL_DEL.
    /// </summary>
    /// <returns>False when the kernel had no such registration (any more): never added, or the descriptor was closed.</returns>
    /// <remarks>
    /// Remove before close. Closing the last descriptor of an open file removes its registrations too, but when a duplicate lives (dup(2), fork(2),
    /// a descriptor passed to another process) the registration lives on, and Linux has no call that removes it: DEL by
    /// the closed number fails with EBADF, DEL through the duplicate with ENOENT. The poller drops and counts such events
    /// (<see cref="PollerStatistics.StaleEvents"/>), also once the number is used again, but a level-triggered one makes waits spin until
    /// the file is no longer ready. Only duplicating back onto the old number (dup2(2)) makes it removable again.
    /// </remarks>
    /// <exception cref="ObjectDisposedException">The poller is disposed.</exception>
    public bool Remove(int fileDescriptor)
    {
        Enter();
        try
        {
            lock (_changes)
                return RemoveLocked(fileDescriptor) == Errno.None;
        }
        finally
        {
            Leave();
        }
    }

    /// <inheritdoc cref="Remove(int)"/>
    public bool Remove(SafeHandle handle)
    {
        using HandleLease lease = new(handle);
        return Remove(lease.FileDescriptor);
    }

    /// <summary>
    /// Makes several changes in one call, in order. All are tried; what became of each is in <paramref name="results"/>
    /// (<see cref="Errno.None"/> for success) and nothing is thrown for it: a combination that the kernel does not have is EINVAL, a closed
    /// handle EBADF, an unknown descriptor ENOENT.
    /// </summary>
    /// <remarks>
    /// No other thread's change comes in between, but events do. Linux has no call that takes several changes (kevent(2) does), so each
    /// still costs one epoll_ctl(2).
    /// </remarks>
    /// <returns>How many failed.</returns>
    /// <exception cref="ArgumentException">There is not a result for each change.</exception>
    /// <exception cref="ObjectDisposedException">The poller is disposed.</exception>
    public int Apply(ReadOnlySpan<PollerChange> changes, Span<Errno> results)
    {
        if (results.Length < changes.Length)
            throw new ArgumentException("Each change needs a result.", nameof(results));
        Enter();
        try
        {
            int failed = 0;
            lock (_changes)
            {
                for (int i = 0; i < changes.Length; i++)
                {
                    results[i] = ApplyLocked(changes[i]);
                    if (results[i] != Errno.None)
                        failed++;
                }
            }

            return failed;
        }
        finally
        {
            Leave();
        }
    }

    private Errno ApplyLocked(in PollerChange change)
    {
        if (change.Handle is not { } handle)
            return ChangeLocked(change.Op, change.FileDescriptor, change.Interest, change.Key, change.Mode);
        if (handle.IsInvalid)
            return Errno.EBADF;
        try
        {
            using HandleLease lease = new(handle);
            return ChangeLocked(change.Op, lease.FileDescriptor, change.Interest, change.Key, change.Mode);
        }
        catch (ObjectDisposedException)
        {
            return Errno.EBADF;
        }
    }

    private void Change(EpollOp op, int fd, EpollEvents interest, nint key, PollerMode mode)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(fd, "fileDescriptor");
        if (Impossible(op, interest, mode) is { } reason)
            throw new ArgumentException(reason, nameof(mode));
        Enter();
        try
        {
            Errno error;
            lock (_changes)
            {
                if (op == EpollOp.Modify && _table.Find(fd) is { } slot && (slot.Mode & PollerMode.Exclusive) != 0)
                    throw new ArgumentException("The descriptor is registered as exclusive, which cannot be modified: remove it and add it again.", "fileDescriptor");
                error = ChangeLocked(op, fd, interest, key, mode);
            }

            if (error != Errno.None)
                throw new KernelException(op == EpollOp.Add ? "epoll_ctl(ADD)" : "epoll_ctl(MOD)", fd, error);
        }
        finally
        {
            Leave();
        }
    }

    private Errno ChangeLocked(EpollOp op, int fd, EpollEvents interest, nint key, PollerMode mode)
    {
        if (Impossible(op, interest, mode) is not null)
            return Errno.EINVAL;
        return op switch
        {
            EpollOp.Add => AddLocked(fd, interest, key, mode),
            EpollOp.Modify => ModifyLocked(fd, interest, key, mode),
            _ => RemoveLocked(fd),
        };
    }

    private Errno AddLocked(int fd, EpollEvents interest, nint key, PollerMode mode)
    {
        // In force before the kernel knows of it: another thread may be handed its first event before epoll_ctl returns here.
        Registration slot = _table.Take(fd);
        ulong token = slot.Publish(key, interest, mode);
        int result = _set.Control(EpollOp.Add, fd, Mask(interest, mode), token);
        if (result < 0)
        {
            _table.Free(slot);
            return (Errno)(-result);
        }

        _table.Keep(slot);
        return Errno.None;
    }

    private Errno ModifyLocked(int fd, EpollEvents interest, nint key, PollerMode mode)
    {
        if (_table.Find(fd) is not { } slot)
            return Errno.ENOENT;
        if ((slot.Mode & PollerMode.Exclusive) != 0)
            return Errno.EINVAL;
        (ulong token, nint oldKey, EpollEvents oldInterest, PollerMode oldMode) = (slot.Token, slot.Key, slot.Interest, slot.Mode);

        // The new token is in force first. An event that still carries the old one is dropped, and nothing is lost by that: MOD looks at
        // the file again and queues what is ready. Were MOD first, an event with the new token could find nobody, and that one is lost.
        // When MOD fails, the file under this number is not the one registered, so there is no event to lose either.
        ulong next = slot.Publish(key, interest, mode);
        int result = _set.Control(EpollOp.Modify, fd, Mask(interest, mode), next);
        if (result >= 0)
            return Errno.None;
        slot.Restore(token, oldKey, oldInterest, oldMode);
        return (Errno)(-result);
    }

    private Errno RemoveLocked(int fd)
    {
        // Forgotten whatever the kernel says: if it cannot remove the registration, it is a ghost, and its events must find nobody.
        if (_table.Find(fd) is not { } slot)
            return Errno.ENOENT;
        _table.Drop(slot);
        int result = _set.Control(EpollOp.Delete, fd, 0, 0);
        return result < 0 ? (Errno)(-result) : Errno.None;
    }

    private static EpollEvents Mask(EpollEvents interest, PollerMode mode)
        => interest
            | ((mode & PollerMode.Edge) != 0 ? EpollEvents.EdgeTriggered : 0)
            | ((mode & PollerMode.OneShot) != 0 ? EpollEvents.OneShot : 0)
            | ((mode & PollerMode.Exclusive) != 0 ? EpollEvents.Exclusive : 0);

    // What epoll_ctl(2) refuses (or, worse, ignores: unknown bits), said before it is asked. Null when there is nothing to say.
    private static string? Impossible(EpollOp op, EpollEvents interest, PollerMode mode)
    {
        if ((interest & ~(ReadSide | WriteSide | BothSides)) != 0)
            return "The interest has bits that are no readiness; modes are a parameter of their own.";
        if ((mode & ~AllModes) != 0)
            return "The mode has unknown bits.";
        if ((mode & PollerMode.Exclusive) == 0)
            return null;
        if (op == EpollOp.Modify)
            return "An exclusive registration cannot be modified, nor an ordinary one made exclusive: remove it and add it again.";
        if ((mode & PollerMode.OneShot) != 0)
            return "Exclusive and one-shot do not combine.";
        return (interest & ~(EpollEvents.In | EpollEvents.Out | BothSides)) != 0 ? "Exclusive allows the interest IN and OUT only." : null;
    }
}
