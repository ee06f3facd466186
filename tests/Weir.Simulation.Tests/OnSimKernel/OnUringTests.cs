using Weir.Tests;

namespace Weir.Simulation.Tests;

// The tests of loops, descriptors and sockets on the io_uring driver, on the emulated kernel's rings: on real threads, and stepped under virtual time.

[Stepped]
public class FairnessTestsOnUringStepped : FairnessTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class FairnessTestsOnUringLive : FairnessTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class DescriptorStreamTestsOnUringStepped : DescriptorStreamTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class DescriptorStreamTestsOnUringLive : DescriptorStreamTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class EventSignalTestsOnUringStepped : EventSignalTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class EventSignalTestsOnUringLive : EventSignalTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class FdWatcherByNumberTestsOnUringStepped : FdWatcherByNumberTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

[Stepped]
public class FdWatcherClosingByNumberTestsOnUringStepped : FdWatcherClosingByNumberTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class FdWatcherByNumberTestsOnUringLive : FdWatcherByNumberTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

public class FdWatcherClosingByNumberTestsOnUringLive : FdWatcherClosingByNumberTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class FdWatcherByHandleTestsOnUringStepped : FdWatcherByHandleTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

[Stepped]
public class FdWatcherClosingByHandleTestsOnUringStepped : FdWatcherClosingByHandleTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class FdWatcherByHandleTestsOnUringLive : FdWatcherByHandleTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

public class FdWatcherClosingByHandleTestsOnUringLive : FdWatcherClosingByHandleTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class OwnedFdWatcherTestsOnUringStepped : OwnedFdWatcherTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class OwnedFdWatcherTestsOnUringLive : OwnedFdWatcherTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class PipeEndTestsOnUringStepped : PipeEndTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class PipeEndTestsOnUringLive : PipeEndTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class EventLoopDelayTestsOnUringStepped : EventLoopDelayTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class EventLoopDelayTestsOnUringLive : EventLoopDelayTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class EventLoopPostTestsOnUringStepped : EventLoopPostTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class EventLoopPostTestsOnUringLive : EventLoopPostTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class EventLoopRunTestsOnUringStepped : EventLoopRunTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();

    [Fact(Skip = "A stepped loop looks into the ring's memory and makes no call.")]
    public override void An_idle_loop_sleeps_once_until_its_timer()
    {
    }
}

[Stepped]
public class EventLoopStopTestsOnUringStepped : EventLoopStopTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class EventLoopRunTestsOnUringLive : EventLoopRunTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

public class EventLoopStopTestsOnUringLive : EventLoopStopTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class EventLoopTaskTestsOnUringStepped : EventLoopTaskTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class EventLoopTaskTestsOnUringLive : EventLoopTaskTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class LoopContextTestsOnUringStepped : LoopContextTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class LoopContextTestsOnUringLive : LoopContextTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class LoopTimeProviderTestsOnUringStepped : LoopTimeProviderTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class LoopTimeProviderTestsOnUringLive : LoopTimeProviderTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class LoopTimerTestsOnUringStepped : LoopTimerTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class LoopTimerTestsOnUringLive : LoopTimerTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class TaskGroupTestsOnUringStepped : TaskGroupTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class TaskGroupTestsOnUringLive : TaskGroupTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class AcceptAllTestsOnUringStepped : AcceptAllTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class AcceptAllTestsOnUringLive : AcceptAllTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

public class CancellationStressTestsOnUringLive : CancellationStressTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();

    [Theory(Skip = "The bytes are there before the token is cancelled, nearly always: nothing is raced."), MemberData(nameof(Cases))]
    public override void Reads_from_another_thread_cancelled_at_any_moment_lose_nothing(string family, int seed)
        => base.Reads_from_another_thread_cancelled_at_any_moment_lose_nothing(family, seed);
}

[Stepped]
public class ConnectTestsOnUringStepped : ConnectTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class ConnectTestsOnUringLive : ConnectTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class ConnectionTestsOnUringStepped : ConnectionTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

[Stepped]
public class ConnectionEndTestsOnUringStepped : ConnectionEndTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class ConnectionTestsOnUringLive : ConnectionTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

public class ConnectionEndTestsOnUringLive : ConnectionEndTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class FrameworkStreamTestsOnUringStepped : FrameworkStreamTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class FrameworkStreamTestsOnUringLive : FrameworkStreamTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class ListenerTestsOnUringStepped : ListenerTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class ListenerTestsOnUringLive : ListenerTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class SpliceTestsOnUringStepped : SpliceTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class SpliceTestsOnUringLive : SpliceTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class UnixListenerTestsOnUringStepped : UnixListenerTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class UnixListenerTestsOnUringLive : UnixListenerTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class VectoredWriteTestsOnUringStepped : VectoredWriteTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class VectoredWriteTestsOnUringLive : VectoredWriteTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();
}

[Stepped]
public class ReceivedBufferTestsOnUringStepped : ReceivedBufferTestsOnUring
{
    protected override TestBed MakeBed() => new SteppedUringBed();

    [Theory(Skip = "The emulated kernel allocates."), MemberData(nameof(Weir.Tests.ConnectionTests.Families), MemberType = typeof(Weir.Tests.ConnectionTests))]
    public override void An_echo_in_place_allocates_nothing(string family) => base.An_echo_in_place_allocates_nothing(family);
}

public class ReceivedBufferTestsOnUringLive : ReceivedBufferTestsOnUring
{
    protected override TestBed MakeBed() => new LiveUringBed();

    [Theory(Skip = "The emulated kernel allocates."), MemberData(nameof(Weir.Tests.ConnectionTests.Families), MemberType = typeof(Weir.Tests.ConnectionTests))]
    public override void An_echo_in_place_allocates_nothing(string family) => base.An_echo_in_place_allocates_nothing(family);
}

[Stepped]
public class ZeroCopyTestsStepped : ZeroCopyTests
{
    protected override TestBed MakeBed() => new SteppedUringBed();
}

public class ZeroCopyTestsLive : ZeroCopyTests
{
    protected override TestBed MakeBed() => new LiveUringBed();
}
