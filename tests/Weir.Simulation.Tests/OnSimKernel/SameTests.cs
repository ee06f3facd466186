using Weir.Tests;

namespace Weir.Simulation.Tests;

// The tests of loops, descriptors and sockets a second time, on the emulated kernel: all of them on real threads, and those that need none
// also stepped under virtual time. Those that count allocations or the
// descriptors of this very process stay on the real one.

[Stepped]
public class EventLoopRunTestsStepped : EventLoopRunTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

[Stepped]
public class EventLoopStopTestsStepped : EventLoopStopTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class EventLoopRunTestsLive : EventLoopRunTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

public class EventLoopStopTestsLive : EventLoopStopTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class EventLoopPostTestsStepped : EventLoopPostTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class EventLoopPostTestsLive : EventLoopPostTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class LoopContextTestsStepped : LoopContextTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class LoopContextTestsLive : LoopContextTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class LoopTimerTestsStepped : LoopTimerTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class LoopTimerTestsLive : LoopTimerTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class LoopTimeProviderTestsStepped : LoopTimeProviderTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class LoopTimeProviderTestsLive : LoopTimeProviderTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class EventLoopTaskTestsStepped : EventLoopTaskTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class EventLoopTaskTestsLive : EventLoopTaskTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class EventLoopDelayTestsStepped : EventLoopDelayTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class EventLoopDelayTestsLive : EventLoopDelayTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class TaskGroupTestsStepped : TaskGroupTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class TaskGroupTestsLive : TaskGroupTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class OwnedFdWatcherTestsStepped : OwnedFdWatcherTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class OwnedFdWatcherTestsLive : OwnedFdWatcherTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class DescriptorStreamTestsStepped : DescriptorStreamTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class DescriptorStreamTestsLive : DescriptorStreamTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class EventSignalTestsStepped : EventSignalTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class EventSignalTestsLive : EventSignalTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class PipeEndTestsStepped : PipeEndTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class PipeEndTestsLive : PipeEndTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class AcceptAllTestsStepped : AcceptAllTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class AcceptAllTestsLive : AcceptAllTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

public class CancellationStressTestsLive : CancellationStressTests
{
    protected override TestBed MakeBed() => new LiveBed();

    [Theory(Skip = "The bytes are there before the token is cancelled, nearly always: nothing is raced."), MemberData(nameof(Cases))]
    public override void Reads_from_another_thread_cancelled_at_any_moment_lose_nothing(string family, int seed)
        => base.Reads_from_another_thread_cancelled_at_any_moment_lose_nothing(family, seed);
}

[Stepped]
public class ConnectTestsStepped : ConnectTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class ConnectTestsLive : ConnectTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class ListenerTestsStepped : ListenerTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class ListenerTestsLive : ListenerTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class DescriptorLeakTestsStepped : DescriptorLeakTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class DescriptorLeakTestsLive : DescriptorLeakTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class SpliceTestsStepped : SpliceTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class SpliceTestsLive : SpliceTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class UnixListenerTestsStepped : UnixListenerTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class UnixListenerTestsLive : UnixListenerTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class VectoredWriteTestsStepped : VectoredWriteTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class VectoredWriteTestsLive : VectoredWriteTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class ConnectionTestsStepped : ConnectionTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

[Stepped]
public class ConnectionEndTestsStepped : ConnectionEndTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class ConnectionTestsLive : ConnectionTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

public class ConnectionEndTestsLive : ConnectionEndTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class AcceptShortageTestsStepped : AcceptShortageTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class AcceptShortageTestsLive : AcceptShortageTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class FrameworkStreamTestsStepped : FrameworkStreamTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class FrameworkStreamTestsLive : FrameworkStreamTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class ReadinessTestsStepped : ReadinessTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class ReadinessTestsLive : ReadinessTests
{
    protected override TestBed MakeBed() => new LiveBed();

    [ThreadedFact(Skip = "The emulated kernel itself allocates.")]
    public override void A_message_costs_no_allocation_in_the_steady_state() => base.A_message_costs_no_allocation_in_the_steady_state();
}

[Stepped]
public class FairnessTestsStepped : FairnessTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class FairnessTestsLive : FairnessTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class FdWatcherByNumberTestsStepped : FdWatcherByNumberTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

[Stepped]
public class FdWatcherClosingByNumberTestsStepped : FdWatcherClosingByNumberTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class FdWatcherByNumberTestsLive : FdWatcherByNumberTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

public class FdWatcherClosingByNumberTestsLive : FdWatcherClosingByNumberTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class FdWatcherByHandleTestsStepped : FdWatcherByHandleTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

[Stepped]
public class FdWatcherClosingByHandleTestsStepped : FdWatcherClosingByHandleTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class FdWatcherByHandleTestsLive : FdWatcherByHandleTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

public class FdWatcherClosingByHandleTestsLive : FdWatcherClosingByHandleTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class DescriptorPassingTestsStepped : DescriptorPassingTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

[Stepped]
public class FileWatcherTestsStepped : FileWatcherTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class DescriptorPassingTestsLive : DescriptorPassingTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

public class FileWatcherTestsLive : FileWatcherTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class TimerDescriptorTestsStepped : Weir.Tests.TimerFdTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

[Stepped]
public class FileWatcherUseTestsStepped : FileWatcherUseTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class TimerDescriptorTestsLive : Weir.Tests.TimerFdTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public class InheritedDescriptorTestsStepped : InheritedDescriptorTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

[Stepped]
public class ServiceNotifierTestsStepped : ServiceNotifierTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

[Stepped]
public class AbstractAddressTestsStepped : AbstractAddressTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

public class FileWatcherUseTestsLive : FileWatcherUseTests
{
    protected override TestBed MakeBed() => new LiveBed();
}
