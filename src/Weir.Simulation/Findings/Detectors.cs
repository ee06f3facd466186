namespace Weir.Simulation;

/// <summary>
/// Watches a simulation for trouble. The kernel tells it what happens; it only looks and never changes anything that a program could see.
/// </summary>
/// <remarks>
/// What is found in the middle of a call is kept until the call ends: the kernel is whole then, and goes on serving the threads that unwind.
/// </remarks>
internal sealed partial class Detectors
{
    /// <summary>What a call does, as far as it tells whether a thread gets anywhere.</summary>
    [Flags]
    private enum Traits : byte
    {
        None = 0,

        /// <summary>Takes something out of a file.</summary>
        Reads = 1,

        /// <summary>Puts something in.</summary>
        Writes = 2,

        /// <summary>Is told of readiness, which in itself achieves nothing.</summary>
        Waits = 4,

        /// <summary>Only looks.</summary>
        Looks = 8,
    }

    private static readonly Traits[] TraitsOf = MakeTraits();

    private readonly World _world;
    private readonly SimDetectors _on;
    private readonly int _busyLimit;
    private readonly long _starvationLimit;
    private readonly long _stallLimit;
    private SimulationException? _found;

    internal Detectors(World world, SimOptions options)
    {
        _world = world;
        _on = world.IsLive ? SimDetectors.None : options.Detect;
        _busyLimit = options.BusyLoopLimit;
        _starvationLimit = options.StarvationLimit;
        _stallLimit = EventLoop.ToNanoseconds(options.StallLimit);
        Buffers = new BufferLedger(world, Watches(SimDetectors.BufferReuse));
    }

    /// <summary>Memory that the kernel owns across calls.</summary>
    internal BufferLedger Buffers { get; }

    private bool Watches(SimDetectors detector) => (_on & detector) != 0;

    /// <summary>Notes a finding made inside a call; the first one counts.</summary>
    internal void Found(FindingKind kind, string what, string advice, IEnumerable<string>? details = null)
    {
        if (_found == null && !_world.Scheduler.HasEnded)
            _found = Report.Make(_world, kind, what, advice, details);
    }

    /// <summary>A call ends with <paramref name="result"/>.</summary>
    /// <exception cref="SimulationException">Something was found in it.</exception>
    internal void Called(SimThread thread, nint result)
    {
        if (_on == SimDetectors.None || thread.CallProcess.HasExited)
            return;
        thread.Watch.LastStep = _world.Log.Count;
        Traits traits = TraitsOf[(int)thread.Call];
        if ((traits & (Traits.Reads | Traits.Writes)) != 0)
            NoteTransfer(thread, traits, result);
        if (result == -(int)Errno.EBADF && !thread.CallProcess.HasExited)
            CheckUseAfterClose(thread);
        CheckProgress(thread, traits, result);
        if ((_world.Log.Count & 4095) == 0)
            CheckStarvation();
        if (_found is { } found)
        {
            _found = null;
            throw _world.Scheduler is BatonScheduler scheduler ? scheduler.Raise(found) : found;
        }
    }

    private void NoteTransfer(SimThread thread, Traits traits, nint result)
    {
        if (thread.CallProcess.Descriptors.Find(thread.CallDescriptor) is not { } file)
            return;
        if (result > 0)
        {
            file.Watch.Moved++;
            if (thread.Call == SystemCall.Splice)
                _splices++; // and something moved at its other end
        }

        if ((traits & Traits.Reads) == 0)
            return;
        if (result > 0)
            file.Watch.Reading = ReadState.Partial;
        else if (result == 0 || SaysDrained((Errno)(int)-result))
            file.Watch.Reading = ReadState.Drained;
    }

    /// <summary>As a call does it, a request of a ring has moved something in or out of a file, or tried to.</summary>
    internal void Transferred(SimFile file, nint result, bool reads)
    {
        if (_on == SimDetectors.None)
            return;
        if (result > 0)
            file.Watch.Moved++;
        if (reads && (result >= 0 || SaysDrained((Errno)(int)-result)))
            file.Watch.Reading = result > 0 ? ReadState.Partial : ReadState.Drained;
    }

    // Other errors, a lack of descriptors say, leave what is there where it is.
    private static bool SaysDrained(Errno error)
        => error is Errno.EAGAIN or Errno.ECONNRESET or Errno.EPIPE or Errno.ENOTCONN or Errno.ETIMEDOUT or Errno.ECONNREFUSED or Errno.EHOSTUNREACH
            or Errno.ENETUNREACH or Errno.ECONNABORTED;

    /// <summary>An epoll instance reports an item to a thread.</summary>
    internal void Delivered(SimThread thread, EpollItem item, EpollEvents events)
    {
        item.Watch.DeliveredAt = _world.Now;
        item.Watch.Delivered = events;
        item.Watch.ArmedWith = item.Events;
        item.Watch.QueuedAt = _world.Log.Count; // a level-triggered one is queued again at once
        if (_on == SimDetectors.None)
            return;
        thread.Watch.Told = item;
        thread.Watch.ToldEvents = events;
        if ((item.Events & EpollEvents.EdgeTriggered) == 0)
            CountRepeat(item, events);
        if ((events & Incoming) != 0)
        {
            CheckSharedRead(thread, item);
            item.File.Watch.Reading = ReadState.Untouched;
        }

        if (Watches(SimDetectors.Ghosts))
            CheckGhost(thread, item, events);
    }

    private static Traits[] MakeTraits()
    {
        var traits = new Traits[byte.MaxValue + 1];
        foreach (SystemCall call in (SystemCall[])
            [SystemCall.Read, SystemCall.ReadV, SystemCall.Receive, SystemCall.ReceiveMessage, SystemCall.ReceiveMessages, SystemCall.Accept4, SystemCall.Splice])
        {
            traits[(int)call] = Traits.Reads;
        }

        foreach (SystemCall call in (SystemCall[])[SystemCall.Write, SystemCall.WriteV, SystemCall.Send, SystemCall.SendMessage, SystemCall.SendMessages])
            traits[(int)call] = Traits.Writes;
        foreach (SystemCall call in (SystemCall[])[SystemCall.EpollWait, SystemCall.EpollPWait2, SystemCall.Poll])
            traits[(int)call] = Traits.Waits;
        foreach (SystemCall call in (SystemCall[])
            [SystemCall.GetResourceLimit, SystemCall.GetSockName, SystemCall.GetPeerName, SystemCall.GetSockOpt, SystemCall.TimerFdGetTime])
        {
            traits[(int)call] = Traits.Looks;
        }

        return traits;
    }
}
