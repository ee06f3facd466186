namespace Weir.Tests;

/// <summary>Loops that wait by io_uring; by epoll on a machine that has none or forbids it, which is said once.</summary>
public sealed class UringBed : TestBed
{
    private static readonly Lazy<DriverKind> s_driver = new(Choose);

    public override DriverKind Driver => s_driver.Value;

    private static DriverKind Choose()
    {
        LoopStatistics statistics = EventLoop.Run(() => Task.FromResult(EventLoop.Current!.Statistics));
        if (statistics.BackendReason == null)
            return DriverKind.IoUring;
        Console.WriteLine($"The tests of the io_uring driver run on epoll: {statistics.BackendReason}");
        return DriverKind.Epoll;
    }
}
