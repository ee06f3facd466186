namespace Weir;

/// <summary>What an event of a <see cref="Poller"/> came from.</summary>
public enum PollerEventKind
{
    /// <summary>A registered descriptor.</summary>
    Descriptor = 0,

    /// <summary>A user event that was triggered.</summary>
    User = 1,

    /// <summary>A timer that expired.</summary>
    Timer = 2,
}

/// <summary>One event, as <see cref="Poller.Wait(Span{PollerEvent})"/> fills it in.</summary>
public readonly record struct PollerEvent
{
    private const EpollEvents Ended = EpollEvents.Hup | EpollEvents.Err;

    internal PollerEvent(nint key, EpollEvents events, PollerEventKind kind, long count)
    {
        Key = key;
        Count = count;
        Events = events;
        Kind = kind;
    }

    /// <summary>The caller's 64 bits: those of the registration, user event or timer.</summary>
    public nint Key { get; }

    /// <summary>How many expirations or triggers the event stands for; 1 for a descriptor.</summary>
    public long Count { get; }

    /// <summary>
    /// What the descriptor is ready for: its whole current state within the interest, not what changed. ERR and HUP come unasked. None for
    /// user events and timers.
    /// </summary>
    public EpollEvents Events { get; }

    /// <summary>What it came from. Keys of descriptors, user events and timers may coincide; the kind tells them apart.</summary>
    public PollerEventKind Kind { get; }

    /// <summary>Whether a read would return at once: with data, with the end of it, or with an error.</summary>
    public bool IsReadable => (Events & (EpollEvents.In | EpollEvents.RdHup | Ended)) != 0;

    /// <summary>Whether a write would return at once: having written something, or with an error.</summary>
    public bool IsWritable => (Events & (EpollEvents.Out | Ended)) != 0;
}
