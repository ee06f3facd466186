namespace Weir;

/// <summary>A timer of a <see cref="Poller"/>; times in nanoseconds of the monotonic clock.</summary>
internal sealed class PollerTimer(nint key)
{
    internal nint Key { get; } = key;

    internal long Deadline { get; set; }

    /// <summary>0 for a timer that fires once.</summary>
    internal long Period { get; set; }

    /// <summary>Where it is in its <see cref="PollerTimerHeap"/>; -1 when in none.</summary>
    internal int Position { get; set; } = -1;
}
