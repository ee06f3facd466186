namespace Weir.Tests;

/// <summary>What tests ask of a poller again and again.</summary>
internal static class PollerAssert
{
    /// <summary>Events ready now, without waiting.</summary>
    internal static PollerEvent[] Ready(this Poller poller, int room = 16)
    {
        PollerEvent[] events = new PollerEvent[room];
        return events[..poller.Wait(events, TimeSpan.Zero)];
    }

    /// <summary>The keys of the events ready now, in order.</summary>
    internal static nint[] ReadyKeys(this Poller poller, int room = 16) => [.. poller.Ready(room).Select(e => e.Key)];

    /// <summary>Starts a thread that waits for ever, and returns when it is blocked.</summary>
    internal static WaitingThread<PollerEvent[]> BlockedWait(this Poller poller, int room = 16) => poller.StartWait(room).UntilBlocked();

    /// <summary>Starts a thread that waits for ever.</summary>
    internal static WaitingThread<PollerEvent[]> StartWait(this Poller poller, int room = 16) => new(() =>
    {
        PollerEvent[] events = new PollerEvent[room];
        return events[..poller.Wait(events)];
    });
}
