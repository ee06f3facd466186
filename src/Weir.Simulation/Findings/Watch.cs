namespace Weir.Simulation;

/// <summary>How far a program has got with what a file had for it since it was last told.</summary>
internal enum ReadState : byte
{
    /// <summary>Nobody has read.</summary>
    Untouched,

    /// <summary>The last read brought something; whether there was more the reader cannot know.</summary>
    Partial,

    /// <summary>The last read found nothing, the end or an error: the reader knows that it has everything.</summary>
    Drained,
}

/// <summary>What the detectors keep with a file.</summary>
internal struct FileWatch
{
    /// <summary>Calls that moved something in or out: while it stands still, nobody does anything about the file's readiness.</summary>
    internal long Moved;

    internal ReadState Reading;

    /// <summary>The thread that was last told that there is something to read, and what <see cref="Moved"/> was then.</summary>
    internal SimThread? Told;

    internal long MovedWhenTold;
}

/// <summary>What they keep with a registration.</summary>
internal struct ItemWatch
{
    /// <summary>The step at which it was added.</summary>
    internal long AddedAt;

    /// <summary>The step at which it was put in the ready list.</summary>
    internal long QueuedAt;

    /// <summary>When it was last delivered, with what, under which mask; 0: never.</summary>
    internal long DeliveredAt;

    internal EpollEvents Delivered;

    internal EpollEvents ArmedWith;

    /// <summary>Deliveries in a row between which nobody moved anything, since when, and the file's count at their beginning.</summary>
    internal int Repeats;

    internal long RepeatsSince;

    internal long Moved;
}

/// <summary>What they keep with a thread.</summary>
internal struct ThreadWatch
{
    /// <summary>The step at which it last did something.</summary>
    internal long LastStep;

    /// <summary>The step at which it was last woken.</summary>
    internal long RunnableSince;

    /// <summary>Its last call of io_uring_enter has submitted nothing and seen nothing complete.</summary>
    internal bool AchievedNothing;

    /// <summary>Calls in a row that achieved nothing, and since when.</summary>
    internal int IdleCalls;

    internal long IdleSince;

    /// <summary>What it was last told by an epoll instance.</summary>
    internal EpollItem? Told;

    internal EpollEvents ToldEvents;
}
