namespace Weir;

public sealed partial class EventLoop
{
    private CallThreads? _calls;
    private string _callsName = "none";

    // The kernel may still write to their memory: the loop waits for them before it is over.
    private int OperationsInFlight => _driver.OperationsInFlight + (_calls?.InFlight ?? 0);

    private void CancelOperations()
    {
        if (_driver.OperationsInFlight > 0)
            _driver.RingOperations?.CancelAll();
        _calls?.CancelAll();
    }

    /// <summary>Who performs such an operation: the driver's ring, or blocking calls where it has none that can. The loop's thread only.</summary>
    internal RingOperations OperationsFor(IoUringOp op)
    {
        RingOperations? ring = _driver.RingOperations;
        if (ring != null && ring.Supports(op))
        {
            _callsName = ring.Name;
            return ring;
        }

        _calls ??= new CallThreads(Kernel, _queue, Options.Name);
        if (ring == null && _driver.RingRefusal is { } reason)
        {
            _callsName = _calls.Name;
            FileEvents.Log.ReportFallback(_calls.Name, reason);
        }

        return _calls;
    }
}
