namespace Weir;

internal sealed partial class UringDriver
{
    private readonly OperationRing? _operations; // null if making the driver has failed

    internal override RingOperations? RingOperations => _operations;

    internal override string? RingRefusal => null;

    internal override int OperationsInFlight => _operations?.InFlight ?? 0;

    /// <summary>Operations of files and the like, in the driver's own ring.</summary>
    private sealed class OperationRing(UringDriver driver, in IoUringProbe known) : RingRequests(driver._ring, known)
    {
        protected override bool TryMakeRoom() => true; // the ring submits by itself where it must

        internal override void EndAll()
        {
            CancelAll();
            while (InFlight > 0)
                driver.AwaitCompletions(); // others' among them
        }

        public override void Dispose() => Close();
    }
}
