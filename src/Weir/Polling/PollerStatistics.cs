namespace Weir;

/// <summary>A moment's view of a <see cref="Poller"/>. The numbers are read one after another, not as one.</summary>
public readonly record struct PollerStatistics
{
    /// <summary>How many descriptors are registered, as far as the poller knows: those closed without being removed count.</summary>
    public int Registrations { get; init; }

    /// <summary>How many threads are inside a wait that may block.</summary>
    public int Waiters { get; init; }

    /// <summary>
    /// How many events were dropped because their registration had been removed, replaced or modified. A few are races and harmless. A number that
    /// keeps growing says that a descriptor was closed without being removed while a duplicate keeps its file open: see
    /// <see cref="Poller.Remove(int)"/>.
    /// </summary>
    public long StaleEvents { get; init; }

    /// <summary>How many times the poller wrote to its eventfd to wake a waiter.</summary>
    public long WakeWrites { get; init; }
}
