namespace Weir.Tests;

/// <summary>Where SIGCHLD is ignored a child is gone as soon as it ends, be it before there was a pidfd for it.</summary>
[Collection(Alone.Name)] // a child has for a moment a copy of every descriptor there is
public class ChildReapedElsewhereTests : NetTestBase
{
    protected override LedgerKernel MakeDoor() => new GoneAtOnce();

    [Fact]
    public void A_child_gone_before_it_could_be_watched_has_an_unknown_end() => Run(async () =>
    {
        using ChildProcess child = ChildProcess.Start("true");
        Assert.Equal(ExitStatus.Unknown, child.ExitStatus);
        Assert.Equal(ExitStatus.Unknown, await child.WaitForExitAsync());
        child.Kill();
        Assert.Throws<ObjectDisposedException>(() => child.ReleaseDescriptor());
    });

    private sealed unsafe class GoneAtOnce : LedgerKernel
    {
        public override int Spawn(SpawnRequest* request)
        {
            int processId = base.Spawn(request);
            Assert.Equal(0, WaitId(request->ProcessDescriptor, WaitFlags.Exited, out _));
            Close(request->ProcessDescriptor);
            request->ProcessDescriptor = -1;
            return processId;
        }
    }
}
