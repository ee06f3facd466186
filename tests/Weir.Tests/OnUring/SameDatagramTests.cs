namespace Weir.Tests;

// The tests of datagram sockets on loops that wait by io_uring, as those of streams in SameTests.

public class DatagramSocketTestsOnUring : DatagramSocketTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class DatagramSocketWaitTestsOnUring : DatagramSocketWaitTests
{
    protected override TestBed MakeBed() => new UringBed();

    [Fact(Skip = "There is no registration that could be refused.")]
    public override void A_loop_that_cannot_take_it_leaves_nothing_behind()
    {
    }
}

public class DatagramBatchTestsOnUring : DatagramBatchTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class DatagramAncillaryTestsOnUring : DatagramAncillaryTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class DatagramMulticastTestsOnUring : DatagramMulticastTests
{
    protected override TestBed MakeBed() => new UringBed();
}

[Collection(Alone.Name)]
public class DatagramAllocationTestsOnUring : DatagramAllocationTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class DatagramDescriptorTestsOnUring : DatagramDescriptorTests
{
    protected override TestBed MakeBed() => new UringBed();

    [Fact(Skip = "There is no registration that could be refused.")]
    public override void One_that_the_loop_cannot_watch_stays_the_callers()
    {
    }
}

public class DatagramTrainTestsOnUring : DatagramTrainTests
{
    protected override TestBed MakeBed() => new UringBed();
}
