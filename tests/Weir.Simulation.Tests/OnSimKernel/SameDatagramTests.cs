using Weir.Tests;

namespace Weir.Simulation.Tests;

// The tests of datagram sockets a second time, as those of streams in SameTests.

[Stepped]
public class DatagramSocketTestsStepped : DatagramSocketTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class DatagramSocketTestsLive : DatagramSocketTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class DatagramSocketWaitTestsStepped : DatagramSocketWaitTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class DatagramSocketWaitTestsLive : DatagramSocketWaitTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class DatagramBatchTestsStepped : DatagramBatchTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class DatagramBatchTestsLive : DatagramBatchTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class DatagramAncillaryTestsStepped : DatagramAncillaryTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class DatagramAncillaryTestsLive : DatagramAncillaryTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class DatagramMulticastTestsStepped : DatagramMulticastTests
{
    protected override TestBed MakeBed() => new SteppedBed();

    [Fact(Skip = "Broadcasts are not emulated.")]
    public override void Broadcasts_need_leave()
    {
    }
}

public class DatagramMulticastTestsLive : DatagramMulticastTests
{
    protected override TestBed MakeBed() => new LiveBed();

    [Fact(Skip = "Broadcasts are not emulated.")]
    public override void Broadcasts_need_leave()
    {
    }
}

[Stepped]
public class DatagramDescriptorTestsStepped : DatagramDescriptorTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class DatagramDescriptorTestsLive : DatagramDescriptorTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class DatagramDescriptorTestsOnUringStepped : DatagramDescriptorTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

[Stepped]
public class CredentialPassingTestsStepped : CredentialPassingTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class CredentialPassingTestsLive : CredentialPassingTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class CredentialPassingTestsOnUringStepped : CredentialPassingTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

[Stepped]
public class DatagramTrainTestsStepped : DatagramTrainTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class DatagramTrainTestsLive : DatagramTrainTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class DatagramTrainTestsOnUringStepped : DatagramTrainTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}
