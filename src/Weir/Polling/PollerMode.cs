namespace Weir;

/// <summary>How a <see cref="Poller"/> reports a descriptor: the registration modes of epoll_ctl(2). Flags combine where stated.</summary>
[Flags]
public enum PollerMode
{
    /// <summary>Reported by every wait for as long as it is ready. The default.</summary>
    Level = 0,

    /// <summary>
    /// Reported once per activity: every write to the file is an activity, also when it was readable before. Who leaves data behind hears
    /// of it again only with the next activity, so read until EAGAIN. EPOLLET.
    /// </summary>
    Edge = 1,

    /// <summary>
    /// Reported once, then silent (ERR and HUP too) until modified. It stays registered: adding it again fails with EEXIST. Combines with
    /// <see cref="Edge"/>. EPOLLONESHOT.
    /// </summary>
    OneShot = 2,

    /// <summary>
    /// Of several pollers that watch the same file and have a thread waiting, one activity wakes one (at least one: all others wake if
    /// they registered without this flag). The first to have registered always wins; the kernel does not take turns. Allowed with IN, OUT
    /// and <see cref="Edge"/> only, and can be added and removed but not modified. EPOLLEXCLUSIVE.
    /// </summary>
    Exclusive = 4,

    /// <summary>
    /// Readable and writable come as two events, as kqueue(2) reports them; ERR and HUP come with every direction of the interest. It is
    /// still one registration: <see cref="OneShot"/> silences both directions together. What a wait has no room for is kept for the next
    /// one, and may be outdated by then.
    /// </summary>
    SeparateDirections = 8,
}
