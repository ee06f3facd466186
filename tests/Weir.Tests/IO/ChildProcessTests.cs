namespace Weir.Tests;

/// <summary>How children end and who is told of it, on the real kernel. After each test every descriptor is closed, and no loop watches anything.</summary>
[Collection(Alone.Name)] // a child has for a moment a copy of every descriptor there is
public class ChildProcessTests : NetTestBase
{
    private const int SigKill = 9, SigTerm = 15;

    // Ends when its input does.
    private static ChildProcessOptions Cat(ChildStream output = default) => new("cat") { StandardInput = ChildStream.Pipe, StandardOutput = output };

    private static async Task<string> OutputOf(ChildProcess child)
    {
        using var reader = new StreamReader(child.StandardOutput);
        return await reader.ReadToEndAsync();
    }

    [Fact]
    public void A_success_and_a_failure_are_told_apart_and_remembered() => Run(async () =>
    {
        using ChildProcess good = ChildProcess.Start("true"), bad = ChildProcess.Start("sh", "-c", "exit 7");
        Assert.Equal((0, true, true), ((await good.WaitForExitAsync()).ExitCode, good.ExitStatus!.Value.IsSuccess, good.ExitStatus.Value.IsKnown));
        ExitStatus failure = await bad.WaitForExitAsync();
        Assert.Equal((7, null, false), (failure.ExitCode, failure.Signal, failure.IsSuccess));
        Assert.Equal("exit code 7", failure.ToString());
        // Cached: no further call is made.
        long calls = Door.Count(nameof(Kernel.WaitId));
        Assert.Equal(failure, await bad.WaitForExitAsync());
        Assert.Equal(calls, Door.Count(nameof(Kernel.WaitId)));
    });

    [Fact]
    public void After_the_end_of_its_loop_it_can_be_disposed()
    {
        ChildProcess? child = null;
        RunAbandoning(async () =>
        {
            child = ChildProcess.Start(Cat(ChildStream.Pipe));
            child.StandardInput.Dispose();
            await child.WaitForExitAsync();
        });
        child!.Dispose();
        Assert.Equal(-1, child.FileDescriptor);
    }

    [Fact]
    public void A_signal_ends_a_child_while_many_wait_and_each_is_told() => Run(async () =>
    {
        using ChildProcess child = ChildProcess.Start(Cat());
        Task<ExitStatus>[] waits = [.. Enumerable.Range(0, 20).Select(_ => child.WaitForExitAsync().AsTask())];
        Task<ExitStatus> elsewhere = Task.Run(async () =>
        {
            ExitStatus status = await child.WaitForExitAsync();
            Assert.Null(EventLoop.Current);
            return status;
        });
        await EventLoop.Yield();
        Assert.All(waits, wait => Assert.False(wait.IsCompleted));
        Assert.Null(child.ExitStatus);
        child.Kill();
        ExitStatus[] statuses = await Task.WhenAll(waits);
        Assert.All(statuses, status => Assert.Equal(SigKill, status.Signal));
        Assert.Equal(SigKill, (await elsewhere).Signal);
        Assert.Null(statuses[0].ExitCode);
        child.Kill(SigTerm); // it has ended: nothing happens
        Assert.Equal(1, Door.Count(nameof(Kernel.PidFdSendSignal)));
    });

    [Fact]
    public void A_cancelled_wait_leaves_the_child_and_the_other_waits_alone() => Run(async () =>
    {
        using ChildProcess child = ChildProcess.Start(Cat());
        using var cancellation = new CancellationTokenSource();
        Task<ExitStatus> cancelled = child.WaitForExitAsync(cancellation.Token).AsTask(), other = child.WaitForExitAsync().AsTask();
        cancellation.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Assert.False(other.IsCompleted);
        child.StandardInput.Dispose();
        Assert.Equal(0, (await other).ExitCode);
    });

    [Fact]
    public void A_signal_to_a_child_that_has_ended_unseen_is_no_error() => Run(async () =>
    {
        using ChildProcess child = ChildProcess.Start(Cat());
        child.StandardInput.Dispose();
        UntilEnded(child.FileDescriptor); // and the loop has not looked
        Assert.Null(child.ExitStatus);
        child.Kill();
        Assert.Equal(0, (await child.WaitForExitAsync()).ExitCode);
    });

    [Fact]
    public void A_child_that_something_else_has_reaped_has_an_unknown_end() => Run(async () =>
    {
        using ChildProcess child = ChildProcess.Start(Cat());
        child.StandardInput.Dispose();
        UntilEnded(child.FileDescriptor);
        Assert.Equal(child.ProcessId, Look(child.FileDescriptor, 0).ProcessId); // reaps
        ExitStatus status = await child.WaitForExitAsync();
        Assert.Equal(ExitStatus.Unknown, status);
        Assert.Equal(("unknown", false, null, null), (status.ToString(), status.IsKnown, status.ExitCode, status.Signal));
        child.Kill();
    });

    [Fact]
    public void A_disposed_child_is_neither_killed_nor_left_a_zombie() => Run(async () =>
    {
        // Its input is not a pipe of ours, which Dispose would close.
        (PipeEnd reader, PipeEnd writer) = PipeEnd.CreatePair();
        using PipeEnd input = writer;
        ChildProcess child = ChildProcess.Start(new ChildProcessOptions("sh", "-c", "exec tail -f /dev/null") { StandardInput = ChildStream.FromDescriptor(reader.FileDescriptor), StandardOutput = ChildStream.Null });
        reader.Dispose();
        int pidFd = Door.PidFdOpen(child.ProcessId);
        Task<ExitStatus> wait = child.WaitForExitAsync().AsTask();
        child.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => wait);
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await child.WaitForExitAsync());
        Assert.Throws<ObjectDisposedException>(() => child.Kill());
        Assert.Equal(0, Look(pidFd).ProcessId); // it lives

        Assert.Equal(0, InnerKernel.PidFdSendSignal(pidFd, SigKill));
        writer.Dispose();
        await Until(() => Statistics.Descriptors == 0);
        Assert.Equal(Errno.ECHILD, Assert.Throws<KernelException>(() => Look(pidFd)).Errno);
        Door.Close(pidFd);
    });

    [Fact]
    public void A_child_whose_loop_ended_before_it_is_reaped_when_the_next_is_started()
    {
        int pidFd = -1;
        TestLoop.Run(() =>
        {
            ChildProcess child = ChildProcess.Start("sleep", "1000");
            pidFd = InnerKernel.PidFdOpen(child.ProcessId);
            return Task.CompletedTask;
        });
        Assert.Equal(0, Look(pidFd).ProcessId);
        Assert.Equal(0, InnerKernel.PidFdSendSignal(pidFd, SigKill));
        UntilEnded(pidFd);
        Run(async () =>
        {
            using ChildProcess next = ChildProcess.Start("true");
            await next.WaitForExitAsync();
        });
        Assert.Equal(Errno.ECHILD, Assert.Throws<KernelException>(() => Look(pidFd)).Errno);
        InnerKernel.Close(pidFd);
    }

    [Fact]
    public void A_descriptor_taken_back_is_the_callers_to_wait_on_and_to_hand_over_again() => Run(async () =>
    {
        using ChildProcess child = ChildProcess.Start(Cat());
        Task<ExitStatus> wait = child.WaitForExitAsync().AsTask();
        int pidFd = child.ReleaseDescriptor();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => wait);
        Assert.Throws<ObjectDisposedException>(() => child.ReleaseDescriptor());
        child.StandardInput.Dispose();
        UntilEnded(pidFd);
        Assert.Equal(child.ProcessId, Look(pidFd).ProcessId); // nobody has reaped it

        using ChildProcess again = ChildProcess.FromDescriptor(pidFd);
        Assert.Equal(0, (await again.WaitForExitAsync()).ExitCode);
        Assert.Equal(Errno.ECHILD, Assert.Throws<KernelException>(() => Look(pidFd)).Errno);
    });

    [Fact]
    public void A_watcher_by_number_tells_the_end_of_a_child_and_leaves_it_to_be_reaped() => Run(async () =>
    {
        using ChildProcess child = ChildProcess.Start(Cat());
        int pidFd = child.ReleaseDescriptor();
        using (ChildProcess dropped = ChildProcess.FromProcessId(child.ProcessId))
            Assert.Equal(child.ProcessId, dropped.ProcessId);
        using ChildProcess watcher = ChildProcess.FromProcessId(child.ProcessId);
        Task<ExitStatus> wait = watcher.WaitForExitAsync().AsTask();
        watcher.Kill(SigTerm);
        Assert.Equal(SigTerm, (await wait).Signal);
        Assert.Equal(SigTerm, Look(pidFd, 0).Status); // still there to be reaped
        Door.Close(pidFd);
    });

    [Fact]
    public void The_end_of_a_process_that_is_no_child_is_told_without_a_status() => Run(async () =>
    {
        // A grandchild, which ends with our end of the pipe.
        using ChildProcess shell = ChildProcess.Start(new ChildProcessOptions("sh", "-c", "exec 3<&0; cat <&3 >/dev/null & echo $!")
        {
            StandardInput = ChildStream.Pipe,
            StandardOutput = ChildStream.Pipe,
        });
        int number = int.Parse(await OutputOf(shell), System.Globalization.CultureInfo.InvariantCulture);
        Assert.True((await shell.WaitForExitAsync()).IsSuccess);
        using ChildProcess watcher = ChildProcess.FromProcessId(number);
        Assert.Null(watcher.ExitStatus);
        shell.StandardInput.Dispose();
        Assert.Equal(ExitStatus.Unknown, await watcher.WaitForExitAsync());
    });

    [Fact]
    public void What_is_no_process_is_refused_and_stays_the_callers() => Run(() =>
    {
        Assert.Equal(Errno.ESRCH, Assert.Throws<KernelException>(() => ChildProcess.FromProcessId(int.MaxValue)).Errno);
        int fd = Door.EventFd(0, EventFdFlags.CloseOnExec);
        Assert.Equal(Errno.EBADF, Assert.Throws<KernelException>(() => ChildProcess.FromDescriptor(fd)).Errno);
        Assert.Equal(0, Door.Close(fd));
        return Task.CompletedTask;
    });

    [Fact]
    public void It_lives_beside_the_frameworks_processes() => Run(async () =>
    {
        using var theirs = System.Diagnostics.Process.Start("true");
        using ChildProcess ours = ChildProcess.Start("sh", "-c", "exit 3");
        await theirs.WaitForExitAsync();
        Assert.Equal((0, 3), (theirs.ExitCode, (await ours.WaitForExitAsync()).ExitCode));
    });

    [Fact]
    public void Fifty_children_at_once_are_all_told_of() => Run(async () =>
    {
        ChildProcess[] children = [.. Enumerable.Range(0, 50).Select(i => ChildProcess.Start("sh", "-c", $"exit {i}"))];
        for (int i = 0; i < children.Length; i++)
        {
            Assert.Equal(i, (await children[i].WaitForExitAsync()).ExitCode);
            children[i].Dispose();
        }
    });

    [Fact]
    public void It_belongs_to_its_loop() => Run(async () =>
    {
        using ChildProcess child = ChildProcess.Start("true");
        await Assert.ThrowsAsync<InvalidOperationException>(() => Task.Run(() => child.Kill()));
        await Assert.ThrowsAsync<InvalidOperationException>(() => Task.Run(child.Dispose));
        await child.WaitForExitAsync();
    });

    private ChildStatus Look(int pidFd, WaitFlags flags = WaitFlags.NoReap)
    {
        int result = InnerKernel.WaitId(pidFd, flags | WaitFlags.Exited | WaitFlags.NoHang, out ChildStatus status);
        return result < 0 ? throw new KernelException("waitid", pidFd, (Errno)(-result)) : status;
    }

    private unsafe void UntilEnded(int pidFd)
    {
        var entry = new PollEntry { Descriptor = pidFd, Events = (short)EpollEvents.In };
        Assert.Equal(1, InnerKernel.Poll(&entry, 1, 30_000));
    }
}
