namespace Weir.Simulation;

/// <summary>
/// What befalls the requests of rings: what befalls the calls of the same names, and what only workers and multishots are open to. Nobody waits here;
/// a request that finds a file held back polls it.
/// </summary>
internal sealed unsafe partial class Faults
{
    // What a worker takes, the plainest first, in nanoseconds.
    private static readonly long[] WorkerTimes = [50_000, 1_000, 500_000, 5_000_000];

    /// <summary>How long a worker takes until it does what a request asks for.</summary>
    internal long WorkerDelay(RingRequest request)
    {
        long time = _world.IsLive ? 0 : WorkerTimes[_world.Choices.World(WorkerTimes.Length, request)];
        if (!_active || Strikes(SimFault.LateCompletion, request.Thread, SystemCall.IoUringEnter, request.File) is not { } rule)
            return time;
        long more = Draw(rule);
        Note(SimFault.LateCompletion, request.File, $"{request} takes {StepText.Span(more)} longer");
        return time + more;
    }

    /// <summary>Whether what could be done at once (what is read is in memory, say) is left to a worker.</summary>
    internal bool GoesToWorker(RingRequest request) => !_world.IsLive && _world.Choices.World(2, request) != 0;

    /// <summary>Whether a multishot request ends here, with a completion that has no MORE.</summary>
    internal bool EndsMultishot(SimThread thread, SimFile? file)
    {
        if (!_active || Strikes(SimFault.EndedMultishot, thread, SystemCall.IoUringEnter, file) == null)
            return false;
        Note(SimFault.EndedMultishot, file, "the request ends");
        return true;
    }

    /// <summary>Whether something may be taken out of a file now: not if it is held back, or pretends to be empty.</summary>
    internal bool MayTake(SimThread thread, SimFile file, SystemCall call)
    {
        if (!_active)
            return true;
        _after = Afterwards.Nothing;
        if ((file.Held & Arrivals) != 0)
            return false;
        if (file is not SimSocket socket)
            return true;
        TryReset(thread, call, socket);
        EpollEvents now = file.Readiness;
        if ((now & EpollEvents.In) == 0 || (now & Announced) != 0)
            return true;
        if (Strikes(SimFault.FalseReadiness, thread, call, file) is { } rule)
        {
            Note(SimFault.FalseReadiness, file, "EAGAIN though it was ready");
            Hold(file, Arrivals, Draw(rule));
            return false;
        }

        if (file.IsStream && Strikes(SimFault.StalledPeer, thread, call, file) is { } stall)
            (_after, _afterFile, _afterDelay) = (Afterwards.StallPeer, file, Draw(stall));
        return true;
    }

    /// <summary>As <see cref="MayTake"/>, for a read that may also be cut short.</summary>
    internal bool BeforeRingRead(SimThread thread, SimSocket socket, SystemCall call, ref IoVector buffer, MessageFlags flags)
    {
        if (!_active)
            return true;
        if (!MayTake(thread, socket, call))
            return false;
        ShortenOne(thread, socket, call, writes: false, ref buffer, flags);
        return true;
    }

    /// <summary>0: the write may be tried, perhaps of less than there is; else the negated errno it has instead.</summary>
    internal nint BeforeRingWrite(SimThread thread, SimSocket socket, SystemCall call, ref IoVector buffer, MessageFlags flags)
    {
        if (!_active)
            return 0;
        _after = Afterwards.Nothing;
        if (IsHeld(socket, Room))
            return -(int)Errno.EAGAIN;
        TryReset(thread, call, socket);
        Errno memory = MemoryError(call, socket.Number, socket);
        if (memory != Errno.None && Strikes(SimFault.NoMemory, thread, call, socket) != null)
        {
            Note(SimFault.NoMemory, socket, $"{call.ManName()} fails with {memory}");
            return -(int)memory;
        }

        // The rest of one that is to be sent as a whole follows by itself.
        ShortenOne(thread, socket, call, writes: true, ref buffer, flags & ~MessageFlags.WaitAll);
        return 0;
    }

    /// <summary>Whether a read or write of any other file may be tried.</summary>
    internal bool MayTransfer(SimThread thread, SimFile file, bool reads)
    {
        if (!_active)
            return true;
        if (reads)
            return MayTake(thread, file, SystemCall.Read);
        _after = Afterwards.Nothing;
        return !IsHeld(file, Room);
    }

    /// <summary>No number for a new descriptor: a negated errno, or 0.</summary>
    internal int RefusesDescriptor(SimThread thread, SimFile? file, SystemCall call)
    {
        if (!_active || Strikes(SimFault.NoDescriptors, thread, call, file) == null)
            return 0;
        Errno error = _world.Choices.World(2) == 0 ? Errno.EMFILE : Errno.ENFILE;
        Note(SimFault.NoDescriptors, file, $"{call.ManName()} fails with {error}");
        return -(int)error;
    }

    // As Shorten, of one buffer.
    private void ShortenOne(SimThread thread, SimSocket socket, SystemCall call, bool writes, ref IoVector buffer, MessageFlags flags)
    {
        if (!socket.IsStream || (flags & (MessageFlags.Peek | MessageFlags.WaitAll | MessageFlags.OutOfBand)) != 0 || (socket.Readiness & Announced) != 0)
            return;
        SimFault fault = writes ? SimFault.ShortWrite : SimFault.ShortRead;
        nuint grain = writes && socket.Domain == SocketDomain.Unix ? UnixBuffer : 1;
        if (_rules[(int)fault] == null || buffer.Length <= grain || Strikes(fault, thread, call, socket) is not { } rule)
            return;
        nuint taken = TakenPart((buffer.Length - 1) / grain) * grain;
        Note(fault, socket, $"at most {taken} of {buffer.Length} bytes");
        buffer.Length = taken;
        if (_after == Afterwards.Nothing)
            (_after, _afterFile, _afterDelay) = (writes ? Afterwards.HoldRoom : Afterwards.HoldArrivals, socket, Draw(rule));
        _afterCut = (nint)taken;
    }

    /// <summary>A try has ended with <paramref name="result"/>.</summary>
    internal void AfterRing(SimThread thread, SimFile file, nint result, bool reads)
    {
        if (_active)
            After(thread, result);
        _world.Detectors.Transferred(file, result, reads);
    }
}
