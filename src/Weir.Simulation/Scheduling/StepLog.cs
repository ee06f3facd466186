namespace Weir.Simulation;

/// <summary>One thing that happened. A call of epoll_ctl has its operation in <paramref name="Events"/>.</summary>
internal readonly record struct Step(long Time, int Thread, StepKind Kind, SystemCall Call, int Fd, long Result, object? Subject, EpollEvents Events);

internal enum StepKind : byte
{
    Call,
    Queued,
    Delivered,
    Released,
    Note,

    /// <summary>A thread has entered a call, whose end will be a step of its own. For listeners only.</summary>
    Entered,

    /// <summary>A blocked thread, the subject, may go on. For listeners only.</summary>
    Woken,
}

/// <summary>
/// What happened last, always kept, and all that happened, where a listener wants it: the material of findings, traces and the comparison
/// of two runs.
/// </summary>
internal sealed class StepLog(World world)
{
    private const int Kept = 64; // a power of two

    private readonly Step[] _last = new Step[Kept];

    /// <summary>Steps so far.</summary>
    internal long Count { get; private set; }

    /// <summary>Gets every step as it happens.</summary>
    internal Action<Step>? Listener { get; set; }

    /// <summary>The last steps, the oldest first.</summary>
    internal IEnumerable<Step> Last
    {
        get
        {
            for (long i = Math.Max(0, Count - Kept); i < Count; i++)
                yield return _last[i & (Kept - 1)];
        }
    }

    internal void Entered(SimThread thread)
    {
        if (Listener != null)
            Listener(new Step(world.Now, thread.Id, StepKind.Entered, thread.Call, thread.CallDescriptor, 0, null, (EpollEvents)thread.CallOperation));
    }

    internal void Called(SimThread thread, SystemCall call, int fd, long result)
        => Add(new Step(world.Now, thread.Id, StepKind.Call, call, fd, result, null, (EpollEvents)thread.CallOperation));

    internal void ItemQueued(EpollItem item)
    {
        item.Watch.QueuedAt = Count;
        Add(new Step(world.Now, world.CurrentThread?.Id ?? -1, StepKind.Queued, 0, item.Fd, 0, item, 0));
    }

    internal void ItemDelivered(EpollItem item, EpollEvents events) => Add(new Step(world.Now, world.CurrentThread?.Id ?? -1, StepKind.Delivered, 0, item.Fd, 0, item, events));

    /// <summary>A ring has a completion. For those who listen: the calls that fetch it are steps enough to keep.</summary>
    internal void Completed(RingFile ring, ulong userData, int result, CompletionFlags flags)
    {
        if (Listener != null)
            Note($"{ring}: completion 0x{userData:x} = {StepText.Result(result)}{(flags == CompletionFlags.None ? "" : $", flags {flags & (CompletionFlags)0xFFFF}")}");
    }

    internal void FileReleased(SimFile file) => Add(new Step(world.Now, world.CurrentThread?.Id ?? -1, StepKind.Released, 0, -1, 0, file, 0));

    /// <summary>Something else that a reader of the trace wants to know: a fault, a message that was lost.</summary>
    internal void Note(string text) => Add(new Step(world.Now, world.CurrentThread?.Id ?? -1, StepKind.Note, 0, -1, 0, text, 0));

    internal void Woken(SimThread thread)
    {
        if (Listener != null)
            Listener(new Step(world.Now, world.CurrentThread?.Id ?? -1, StepKind.Woken, 0, -1, 0, thread, 0));
    }

    private void Add(in Step step)
    {
        _last[Count++ & (Kept - 1)] = step;
        Listener?.Invoke(step);
    }
}
