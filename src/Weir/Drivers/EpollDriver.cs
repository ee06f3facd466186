using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>Operations over epoll(7).</summary>
/// <remarks>
/// <para>Owned descriptors are registered once, edge-triggered.</para>
/// <para>Only TCP is watched for writability from the start. A unix socket or pipe would report each message it sends (its send buffer
/// is freed as the peer reads), so there OUT is asked for after an EAGAIN and given up at the first event that finds no writer.</para>
/// <para>Borrowed descriptors are registered one-shot for each wait: the owner may close them behind our back, and a registration that
/// can no longer be removed then fires at most once more.</para>
/// </remarks>
internal sealed partial class EpollDriver : ReadinessDriver
{
    private const int EventCapacity = 512;
    private const ulong WakeToken = ulong.MaxValue;

    // So many repeated events for dead tokens mean a registration that fires on and on and cannot be removed any more. A one-shot one that was left
    // behind fires once and does no harm, however many there are.
    private const int GhostLimit = 64;
    private const int MostGhostsRemembered = 1024;

    // So many events ahead operations, and twice as many ahead the slots that name them, are fetched into the cache: with many connections the
    // kernel has used it for other things meanwhile.
    private const int PrefetchDistance = 4;

    private EpollSet _set;
    private readonly HashSet<ulong> _ghosts = []; // dead tokens that have fired since the set was made
    private int _ghostRepeats;
    private long _events;
    private long _ghostEvents;
    private long _rebuilds;

    /// <exception cref="KernelException">No descriptors left.</exception>
    internal EpollDriver(Kernel kernel, WorkQueue queue)
        : base(kernel, queue)
    {
        _set = new EpollSet(kernel, EventCapacity);
        try
        {
            OpenWake();
            RegisterWake(_set);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    internal override string Name => "epoll";

    private void RegisterWake(EpollSet set)
        => KernelException.Check(set.Control(EpollOp.Add, WakeDescriptor, EpollEvents.In | EpollEvents.EdgeTriggered, WakeToken), "epoll_ctl(ADD)", WakeDescriptor);

    // An epoll set may be polled like any other file. Rebuild makes another.
    internal override int WaitDescriptor => _set.FileDescriptor;

    internal override void Dispatch(int count)
    {
        for (int i = 0; i < count; i++)
        {
            if (i + 2 * PrefetchDistance < count)
                Slots.Prefetch(_set.DataOf(i + 2 * PrefetchDistance));
            if (i + PrefetchDistance < count)
                Slots.PrefetchReader(_set.DataOf(i + PrefetchDistance));
            EpollEvents events = _set.Event(i, out ulong token);
            if (token == WakeToken)
                continue;
            _events++;
            ref Slot slot = ref Slots.Find(token);
            if (Unsafe.IsNullRef(ref slot))
            {
                NoteGhost(token);
                continue;
            }

            if (slot.Kind == DescriptorKind.Borrowed)
            {
                DispatchBorrowed(ref slot, events);
                continue;
            }

            bool roomForNobody = (events & EpollEvents.Out) != 0 && slot.Writer == null && WatchesOutOnDemand(ref slot);
            Deliver(ref slot, events);
            if (roomForNobody)
                Change(ref slot, token, slot.Registered & ~EpollEvents.Out);
        }

        _ring?.Collect(); // whether there was an event or not: completions also come as the thread leaves the kernel
        if (_ghostRepeats >= GhostLimit)
            Rebuild();
    }

    private void NoteGhost(ulong token)
    {
        _ghostEvents++;
        if (!_ghosts.Add(token))
            _ghostRepeats++;
        else if (_ghosts.Count == MostGhostsRemembered)
            _ghosts.Clear();
    }

    internal override DriverCounts Counts => CountSlots(_events, _ghostEvents, _rebuilds);

    /// <summary>Closes the descriptors still in care, the epoll set and the wake fd.</summary>
    public override void Dispose()
    {
        CloseRing();
        CloseDescriptors();
        _set.Dispose();
        CloseWake();
    }
}
