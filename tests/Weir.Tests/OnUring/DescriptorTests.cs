namespace Weir.Tests;

// Descriptors of other kinds, on loops that wait by io_uring. Tests that make epoll's calls fail are left out.

public class DescriptorPassingTestsOnUring : DescriptorPassingTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class CredentialPassingTestsOnUring : CredentialPassingTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class ChildProcessTestsOnUring : ChildProcessTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class LoopSignalsTestsOnUring : LoopSignalsTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class ServiceNotifierTestsOnUring : ServiceNotifierTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class TerminalTestsOnUring : TerminalTests
{
    protected override TestBed MakeBed() => new UringBed();

    [Theory(Skip = "About a registration that epoll refuses.")]
    [InlineData("", false)]
    public override void Where_it_cannot_be_opened_anew_the_callers_descriptor_serves(string call, bool serves) => _ = (call, serves);
}

public class TimerFdTestsOnUring : TimerFdTests
{
    protected override TestBed MakeBed() => new UringBed();

    [Theory(Skip = "About a registration that epoll refuses.")]
    [InlineData("")]
    public override void One_that_cannot_be_made_leaves_nothing(string call) => _ = call;
}
