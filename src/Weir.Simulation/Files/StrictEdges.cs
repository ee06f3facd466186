namespace Weir.Simulation;

/// <summary>
/// <see cref="EdgeSemantics.Strict"/>: what each edge-triggered registration has reported and is still true is not reported again. Does nothing
/// otherwise.
/// </summary>
internal sealed class StrictEdges(bool active)
{
    private readonly List<EpollItem> _told = [];

    /// <summary>Whether a wake brings nothing to an item that it has not reported.</summary>
    internal bool Hide(EpollItem item) => item.Told != EpollEvents.None && News(item, ReadinessOf(item)) == EpollEvents.None;

    /// <summary>Of what is true of an item, what it has not reported.</summary>
    internal static EpollEvents News(EpollItem item, EpollEvents found) => found & ~item.Told;

    /// <summary>An item reports something.</summary>
    internal void Tell(EpollItem item, EpollEvents found)
    {
        if (!active || (item.Events & EpollEvents.EdgeTriggered) == 0 || item.File is EventFdFile)
            return;
        if (item.Told == EpollEvents.None)
            _told.Add(item);
        item.Told |= found;
    }

    /// <summary>It begins anew, as one that was just added.</summary>
    internal void Forget(EpollItem item)
    {
        if (item.Told == EpollEvents.None)
            return;
        item.Told = EpollEvents.None;
        _told.Remove(item);
    }

    /// <summary>A call has ended: what has gone off by it may be reported when it comes on.</summary>
    internal void AfterCall()
    {
        for (int i = _told.Count - 1; i >= 0; i--)
        {
            _told[i].Told &= ReadinessOf(_told[i]);
            if (_told[i].Told == EpollEvents.None)
                _told.RemoveAt(i);
        }
    }

    private static EpollEvents ReadinessOf(EpollItem item) => item.File.Readiness & item.Events & ~item.File.Held;
}
