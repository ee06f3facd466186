using Weir.Net;

namespace Weir.Simulation.Tests;

/// <summary>Watched processes on the emulated kernel: an end is never missed, and never reaped twice, whenever it comes.</summary>
public class ChildWatchTests
{
    private const int SigTerm = 15;

    [Fact]
    public void An_end_at_any_moment_is_told_to_all_who_wait_and_reaped_once()
    {
        ExploreResult result = Sim.Explore(
            sim =>
            {
                SimKernel child = sim.Kernel.Fork("child");
                sim.Thread("child", () => child.Exit(7), child);
                sim.Loop("loop", async () =>
                {
                    using ChildProcess watched = ChildProcess.FromDescriptor(sim.Kernel.PidFdOpen(child.ProcessId));
                    Task<ExitStatus> first = watched.WaitForExitAsync().AsTask(), second = watched.WaitForExitAsync().AsTask();
                    Assert.Equal(7, (await first).ExitCode);
                    Assert.Equal(await first, await second);
                    Assert.True(child.IsReaped);
                });
                return Task.CompletedTask;
            },
            new ExploreOptions { Mode = SimMode.Threads, PreemptionBound = 1 });
        Assert.True(result.IsExhausted);
    }

    [Fact]
    public void A_signal_races_the_end_and_one_of_them_wins()
    {
        for (ulong seed = 1; seed <= 200; seed++)
        {
            Sim.Run(
                seed,
                sim =>
                {
                    SimKernel child = sim.Kernel.Fork("child");
                    sim.Thread("child", () => child.Exit(0), child);
                    sim.Loop("loop", async () =>
                    {
                        using ChildProcess watched = ChildProcess.FromDescriptor(sim.Kernel.PidFdOpen(child.ProcessId));
                        watched.Kill(SigTerm);
                        ExitStatus status = await watched.WaitForExitAsync();
                        Assert.True(status.ExitCode == 0 || status.Signal == SigTerm, status.ToString());
                        watched.Kill(SigTerm);
                    });
                    return Task.CompletedTask;
                },
                new SimOptions { Mode = SimMode.Threads });
        }
    }

    [Fact]
    public void A_watcher_by_number_reaps_nothing_and_one_of_a_stranger_knows_no_status() => Sim.Run(1, async sim =>
    {
        SimKernel child = sim.Kernel.Fork("child"), grandchild = child.Fork("grandchild");
        using ChildProcess near = ChildProcess.FromProcessId(child.ProcessId), far = ChildProcess.FromProcessId(grandchild.ProcessId);
        grandchild.Exit(1);
        Assert.Equal(ExitStatus.Unknown, await far.WaitForExitAsync());
        child.Exit(3);
        Assert.Equal(3, (await near.WaitForExitAsync()).ExitCode);
        Assert.False(child.IsReaped);
        Assert.Equal(child.ProcessId, sim.Kernel.WaitFor(child.ProcessId, out _));
    });

    [Fact]
    public void Where_SIGCHLD_is_ignored_the_end_is_told_without_a_status() => Sim.Run(1, async sim =>
    {
        sim.Kernel.IgnoreSignal(SignalNumbers.Child);
        SimKernel child = sim.Kernel.Fork("child");
        using ChildProcess watched = ChildProcess.FromDescriptor(sim.Kernel.PidFdOpen(child.ProcessId));
        ValueTask<ExitStatus> wait = watched.WaitForExitAsync();
        child.Exit(3);
        Assert.Equal(ExitStatus.Unknown, await wait);
    });

    [Fact]
    public void A_disposed_watcher_of_a_child_still_reaps_it() => Sim.Run(1, async sim =>
    {
        SimKernel child = sim.Kernel.Fork("child");
        ChildProcess.FromDescriptor(sim.Kernel.PidFdOpen(child.ProcessId)).Dispose();
        Assert.False(child.HasExited);
        child.Exit(0);
        while (!child.IsReaped)
            await EventLoop.Yield();
    });

    [Fact]
    public void Programs_are_not_emulated_and_it_says_so() => Sim.Run(1, sim =>
    {
        Assert.StartsWith("not emulated: ", Assert.Throws<NotSupportedException>(() => ChildProcess.Start("/bin/true")).Message);
        return Task.CompletedTask;
    });

    [Fact]
    public void A_receiver_without_descriptors_left_loses_those_alone() => Sim.Run(1, async sim =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using Connection first = client, second = server;
        int[] sent = [sim.Kernel.EventFd(1, EventFdFlags.None), sim.Kernel.EventFd(2, EventFdFlags.None), sim.Kernel.EventFd(3, EventFdFlags.None)], fds = new int[5];
        await client.SendDescriptorsAsync(new byte[4], sent);
        foreach (int fd in sent[1..])
            sim.Kernel.Close(fd);
        Assert.Equal(0, sim.Kernel.GetResourceLimit(ResourceLimit.OpenFiles, out ulong soft, out ulong hard));
        Assert.Equal(0, sim.Kernel.SetResourceLimit(ResourceLimit.OpenFiles, (ulong)sent[2], hard)); // room for one
        Assert.Equal(new ReceivedDescriptors(4, 1, true, null), await server.ReceiveDescriptorsAsync(new byte[10], fds));
        Assert.Equal(0, sim.Kernel.SetResourceLimit(ResourceLimit.OpenFiles, soft, hard));
        Assert.Equal(sent[1], fds[0]);
        sim.Kernel.Close(fds[0]);
        sim.Kernel.Close(sent[0]);
    });
}
