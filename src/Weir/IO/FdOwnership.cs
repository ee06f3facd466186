namespace Weir;

/// <summary>Whose a watched descriptor is.</summary>
public enum FdOwnership
{
    /// <summary>
    /// Lent: the owner goes on using and at last closes it, and should say so first (<see cref="FdWatcher.NotifyClosing()"/>). Each wait is a
    /// one-shot registration; nothing is remembered between waits.
    /// </summary>
    Borrowed,

    /// <summary>
    /// Handed over for good: made non-blocking, registered once, edge-triggered; readiness is remembered until it is cleared; closed by
    /// Dispose, at the latest when the loop stops.
    /// </summary>
    Owned,
}
