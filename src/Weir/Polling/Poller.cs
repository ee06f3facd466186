namespace Weir;

/// <summary>
/// Waits for readiness of descriptors: an epoll instance with what epoll leaves to its users. Needs no loop and no task; a thread
/// of the caller's calls <see cref="Wait(Span{PollerEvent})"/> and gets events with its own 64-bit keys.
/// </summary>
/// <remarks>
/// <para>
/// All members may be called from any thread at any time, several <c>Wait</c>s at once included: an event of a
/// <see cref="PollerMode.Level"/> descriptor may then reach every waiter, one of an <see cref="PollerMode.Edge"/> or
/// <see cref="PollerMode.OneShot"/> descriptor reaches one. After <see cref="Dispose"/> they throw <see cref="ObjectDisposedException"/>.
/// </para>
/// <para>
/// The poller owns two descriptors of its own (epoll and an eventfd; a timerfd from the first timer on) and must be disposed. It never
/// owns the descriptors registered with it. Waiting, waking, triggering and modifying allocate nothing in steady state.
/// </para>
/// <para>What the kernel does underneath: epoll(7), epoll_ctl(2), epoll_wait(2), and docs/polling.md.</para>
/// </remarks>
public sealed unsafe partial class Poller : IDisposable
{
    // Tokens of the poller's own descriptors. Those of registrations have a generation, 1 or more, in their upper half.
    private const ulong WakeToken = 0;
    private const ulong TimerToken = 1;

    // Bits of _signal: what a waiter is to look after in user space.
    private const int WakeRequested = 1;
    private const int WorkQueued = 2;

    private readonly Kernel _kernel;
    private readonly EpollSet _set;
    private readonly PollerGate _gate = new();

    /// <summary>An eventfd, registered edge-triggered and never read: each write is an edge, and an edge wakes one waiter.</summary>
    private readonly int _wakeDescriptor;

    private int _signal;
    private long _staleEvents;
    private long _wakeWrites;

    /// <summary>A poller with nothing registered.</summary>
    /// <exception cref="KernelException">No descriptor or no memory for it: epoll_create1(2), eventfd(2).</exception>
    public Poller(PollerOptions? options = null)
    {
        _kernel = (options ?? new PollerOptions()).Kernel;
        _set = new EpollSet(_kernel, capacity: 0);
        _wakeDescriptor = -1;
        try
        {
            _wakeDescriptor = KernelException.Check(_kernel.EventFd(0, EventFdFlags.NonBlock | EventFdFlags.CloseOnExec), "eventfd");
            KernelException.Check(
                _set.Control(EpollOp.Add, _wakeDescriptor, EpollEvents.In | EpollEvents.EdgeTriggered, WakeToken), "epoll_ctl(ADD)", _wakeDescriptor);
        }
        catch
        {
            CloseDescriptors();
            throw;
        }
    }

    /// <summary>
    /// Makes one wait return: one that is blocked, or else the next one at once. It returns with 0 events unless it has some anyway.
    /// </summary>
    /// <remarks>
    /// Wakes do not add up: until a wait has taken one, further ones change nothing. Costs one write(2) when a thread may be blocked, no
    /// system call when none is or when a wake is pending. What the caller wrote before is visible to the thread that returns.
    /// </remarks>
    /// <exception cref="ObjectDisposedException">The poller is disposed.</exception>
    public void Wake()
    {
        Enter();
        try
        {
            Signal(WakeRequested, ownWaits: 0);
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>The poller's numbers at this moment.</summary>
    /// <exception cref="ObjectDisposedException">The poller is disposed.</exception>
    public PollerStatistics GetStatistics()
    {
        ObjectDisposedException.ThrowIf(_gate.IsClosed, this);
        int registrations;
        lock (_changes)
            registrations = _table.Count;
        return new PollerStatistics
        {
            Registrations = registrations,
            Waiters = _gate.Waiters,
            StaleEvents = Interlocked.Read(ref _staleEvents), // counted by any waiter
            WakeWrites = Interlocked.Read(ref _wakeWrites),
        };
    }

    /// <summary>
    /// Ends every wait with <see cref="ObjectDisposedException"/> and gives the poller's own descriptors back as soon as the last thread has
    /// left it. Registered descriptors stay open. From any thread; again: no effect.
    /// </summary>
    public void Dispose()
    {
        if (_gate.TryClose())
            Leave();
    }

    private void Enter(bool waits = false) => ObjectDisposedException.ThrowIf(!_gate.TryEnter(waits), this);

    private void Leave(bool waits = false)
    {
        // Disposal is handed on: whoever leaves a closed poller wakes a waiter, beginning with the one who disposed it, since an edge wakes only
        // one; and that one may be a thread that only looked, so those hand on too. Written while still inside: the number is still the
        // eventfd's.
        try
        {
            if (_gate.IsClosed && _gate.Waiters > (waits ? 1 : 0))
                WriteWake();
        }
        finally
        {
            if (_gate.Leave(waits))
                CloseDescriptors();
        }
    }

    /// <summary>Leaves word for a waiter, and wakes one if any may be asleep (<paramref name="ownWaits"/> of them being the caller).</summary>
    /// <remarks>
    /// The order is the proof. Here: set the bit, full fence (the Or), look for waiters. A waiter: announce itself, full fence (entering
    /// the gate), look at the bits, sleep. So one of the two sees the other. Whoever finds bits set already owes nothing: the one who set
    /// them saw no waiter, or has written or is about to; and whoever is woken takes all bits there are.
    /// </remarks>
    private void Signal(int bit, int ownWaits)
    {
        if (Interlocked.Or(ref _signal, bit) == 0 && _gate.Waiters > ownWaits)
            WriteWake();
    }

    private void WriteWake()
    {
        ulong one = 1;
        nint written;
        // The counter would have to reach 2^64-1 to refuse a write.
        while ((written = _kernel.Write(_wakeDescriptor, &one, sizeof(ulong))) == -(int)Errno.EINTR)
        {
        }

        Interlocked.Increment(ref _wakeWrites); // any thread
        if (written < 0)
            throw new KernelException("write(eventfd)", _wakeDescriptor, (Errno)(-written));
    }

    private void CloseDescriptors()
    {
        _set.Dispose();
        if (_wakeDescriptor >= 0)
            _kernel.Close(_wakeDescriptor);
        if (_timerDescriptor >= 0)
            _kernel.Close(_timerDescriptor);
    }
}
