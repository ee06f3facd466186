namespace Weir;

// Its place among the files registered with the loop's ring, if it has one.
public sealed partial class AsyncFile
{
    // An operation by place costs about 65 ns less than one by number, of some 1200 for 4 KiB out of the page cache. A place costs two calls, about
    // 1000 ns together: as much as 16 operations save. Who asks for one then never pays more than twice what had been best.
    private const int OperationsBeforePlace = 16;

    private int _started; // operations that go by place where they can
    private int _place = -1;
    private RingOperations? _placedBy;

    /// <summary>The place by which an operation goes, -1 for none. The loop's thread only.</summary>
    internal int PlaceIn(RingOperations performer)
    {
        if (_place >= 0)
            return performer == _placedBy ? _place : -1;
        // Again and again: there may be a place when others have closed.
        if (++_started % OperationsBeforePlace != 0)
            return -1;
        _place = performer.Register(_fd);
        _placedBy = performer;
        return _place;
    }

    /// <summary>Before it is closed, with nothing in flight: registered, it would stay open.</summary>
    internal void GiveUpPlace()
    {
        if (_place < 0)
            return;
        _placedBy!.Unregister(_place);
        _place = -1;
    }
}
