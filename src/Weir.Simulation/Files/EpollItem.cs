namespace Weir.Simulation;

/// <summary>One registration: struct epitem of fs/eventpoll.c.</summary>
internal sealed class EpollItem
{
    /// <summary>Bits of the mask that are not readiness: a one-shot that has fired has nothing else left.</summary>
    internal const EpollEvents PrivateBits = EpollEvents.WakeUp | EpollEvents.OneShot | EpollEvents.EdgeTriggered | EpollEvents.Exclusive;

    private readonly Hook _hook;
    private readonly Hook? _secondHook;

    internal EpollItem(EpollFile epoll, SimFile file, int fd, EpollEvents events, ulong data)
    {
        Epoll = epoll;
        File = file;
        Fd = fd;
        Events = events;
        Data = data;
        Owner = file.World.CurrentThread?.CallProcess;
        Watch.AddedAt = file.World.Log.Count;
        bool exclusive = (events & EpollEvents.Exclusive) != 0;
        _hook = new Hook(this) { IsExclusive = exclusive };
        _secondHook = file.SecondWaitQueue == null ? null : new Hook(this) { IsExclusive = exclusive };
    }

    internal EpollFile Epoll { get; }

    internal SimFile File { get; }

    /// <summary>The number it was added by: with the file, its identity.</summary>
    internal int Fd { get; }

    /// <summary>The process that added it, in whose table the number means something.</summary>
    internal SimKernel? Owner { get; }

    internal EpollEvents Events { get; set; }

    internal ulong Data { get; set; }

    /// <summary>Its place in the ready list.</summary>
    internal LinkedListNode<EpollItem>? ReadyNode { get; set; }

    /// <summary>It has gone from its epoll instance; a scan in progress must not put it back.</summary>
    internal bool IsRemoved { get; set; }

    /// <summary>What it has reported and is true still; kept by <see cref="StrictEdges"/>.</summary>
    internal EpollEvents Told { get; set; }

    /// <summary>What is true of the file and asked for. For an epoll instance that means looking whether something in it is ready again.</summary>
    internal EpollEvents Poll(SimThread? thread) => File.PollFor(thread) & Events & ~File.Held;

    /// <summary>What the detectors keep with it.</summary>
    internal ItemWatch Watch;

    /// <summary>ep_ptable_queue_proc.</summary>
    internal void Attach()
    {
        Attach(File.WaitQueue, _hook);
        if (_secondHook != null)
            Attach(File.SecondWaitQueue!, _secondHook);
    }

    internal void Detach()
    {
        _hook.Leave();
        _secondHook?.Leave();
    }

    private static void Attach(WaitQueue queue, Hook hook)
    {
        if (hook.IsExclusive)
            queue.AddLast(hook);
        else
            queue.AddFirst(hook);
    }

    private sealed class Hook(EpollItem item) : WaitEntry
    {
        internal override bool OnWake(EpollEvents key) => item.Epoll.OnFileWake(item, key);
    }
}
