namespace Weir.Simulation;

/// <summary>
/// An epoll instance, built as fs/eventpoll.c is: an interest list, a ready list that file wakes put items on, and a delivery that polls
/// every item again. The subtle rules (what an edge is, what a stale item does, who is woken) are not written down anywhere here; they
/// come out of this structure as they do there.
/// </summary>
internal sealed partial class EpollFile : SimFile
{
    /// <summary>EP_MAX_EVENTS: INT_MAX divided by the size of an entry on x86-64.</summary>
    internal const int MaxEvents = int.MaxValue / 12;

    private readonly Dictionary<(SimFile File, int Fd), EpollItem> _items = [];
    private LinkedList<EpollItem> _ready = new();
    private LinkedList<EpollItem> _spare = new();

    // While a scan is on, wakes leave their items here (eventpoll's ovflist): the scan decides what is in the ready list afterwards.
    private List<EpollItem>? _arrivals;
    private readonly List<EpollItem> _arrivalsStore = [];

    // Threads in epoll_wait, the last to come first, and those who poll the instance itself.
    private readonly WaitQueue _waiters = new();
    private readonly Machine _machine;

    internal EpollFile(World world, Machine machine, FileFlags flags)
        : base(world, flags)
    {
        _machine = machine;
    }

    internal override string Kind => "epoll";

    /// <summary>Those who poll the instance: other instances, poll(2).</summary>
    internal override WaitQueue WaitQueue { get; } = new();

    internal IReadOnlyCollection<EpollItem> Items => _items.Values;

    internal IEnumerable<EpollItem> ReadyItems => _ready;

    internal bool HasWaiters => _waiters.IsActive;

    /// <summary>The thread that waited here last.</summary>
    internal SimThread? LastWaiter { get; private set; }

    // epoll_ctl(2)

    internal int Add(SimFile file, int fd, EpollEvents events, ulong data, bool checkPaths)
    {
        if (_items.ContainsKey((file, fd)))
            return -(int)Errno.EEXIST;
        if (_machine.EpollWatches >= _machine.MaxEpollWatches)
            return -(int)Errno.ENOSPC;
        var item = new EpollItem(this, file, fd, events | EpollEvents.Err | EpollEvents.Hup, data);
        _machine.EpollWatches++;
        _items.Add((file, fd), item);
        file.Watchers.Insert(0, item);
        if (checkPaths && TooManyPaths(file))
        {
            Remove(item);
            return -(int)Errno.EINVAL;
        }

        item.Attach();
        QueueIfReady(item);
        return 0;
    }

    internal int Modify(SimFile file, int fd, EpollEvents events, ulong data)
    {
        if (!_items.TryGetValue((file, fd), out EpollItem? item))
            return -(int)Errno.ENOENT;
        if ((item.Events & EpollEvents.Exclusive) != 0)
            return -(int)Errno.EINVAL;
        item.Events = events | EpollEvents.Err | EpollEvents.Hup;
        item.Data = data;
        World.Edges.Forget(item);
        QueueIfReady(item);
        return 0;
    }

    internal int Delete(SimFile file, int fd)
    {
        if (!_items.TryGetValue((file, fd), out EpollItem? item))
            return -(int)Errno.ENOENT;
        Remove(item);
        return 0;
    }

    internal void Remove(EpollItem item)
    {
        item.IsRemoved = true;
        item.Detach();
        World.Edges.Forget(item);
        item.File.Watchers.Remove(item);
        _items.Remove((item.File, item.Fd));
        if (item.ReadyNode != null)
        {
            item.ReadyNode.List!.Remove(item.ReadyNode);
            item.ReadyNode = null;
        }

        _arrivals?.Remove(item);
        _machine.EpollWatches--;
    }

    private void QueueIfReady(EpollItem item)
    {
        if (item.Poll(World.CurrentThread) == EpollEvents.None || item.ReadyNode != null)
            return;
        item.ReadyNode = _ready.AddLast(item);
        World.Log.ItemQueued(item);
        _waiters.Wake(EpollEvents.None);
        WaitQueue.Wake(EpollEvents.In);
    }

    // Wakes

    /// <summary>A watched file has changed: ep_poll_callback. Whether an exclusive registration has taken the wake.</summary>
    internal bool OnFileWake(EpollItem item, EpollEvents key)
    {
        if (World.Faults.HoldsBack(item.File, key))
            return false; // told again when the file is let go
        if (World.Edges.Hide(item))
            return false;
        bool exclusive = (item.Events & EpollEvents.Exclusive) != 0;
        bool awake = false;
        bool interested = (item.Events & ~EpollItem.PrivateBits) != 0 && (key == EpollEvents.None || (key & item.Events) != 0);
        if (interested)
        {
            if (_arrivals != null)
            {
                if (!_arrivals.Contains(item))
                    _arrivals.Add(item);
            }
            else if (item.ReadyNode == null)
            {
                item.ReadyNode = _ready.AddLast(item);
                World.Log.ItemQueued(item);
            }

            // Whoever sleeps here is woken even if the item was queued already; one who then finds nothing sleeps again.
            if (_waiters.IsActive)
            {
                if (exclusive)
                {
                    awake = (key & (EpollEvents.In | EpollEvents.Out)) switch
                    {
                        EpollEvents.In => (item.Events & EpollEvents.In) != 0,
                        EpollEvents.Out => (item.Events & EpollEvents.Out) != 0,
                        EpollEvents.None => true,
                        _ => false,
                    };
                }

                _waiters.Wake(EpollEvents.None);
            }

            WaitQueue.Wake(EpollEvents.In | (key & RingRequest.RingWake));
        }

        return !exclusive || awake;
    }

    // epoll_wait(2)

    private bool HasReady => _ready.Count > 0 || _arrivals != null;

    /// <summary>Waits until <paramref name="deadline"/> (<see cref="World.Never"/>: for ever; 0: only looks) and fills in events: ep_poll.</summary>
    internal unsafe int Wait(SimThread thread, void* events, int maxEvents, long deadline)
    {
        LastWaiter = thread;
        bool timedOut = deadline == 0;
        bool available = HasReady;
        while (true)
        {
            if (available)
            {
                int count = SendEvents(thread, events, maxEvents);
                if (count != 0)
                    return count;
            }

            if (timedOut)
                return 0;
            if (thread.HasSignal)
                return -(int)Errno.EINTR;
            available = HasReady;
            if (available)
                continue;
            var entry = new ThreadWait(thread) { IsExclusive = true };
            _waiters.AddFirst(entry);
            try
            {
                timedOut = !World.Block(thread, deadline);
            }
            finally
            {
                // One who was woken in the same moment as his time ran out looks once more.
                available = !timedOut || !entry.IsQueued;
                entry.Leave();
            }
        }
    }

    /// <summary>Puts a thread that cannot block itself (a stepped loop) where a blocked one would stand.</summary>
    internal void AddWaiter(ThreadWait entry) => _waiters.AddFirst(entry);

    // ep_send_events: takes from the front of the ready list, asks each file again, and puts level-triggered items back at the end.
    private unsafe int SendEvents(SimThread thread, void* events, int maxEvents)
    {
        LinkedList<EpollItem> scanned = BeginScan();
        int count = 0;
        while (count < maxEvents && scanned.First is { } node)
        {
            EpollItem item = node.Value;
            scanned.Remove(node);
            item.ReadyNode = null;
            EpollEvents found = StrictEdges.News(item, item.Poll(thread));
            if (found == EpollEvents.None)
                continue; // nothing left of it: dropped without a word
            if (!UserMemory.IsMapped((byte*)events + (nint)count * EpollEventLayout.Size, (nuint)EpollEventLayout.Size))
            {
                item.ReadyNode = scanned.AddFirst(item);
                if (count == 0)
                    count = -(int)Errno.EFAULT;
                break;
            }

            EpollEventLayout.Set(events, count, found, item.Data);
            count++;
            World.Log.ItemDelivered(item, found);
            World.Detectors.Delivered(thread, item, found);
            World.Edges.Tell(item, found);
            if ((item.Events & EpollEvents.OneShot) != 0)
                item.Events &= EpollItem.PrivateBits;
            else if ((item.Events & EpollEvents.EdgeTriggered) == 0)
                item.ReadyNode = _ready.AddLast(item);
        }

        EndScan(scanned);
        return count;
    }

    private LinkedList<EpollItem> BeginScan()
    {
        LinkedList<EpollItem> scanned = _ready;
        _ready = _spare;
        _arrivals = _arrivalsStore;
        return scanned;
    }

    // What was not looked at comes first, then what arrived meanwhile, then what the scan itself put back.
    private void EndScan(LinkedList<EpollItem> scanned)
    {
        List<EpollItem> arrivals = _arrivals!;
        _arrivals = null;
        for (int i = arrivals.Count - 1; i >= 0; i--)
        {
            EpollItem item = arrivals[i];
            if (item.ReadyNode != null || item.IsRemoved)
                continue;
            item.ReadyNode = _ready.AddFirst(item);
            item.Watch.QueuedAt = World.Log.Count;
        }

        arrivals.Clear();
        while (scanned.Last is { } node)
        {
            scanned.Remove(node);
            _ready.AddFirst(node);
        }

        _spare = scanned;
        if (_ready.Count > 0)
            _waiters.Wake(EpollEvents.None);
    }

    // Polled itself

    internal override EpollEvents Poll() => PollFor(World.CurrentThread);

    // Without asking the items, for that drops those that are stale.
    internal override EpollEvents Readiness => _ready.Count > 0 ? EpollEvents.In | EpollEvents.RdNorm : EpollEvents.None;

    // __ep_eventpoll_poll: an instance is readable if some queued item polls ready again; those found stale on the way are dropped.
    internal override EpollEvents PollFor(SimThread? thread)
    {
        if (_ready.Count == 0)
            return EpollEvents.None;
        LinkedList<EpollItem> scanned = BeginScan();
        EpollEvents result = EpollEvents.None;
        while (scanned.First is { } node)
        {
            EpollItem item = node.Value;
            if (item.Poll(thread) != EpollEvents.None)
            {
                result = EpollEvents.In | EpollEvents.RdNorm;
                break;
            }

            scanned.Remove(node);
            item.ReadyNode = null;
        }

        EndScan(scanned);
        return result;
    }

    protected override void Release()
    {
        foreach (EpollItem item in _items.Values.ToArray())
            Remove(item);
    }
}
