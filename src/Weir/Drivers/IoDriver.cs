namespace Weir;

/// <summary>What a descriptor is, as far as it decides how readiness is watched and when it may be taken to have ended.</summary>
internal enum DescriptorKind : byte
{
    /// <summary>Anything: readiness ends with EAGAIN only, writability is watched only while someone waits for it.</summary>
    Other,

    /// <summary>As <see cref="Other"/>, and a connected unix stream socket: read and written by recv and send.</summary>
    Socket,

    /// <summary>
    /// A TCP connection: watched in both directions from the start (its sends raise no events), and a read that comes back short has
    /// emptied it, unless urgent data or the end was announced.
    /// </summary>
    Tcp,

    /// <summary>As <see cref="Other"/>, and a socket that connections are accepted from.</summary>
    Listener,

    /// <summary>Lent to the loop: registered one-shot for each wait, never remembered as ready.</summary>
    Borrowed,

    /// <summary>Handed to the loop for good, with a mask of the owner's choice and readiness that the owner clears.</summary>
    Watched,

    /// <summary>As <see cref="Watched"/>, but closed by the handle it came in.</summary>
    WatchedHandle,
}

/// <summary>
/// The seam between operations and the kernel's way of waiting. A driver is given operations, not callbacks: it starts them, finishes
/// them when the kernel says so, cancels them. All but <see cref="Wake"/> belongs to the loop's thread.
/// </summary>
internal abstract class IoDriver : IDisposable
{
    /// <summary>Stands for "the descriptor was closed under the operation" among the results; no errno of Linux.</summary>
    internal const Errno Closed = (Errno)4096;

    /// <summary>The driver's name for statistics: "epoll".</summary>
    internal abstract string Name { get; }

    /// <summary>Takes a descriptor into care; returns the token that operations name it by.</summary>
    /// <exception cref="KernelException">The kernel refused, for instance because it cannot be polled.</exception>
    /// <exception cref="InvalidOperationException">The caller is not on the loop's thread.</exception>
    internal abstract ulong Register(int fd, DescriptorKind kind, EpollEvents mask, EpollEvents assumedReady);

    /// <summary>Gives a descriptor back: waiting operations end with <see cref="Closed"/>. Must come before the close.</summary>
    internal abstract void Unregister(ulong token);

    /// <summary>
    /// Gives a descriptor back and closes it. What was written reaches the kernel all the same, in time; unless <see cref="Discard"/> came first.
    /// </summary>
    internal abstract void Close(ulong token);

    /// <summary>
    /// The close that follows resets the connection (SO_LINGER with no time, socket(7)), and what was written and has not reached the kernel yet
    /// never will.
    /// </summary>
    internal abstract void Discard(ulong token);

    /// <summary>
    /// From here on what a descriptor has to read stays in the kernel until a call takes it, so that calls beside the driver find it. Returns
    /// how many bytes the driver holds already, which <see cref="ReadNow"/> gives first.
    /// </summary>
    internal virtual int LeaveInKernel(ulong token) => 0;

    /// <summary>Whether something that was written has not reached the kernel yet.</summary>
    internal virtual bool HasUnsent(ulong token) => false;

    /// <summary>
    /// Why nothing is to be written past the driver now: -EAGAIN, since something goes first that was written before, or why that has failed. 0: nothing
    /// is in the way.
    /// </summary>
    internal virtual int ObstacleToWriting(ulong token) => 0;

    /// <summary>Ends one or both directions of a socket, after what was written before. shutdown(2).</summary>
    internal abstract int Shutdown(ulong token, ShutdownHow how);

    /// <summary>Ends every operation in progress with <see cref="Closed"/>.</summary>
    internal abstract void EndAll();

    /// <summary>
    /// Why a descriptor cannot be waited for, where waiting for it would not say so: a negated errno, EPERM for regular files and directories, which
    /// have no readiness. 0: it can, or the wait will say.
    /// </summary>
    internal virtual int CannotWaitFor(int fd) => 0;

    /// <summary>The token of a descriptor lent to the loop, which lasts as long as somebody waits on it.</summary>
    internal abstract ulong Borrow(int fd);

    /// <summary>The token under which somebody waits on a lent descriptor. False: nobody does.</summary>
    internal abstract bool TryFindBorrowed(int fd, out ulong token);

    /// <summary>The descriptor number behind a token; -1 if it was given back.</summary>
    internal abstract int DescriptorOf(ulong token);

    /// <summary>
    /// Starts a prepared operation. True: it has its result already. False: it completes later, through the work queue.
    /// </summary>
    /// <exception cref="BusyResourceException">The direction has an operation in progress.</exception>
    internal abstract bool Start(IoOperation operation);

    /// <summary>Tries a queued operation. False: the kernel is not ready after all; the driver keeps the operation.</summary>
    internal abstract bool Perform(IoOperation operation);

    /// <summary>One read without an operation; -EAGAIN: nothing is there.</summary>
    internal abstract nint ReadNow(ulong token, Span<byte> buffer);

    /// <summary>As <see cref="ReadNow"/>, but leaves it there to be read again.</summary>
    internal abstract nint PeekNow(ulong token, Span<byte> buffer);

    /// <summary>
    /// As <see cref="ReadNow"/>, into memory of the driver, which is lent until it goes to <see cref="SendNow"/> or <see cref="Return"/>. Nothing is lent
    /// at the end (0) or on failure.
    /// </summary>
    internal abstract nint ReceiveNow(ulong token, int most, out Lease lease);

    /// <summary>
    /// As <see cref="WriteNow(ulong, ReadOnlySpan{byte})"/>, of what was lent. What was taken of it is gone from the lease; once it is empty there is nothing
    /// to give back.
    /// </summary>
    internal abstract nint SendNow(ulong token, ref Lease lease);

    /// <summary>What was lent.</summary>
    internal abstract ReadOnlySpan<byte> BytesOf(Lease lease);

    /// <summary>Takes back what was lent; it is empty then.</summary>
    internal abstract void Return(ref Lease lease);

    /// <summary>
    /// Moves what is there to read into a pipe, without copying it where it can be avoided. -EAGAIN: nothing is there, or the pipe has no room:
    /// one that is not empty may have no page left. So the readiness is left as it is. 0: the end, or urgent data.
    /// </summary>
    internal abstract nint SpliceNow(ulong token, int pipe, nuint length);

    /// <summary>Moves what is in a pipe to a descriptor. -EAGAIN: no room.</summary>
    internal abstract nint SpliceFromNow(ulong token, int pipe, nuint length);

    /// <summary>
    /// Above so many bytes a write is better left to an operation, which need not copy them, than tried at once with <see cref="WriteNow(ulong, ReadOnlySpan{byte})"/>.
    /// </summary>
    internal virtual int MostWrittenNow => int.MaxValue;

    /// <summary>One write without an operation, which may take only a part; -EAGAIN: no room.</summary>
    internal abstract nint WriteNow(ulong token, ReadOnlySpan<byte> buffer);

    /// <summary>As <see cref="WriteNow(ulong, ReadOnlySpan{byte})"/>, from several buffers with one call.</summary>
    internal abstract unsafe nint WriteNow(ulong token, IoVector* vectors, int count);

    /// <summary>
    /// A write made beside the driver, as splice is, found no room: forget that there was, and watch for it. A negated errno if that
    /// cannot be watched for.
    /// </summary>
    internal abstract int NoteFull(ulong token);

    /// <summary>The operation is about to complete: forget it.</summary>
    internal abstract void Finished(IoOperation operation);

    /// <summary>Ends an operation with ECANCELED, if it is still in progress.</summary>
    internal abstract void Cancel(IoOperation operation);

    /// <summary>Ends an operation with <paramref name="result"/> if it is still in progress, and stops watching for it at once.</summary>
    internal abstract void Abandon(IoOperation operation, int result);

    /// <summary>The readiness known of a descriptor, and what of it to forget.</summary>
    internal abstract EpollEvents Readiness(ulong token, EpollEvents clear);

    /// <summary>The readiness that parked operations wait for on a descriptor, for those who look into a sleeping loop.</summary>
    internal abstract EpollEvents Awaited(ulong token);

    /// <summary>Whether the next <see cref="Wait"/> ends one that was made by <see cref="WaitDescriptor"/>: the kernel must hear of it.</summary>
    internal bool WaitsElsewhere { get; set; }

    /// <summary>A ring in which operations can be performed that this driver has no other way for; made when first asked for. Null: there is none.</summary>
    internal abstract RingOperations? RingOperations { get; }

    /// <summary>Why there is no <see cref="RingOperations"/>; null while there is one, or none was asked for.</summary>
    internal abstract string? RingRefusal { get; }

    /// <summary>Operations in <see cref="RingOperations"/>, which is not made for the question.</summary>
    internal abstract int OperationsInFlight { get; }

    /// <summary>
    /// Hands over to the kernel what was gathered for it. For those who wait elsewhere (<see cref="WaitDescriptor"/>); <see cref="Wait"/> does it by itself.
    /// </summary>
    internal virtual void BeforeWait()
    {
    }

    /// <summary>
    /// Waits up to <paramref name="timeout"/> nanoseconds (0: looks, negative: for ever) and returns how many events there are. A timeout ends at
    /// <paramref name="deadline"/> of the monotonic clock: a kernel that takes that instead is not late by the time that the way there took.
    /// </summary>
    internal abstract int Wait(long timeout, long deadline);

    /// <summary>
    /// The descriptor that is readable when <see cref="Wait"/> has something to return, for those who wait elsewhere. It may be another one
    /// after a dispatch; -1 after the end.
    /// </summary>
    internal abstract int WaitDescriptor { get; }

    /// <summary>Turns the events of the last wait into queued operations.</summary>
    internal abstract void Dispatch(int count);

    /// <summary>Ends the wait that is in progress, or the next one. Any thread; exactly one system call.</summary>
    internal abstract void Wake();

    /// <summary>Events received, those for descriptors that are gone, and operations waiting in each direction.</summary>
    internal abstract DriverCounts Counts { get; }

    public abstract void Dispose();
}

/// <summary>A driver's counters, for statistics.</summary>
internal readonly record struct DriverCounts(long Events, long GhostEvents, int WaitingReaders, int WaitingWriters, int Descriptors, long Rebuilds)
{
    /// <summary>Buffers that were received into and not read yet.</summary>
    internal int ReceiveBuffersInUse { get; init; }
}
