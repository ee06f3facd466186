namespace Weir.Simulation;

/// <summary>What a cancellation matches: struct io_cancel_data.</summary>
internal sealed class CancelMatch
{
    internal const AsyncCancelFlags ByFixedFile = (AsyncCancelFlags)8, ByUserData = (AsyncCancelFlags)16, ByOperation = (AsyncCancelFlags)32;
    internal const AsyncCancelFlags Known = AsyncCancelFlags.All | AsyncCancelFlags.Descriptor | AsyncCancelFlags.Any | ByFixedFile | ByUserData | ByOperation;

    internal AsyncCancelFlags Flags { get; init; }

    internal ulong UserData { get; init; }

    internal SimFile? File { get; set; }

    internal IoUringOp Op { get; init; }

    internal long Round { get; set; }

    internal bool MatchesAll => (Flags & (AsyncCancelFlags.All | AsyncCancelFlags.Any)) != 0;

    /// <summary>io_cancel_req_match. One that matches all matches each request once.</summary>
    internal bool Matches(RingRequest request)
    {
        if ((Flags & AsyncCancelFlags.Any) == 0)
        {
            bool byData = (Flags & ByUserData) != 0 || (Flags & (AsyncCancelFlags.Descriptor | ByOperation)) == 0;
            if ((Flags & AsyncCancelFlags.Descriptor) != 0 && request.File != File)
                return false;
            if ((Flags & ByOperation) != 0 && request.Op != Op)
                return false;
            if (byData && request.UserData != UserData)
                return false;
            if ((Flags & AsyncCancelFlags.All) == 0)
                return true;
        }

        if (request.CancelRound == Round)
            return false;
        request.CancelRound = Round;
        return true;
    }
}

// Cancelling: io_uring/cancel.c.
internal sealed unsafe partial class RingFile
{
    private long _cancelRounds;

    internal long NextCancelRound() => ++_cancelRounds;

    internal void AddToTable(RingRequest request) => request.TablePlace = _table.AddFirst(request);

    internal void RemoveFromTable(RingRequest request)
    {
        if (request.TablePlace == null)
            return;
        _table.Remove(request.TablePlace);
        request.TablePlace = null;
    }

    /// <summary>__io_async_cancel: 0, or how many if all are meant; -ENOENT, -EALREADY.</summary>
    internal int Cancel(CancelMatch match)
    {
        match.Round = NextCancelRound();
        int count = 0, result;
        while ((result = CancelOne(match)) != -(int)Errno.ENOENT)
        {
            if (!match.MatchesAll)
                return result;
            count++;
        }

        bool running = _requests.Any(request => request.WorkerEvent != null && IsMeant(match, request));
        if (match.MatchesAll)
            return running ? count + 1 : count;
        return running ? -(int)Errno.EALREADY : result;
    }

    // io_try_cancel
    private int CancelOne(CancelMatch match)
    {
        if (CancelWork(match))
            return 0;
        foreach (RingRequest request in _table)
        {
            if (!match.Matches(request))
                continue;
            request.CancelPoll();
            return 0;
        }

        return (match.Flags & AsyncCancelFlags.Descriptor) != 0 ? -(int)Errno.ENOENT : CancelTimeout(match);
    }

    // What a worker has begun cannot be stopped; what still waits for one is taken back. Which it is the strategy chooses.
    private bool CancelWork(CancelMatch match)
    {
        bool any = false;
        foreach (RingRequest request in _requests.ToArray())
        {
            if (request is not { WorkerEvent: { } work, IsBegun: false } || !IsMeant(match, request))
                continue;
            request.IsBegun = World.Choices.World(2, request) == 0;
            if (request.IsBegun)
                continue;
            work.Cancel();
            request.WorkerEvent = null;
            request.Result = -(int)Errno.ECANCELED;
            AddWork(request, RingWorkKind.Fail);
            any = true;
            if (!match.MatchesAll)
                break;
        }

        return any;
    }

    // As Matches, without the once.
    private static bool IsMeant(CancelMatch match, RingRequest request)
    {
        long round = request.CancelRound;
        request.CancelRound = 0;
        bool meant = match.Matches(request);
        request.CancelRound = round;
        return meant;
    }

    /// <summary>io_poll_remove: the youngest poll with this data, taken out of its file's queue. Null: <paramref name="error"/> says why.</summary>
    internal PollAddRequest? TakePoll(ulong userData, out int error)
    {
        error = -(int)Errno.ENOENT;
        foreach (RingRequest request in _table)
        {
            if (request is not PollAddRequest poll || poll.UserData != userData)
                continue;
            error = poll.DisarmPoll();
            return error == 0 ? poll : null;
        }

        return null;
    }

    /// <summary>Its process has ended: all that it has asked for is dropped. Its threads, on their way out, see that it was cancelled.</summary>
    internal void Abandon(SimKernel process)
    {
        foreach (RingRequest request in _requests.ToArray())
        {
            if (request.Thread.Process == process)
                Abandon(request);
        }
    }

    private void Abandon(RingRequest request)
    {
        request.ForgetMemory();
        _requests.Remove(request);
        RemoveFromTable(request);
        request.Abandon();
        if (!request.SkipsCompletion)
            TryPost(request.UserData, -(int)Errno.ECANCELED, CompletionFlags.None);
    }

    /// <summary>Takes submissions of a process that has ended: none of them is begun.</summary>
    internal void Refuse(SimThread thread, uint most)
    {
        for (uint left = Math.Min(Memory.Tail - _head, most); left > 0; left--)
        {
            if (!Memory.TryGet(_head++, out Submission entry))
                continue;
            var request = new UnknownRequest();
            request.Take(this, thread, entry);
            Abandon(request);
        }

        Memory.ShowHead(_head);
    }
}
