namespace Weir.Simulation;

/// <summary>
/// What is held back. A file's held bits are missing from every poll, calls in that direction find nothing (or no room), and wakes for them wait: to
/// all appearance the data, or the room, has not arrived.
/// </summary>
internal sealed unsafe partial class Faults
{
    /// <summary>All that arrives from the other side.</summary>
    internal const EpollEvents Arrivals = Announced | EpollEvents.In | EpollEvents.RdNorm | EpollEvents.RdBand;

    /// <summary>Room to write.</summary>
    internal const EpollEvents Room = EpollEvents.Out | EpollEvents.WrNorm | EpollEvents.WrBand;

    // Once these were reported, what came before them is known to be there.
    private const EpollEvents Announced = EpollEvents.RdHup | EpollEvents.Hup | EpollEvents.Err | EpollEvents.Pri;

    private const nuint PageSize = 4096;
    private const nuint UnixBuffer = 36_544;

    private int _held;
    private bool _letsGo;
    private Afterwards _after;
    private SimFile? _afterFile;
    private nint _afterCut;
    private long _afterDelay;

    // What is to be done when the call has ended.
    private enum Afterwards : byte
    {
        Nothing,
        HoldArrivals,
        HoldRoom,
        StallPeer,
    }

    /// <summary>Holds bits of a file back for a time. One that is held in that direction already stays as it is.</summary>
    internal void Hold(SimFile file, EpollEvents bits, long nanoseconds)
    {
        if ((file.Held & bits) != 0)
            return;
        file.Held |= bits;
        _held++;
        NoteActive();
        _world.Clock.At(_world.Now + nanoseconds, () => LetGo(file, bits));
    }

    private void LetGo(SimFile file, EpollEvents bits)
    {
        file.Held &= ~bits;
        _held--;
        NoteActive();
        if (file.References == 0 || (file.Readiness & bits) is not (var key and not EpollEvents.None))
            return;
        _letsGo = true; // what was late once is not late again
        // The end has a wake of its own, behind that of the data: who takes the data for the first must be told of the second.
        const EpollEvents Ends = EpollEvents.Hup | EpollEvents.RdHup | EpollEvents.Err;
        if ((key & ~Ends) != EpollEvents.None)
            Wake(file, key & ~Ends);
        if ((key & Ends) != EpollEvents.None)
            Wake(file, key);
        _letsGo = false;
    }

    private static void Wake(SimFile file, EpollEvents key)
    {
        file.WaitQueue.Wake(key);
        file.SecondWaitQueue?.Wake(key);
    }

    // Of a connection that is dead there is no room to wait for.
    private static bool IsHeld(SimFile file, EpollEvents bits)
        => (file.Held & bits) != 0 && (bits != Room || (file.Readiness & (EpollEvents.Hup | EpollEvents.Err)) == 0);

    // A blocking call waits until it is let go. File calls do not know; they are not let in before.
    private Errno WaitWhileHeld(SimThread thread, SimFile? file, EpollEvents bits)
    {
        while (file != null && IsHeld(file, bits))
        {
            int error = _world.BlockOn(thread, file, bits);
            if (error < 0)
                return (Errno)(-error);
        }

        return Errno.None;
    }

    /// <summary>A wake is on its way to a registration. True: it is held back, and comes when the file is let go.</summary>
    internal bool HoldsBack(SimFile file, EpollEvents key)
    {
        if (!_active || (key & Arrivals) == 0 || file is not SimSocket)
            return false;
        if ((file.Held & Arrivals) != 0)
            return true;
        if (!_delays || _letsGo || !file.IsNonBlocking || (file.Readiness & Announced) != 0)
            return false;
        if (Strikes(SimFault.LateArrival, _world.CurrentThread, _world.CurrentThread?.Call ?? SystemCall.None, file) is not { } rule)
            return false;
        Note(SimFault.LateArrival, file, "what has arrived is seen later");
        Hold(file, Arrivals, Draw(rule));
        return true;
    }

    // Short reads and writes

    /// <summary>The caller's buffers for a read or write, which this may cut short: in <paramref name="room"/>, if a part of the first is left.</summary>
    internal UserBuffer Shorten(SimFile file, bool writes, IoVector* vectors, int count, IoVector* room, MessageFlags flags = MessageFlags.None)
    {
        MayCut(file, writes, ref vectors, ref count, room, flags);
        return new UserBuffer(vectors, count);
    }

    private void MayCut(SimFile file, bool writes, ref IoVector* vectors, ref int count, IoVector* room, MessageFlags flags)
    {
        if (!_active || count == 0 || !file.IsStream || !file.IsNonBlocking || (flags & (MessageFlags.Peek | MessageFlags.WaitAll | MessageFlags.OutOfBand)) != 0)
            return;
        SimFault fault = writes ? SimFault.ShortWrite : SimFault.ShortRead;
        if (_rules[(int)fault] == null || (file.Readiness & Announced) != 0)
            return;
        nuint length = 0;
        for (int i = 0; i < count; i++)
            length += vectors[i].Length;
        // What fits into one of these is taken whole or not at all.
        nuint grain = !writes ? 1 : file is not SimSocket socket ? PageSize : socket.Domain == SocketDomain.Unix ? UnixBuffer : 1;
        SimThread? thread = _world.CurrentThread;
        if (length <= grain || (grain > 1 && count > 1) || Strikes(fault, thread, thread!.Call, file) is not { } rule)
            return;
        nuint parts = (length - 1) / grain; // as many grains as there can be without being all
        nuint taken = TakenPart(parts) * grain;
        Cut(ref vectors, ref count, room, taken);
        Note(fault, file, $"at most {taken} of {length} bytes");
        if (_after == Afterwards.Nothing)
            (_after, _afterFile, _afterDelay) = (writes ? Afterwards.HoldRoom : Afterwards.HoldArrivals, file, Draw(rule));
        _afterCut = (nint)taken;
    }

    // How many of so many parts go through.
    private nuint TakenPart(nuint parts) => _world.Choices.World(4) switch
    {
        0 => Math.Max(1, parts / 2),
        1 => 1,
        2 => Math.Min(parts, 1 + (nuint)_world.Choices.World(16)),
        _ => parts,
    };

    /// <summary>How many messages of a batch are tried, of those asked for: all, unless a fault has the others arrive, or find room, later.</summary>
    internal uint Fewer(SimFile file, bool writes, uint count)
    {
        SimFault fault = writes ? SimFault.ShortWrite : SimFault.ShortRead;
        if (!_active || count < 2 || !file.IsNonBlocking || _rules[(int)fault] == null || (file.Readiness & Announced) != 0)
            return count;
        SimThread? thread = _world.CurrentThread;
        if (Strikes(fault, thread, thread!.Call, file) is not { } rule)
            return count;
        uint taken = (uint)TakenPart(count - 1);
        Note(fault, file, $"at most {taken} of {count} messages");
        (_after, _afterFile, _afterDelay) = (writes ? Afterwards.HoldRoom : Afterwards.HoldArrivals, file, Draw(rule));
        _afterCut = (nint)taken;
        return taken;
    }

    // To whole vectors, or to a part of the first.
    private void Cut(ref IoVector* vectors, ref int count, IoVector* room, nuint taken)
    {
        if (taken < vectors->Length)
        {
            *room = new IoVector { Base = vectors->Base, Length = taken };
            vectors = room;
            count = 1;
            return;
        }

        nuint length = 0;
        for (int i = 0; i < count; i++)
        {
            if (length + vectors[i].Length > taken)
            {
                count = Math.Max(i, 1);
                return;
            }

            length += vectors[i].Length;
        }
    }

    /// <summary>A call ends with <paramref name="result"/>: what it did not take arrives later.</summary>
    internal void After(SimThread thread, nint result)
    {
        if (_after == Afterwards.Nothing)
            return;
        (Afterwards after, SimFile? file, nint cut) = (_after, _afterFile, _afterCut);
        (_after, _afterFile, _afterCut) = (Afterwards.Nothing, null, 0);
        if (result <= 0 || file == null)
            return;
        switch (after)
        {
            case Afterwards.StallPeer when (file.Readiness & Announced) == 0:
                Note(SimFault.StalledPeer, file, $"its peer stalls for {StepText.Span(_afterDelay)}");
                Hold(file, Arrivals, _afterDelay);
                break;
            case Afterwards.HoldArrivals when result <= cut && (file.Readiness & EpollEvents.In) != 0:
                Hold(file, Arrivals, _afterDelay);
                break;
            case Afterwards.HoldRoom when result <= cut:
                Hold(file, Room, _afterDelay);
                break;
        }
    }
}
