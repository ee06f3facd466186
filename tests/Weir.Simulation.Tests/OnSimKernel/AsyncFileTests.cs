using Weir.Tests;

namespace Weir.Simulation.Tests;

// The tests of files on a loop, on the emulated kernel: in a ring inside the epoll loop, in the driver's own, and without one.

[Stepped]
public sealed class AsyncFileTestsStepped : AsyncFileTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

[Stepped]
public sealed class AsyncFileOnUringDriverTestsStepped : AsyncFileOnUringDriverTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

/// <summary>No threads of the runtime's own may escape a simulation: the loop makes the calls itself.</summary>
[Stepped]
public sealed class AsyncFileWithoutRingTestsStepped : AsyncFileTests
{
    protected override string? ExpectedBackend => "calls";

    protected override TestBed MakeBed() => new SteppedBed();

    protected override LoopOptions Options(Action<LoopOptions>? configure = null)
    {
        Kernel.FailNext(nameof(Weir.Kernel.IoUringSetup), Errno.EPERM, 10);
        return base.Options(configure);
    }
}

public sealed class AsyncFileTestsLive : AsyncFileTests
{
    protected override TestBed MakeBed() => new LiveBed();
}

[Stepped]
public sealed class RegisteredFileTestsStepped : RegisteredFileTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

[Stepped]
public sealed class RegisteredFileOnUringDriverTestsStepped : RegisteredFileOnUringDriverTests
{
    protected override TestBed MakeBed() => new SteppedBed();
}

/// <summary>Not stepped: a loop that is refused a wait ends by waiting for what is in flight, which a stepped loop may not.</summary>
public sealed class AsyncFileFaultTestsLive : AsyncFileFaultTests
{
    protected override TestBed MakeBed() => new LiveBed();
}
