namespace Weir.Simulation;

/// <summary>A queue of file system events: inotify(7), fs/notify/inotify/inotify_user.c and fs/notify/notification.c.</summary>
internal sealed class InotifyFile : SimFile
{
    private readonly Machine _machine;
    private readonly int _mostEvents;
    private readonly Queue<InotifyRecord> _events = [];
    private readonly Dictionary<int, InotifyWatch> _watches = [];
    private InotifyRecord _last; // of the queue, if there is any
    private bool _overflowIsQueued;
    private int _lastNumber;

    internal InotifyFile(Machine machine, FileFlags flags)
        : base(machine.World, FileFlags.ReadOnly | flags)
    {
        _machine = machine;
        _mostEvents = machine.MaxInotifyEvents;
        machine.InotifyInstances++;
    }

    internal override string Kind => "inotify";

    internal override WaitQueue WaitQueue { get; } = new();

    internal override EpollEvents Poll() => _events.Count > 0 ? EpollEvents.In | EpollEvents.RdNorm : EpollEvents.None;

    /// <summary>inotify_update_watch: a new watch descriptor, or the one that watches the node already.</summary>
    internal int AddWatch(FileNode node, InotifyEvents argument)
    {
        const InotifyEvents Kept = InotifyEvents.All | InotifyEvents.ExcludeUnlinked | InotifyEvents.OneShot;
        InotifyWatch? watch = node.Watches.Find(one => one.File == this);
        if (watch != null)
        {
            if ((argument & InotifyEvents.MaskCreate) != 0)
                return -(int)Errno.EEXIST;
            watch.Mask = ((argument & InotifyEvents.MaskAdd) != 0 ? watch.Mask : 0) | (argument & Kept);
            return watch.Number;
        }

        int number = NextNumber();
        if (_machine.InotifyWatches >= _machine.MaxInotifyWatches)
            return -(int)Errno.ENOSPC;
        _machine.InotifyWatches++;
        watch = new InotifyWatch(this, node, number) { Mask = argument & Kept };
        _watches.Add(number, watch);
        node.Watches.Add(watch);
        return number;
    }

    // idr_alloc_cyclic: a number is used again only when all others have been; one that a refusal has cost is not given back.
    private int NextNumber()
    {
        do
            _lastNumber = _lastNumber == int.MaxValue ? 1 : _lastNumber + 1;
        while (_watches.ContainsKey(_lastNumber));
        return _lastNumber;
    }

    /// <summary>inotify_rm_watch.</summary>
    internal int Remove(int number)
    {
        if (!_watches.TryGetValue(number, out InotifyWatch? watch))
            return -(int)Errno.EINVAL;
        watch.Destroy();
        return 0;
    }

    /// <summary>The watch has ended.</summary>
    internal void Forget(InotifyWatch watch)
    {
        _watches.Remove(watch.Number);
        _machine.InotifyWatches--;
    }

    /// <summary>
    /// fsnotify_insert_event. One that says what the last in the queue says is left out, and wakes nobody; for one that does not fit, the queue
    /// says once that something was lost.
    /// </summary>
    internal void Insert(InotifyRecord record)
    {
        if (_events.Count >= _mostEvents)
        {
            if (_overflowIsQueued)
                return;
            _overflowIsQueued = true;
            record = new InotifyRecord(-1, InotifyEvents.QueueOverflow, 0, null);
        }
        else if (_events.Count > 0 && _last.IsSameAs(record))
        {
            return;
        }

        _events.Enqueue(record);
        _last = record;
        WaitQueue.Wake(EpollEvents.None);
    }

    // inotify_read. It knows no vectors: each buffer of a vectored read is one read, until one is not filled.
    internal override nint Read(SimThread thread, ref UserBuffer buffer)
    {
        nint total = 0;
        while (true)
        {
            nuint room = buffer.VectorLength;
            nint count = ReadInto(thread, ref buffer, room);
            if (count < 0)
                return total > 0 ? total : count;
            total += count;
            if ((nuint)count != room || buffer.Length == 0)
                return total;
        }
    }

    private nint ReadInto(SimThread thread, ref UserBuffer buffer, nuint room)
    {
        nint total = 0;
        while (true)
        {
            if (_events.TryPeek(out InotifyRecord record))
            {
                if ((nuint)record.Size > room)
                    return total > 0 ? total : Error(Errno.EINVAL);
                _events.Dequeue();
                if (record.Watch < 0)
                    _overflowIsQueued = false;
                if (!record.CopyTo(ref buffer))
                    return Error(Errno.EFAULT); // and those that came before it are lost as well
                total += record.Size;
                room -= (nuint)record.Size;
                continue;
            }

            if (total > 0)
                return total;
            int error = World.BlockOn(thread, this, EpollEvents.In);
            if (error < 0)
                return error;
        }
    }

    internal override unsafe int Ioctl(uint request, void* argument)
    {
        if (request != FileRead)
            return -(int)Errno.ENOTTY;
        int bytes = 0;
        foreach (InotifyRecord record in _events)
            bytes += record.Size;
        return PutInt(argument, bytes);
    }

    protected override void Release()
    {
        foreach (InotifyWatch watch in _watches.Values.ToArray())
            watch.Detach();
        _machine.InotifyInstances--;
    }
}
