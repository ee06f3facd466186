namespace Weir.Simulation.Tests;

public class LoopSignalTests
{
    [Theory]
    [InlineData(SimMode.Stepping)]
    [InlineData(SimMode.Threads)]
    [InlineData(SimMode.Live)]
    public void A_loop_goes_on_after_a_signal(SimMode mode)
    {
        const int User1 = 10;
        int handled = 0;
        Sim.Run(
            1,
            async sim =>
            {
                sim.Kernel.HandleSignal(User1, () => handled++);
                SimKernel sender = sim.Kernel.Fork("sender");
                sim.Loop(
                    "sender",
                    async () =>
                    {
                        await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(5));
                        sim.Kernel.Raise(User1);
                    },
                    sender);
                for (int i = 0; i < 10_000 && handled == 0; i++)
                    await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(1));
            },
            Threads.Options(mode));
        Assert.Equal(1, handled);
    }

    [Theory]
    [InlineData(SimMode.Stepping)]
    [InlineData(SimMode.Threads)]
    [InlineData(SimMode.Live)]
    public void A_killed_process_takes_its_loop_along_and_nobody_else_s(SimMode mode)
    {
        bool wentOn = false, sawEnd = false;
        Sim.Run(
            1,
            async sim =>
            {
                SimKernel child = sim.Kernel.Fork("child");
                SimLoop loop = sim.Loop("child", async () => { await EventLoop.Current!.Delay(TimeSpan.FromHours(1)); wentOn = true; }, child);
                await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(20));
                child.Raise(SignalNumbers.Kill);
                await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(20));
                sawEnd = child.HasExited;
                Assert.Equal(child.ProcessId, sim.Kernel.WaitFor(child.ProcessId, out int status, block: false));
                Assert.Equal(9, status);
                Assert.Null(loop.Exception);
            },
            Threads.Options(mode));
        Assert.False(wentOn);
        Assert.True(sawEnd);
    }
}
