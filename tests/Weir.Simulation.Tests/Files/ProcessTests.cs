using System.Buffers.Binary;

namespace Weir.Simulation.Tests;

public unsafe class ProcessTests
{
    [Fact]
    public void A_pidfd_is_readable_at_the_exit_and_hung_up_once_the_child_is_reaped()
        => Simulate(kernel =>
        {
            SimKernel child = kernel.Fork("child");
            int fd = kernel.PidFdOpen(child.ProcessId), epoll = kernel.EpollCreate1(0);
            byte* entry = stackalloc byte[16];
            EpollEventLayout.Set(entry, 0, EpollEvents.In | EpollEvents.EdgeTriggered, 0);
            Assert.Equal(0, kernel.EpollCtl(epoll, EpollOp.Add, fd, entry));
            Assert.Equal((int)FileFlags.ReadWrite, kernel.Fcntl(fd, FcntlCommand.GetStatusFlags, 0));
            Assert.Equal(1, kernel.Fcntl(fd, FcntlCommand.GetDescriptorFlags, 0));
            Assert.Equal(-(int)Errno.EINVAL, kernel.Read(fd, entry, 4));
            Assert.Equal(EpollEvents.None, Next());
            Assert.Equal(0, kernel.WaitFor(child.ProcessId, out _, block: false));
            child.Exit(3);
            Assert.Equal(EpollEvents.In, Next());
            int late = kernel.PidFdOpen(child.ProcessId); // a zombie can be opened
            Assert.Equal(EpollEvents.In | EpollEvents.RdNorm, kernel.Descriptors.Find(late)!.Poll());
            Assert.Equal(child.ProcessId, kernel.WaitFor(child.ProcessId, out int status));
            Assert.Equal(3 << 8, status);
            Assert.Equal(EpollEvents.In | EpollEvents.Hup, Next());
            Assert.Equal(-(int)Errno.ESRCH, kernel.PidFdOpen(child.ProcessId));
            Assert.Equal(-(int)Errno.ECHILD, kernel.WaitFor(child.ProcessId, out _));
            Assert.Equal(-(int)Errno.EINVAL, kernel.PidFdOpen(0));
            Assert.Equal(-(int)Errno.EINVAL, kernel.PidFdOpen(-1));
            Assert.Equal(-(int)Errno.ESRCH, kernel.PidFdOpen(4_000_000));
            Assert.True(kernel.PidFdOpen(kernel.ProcessId) > 0);

            EpollEvents Next()
            {
                byte* entry = stackalloc byte[16];
                return kernel.EpollWait(epoll, entry, 1, 0) == 1 ? EpollEventLayout.Events(entry, 0) : EpollEvents.None;
            }
        });

    [Fact]
    public void The_parent_gets_SIGCHLD_with_the_status()
        => Simulate(kernel =>
        {
            kernel.BlockSignals(SignalNumbers.Bit(SignalNumbers.Child));
            int fd = kernel.SignalFd(-1, SignalNumbers.Bit(SignalNumbers.Child));
            byte* info = stackalloc byte[128];
            SimKernel child = kernel.Fork("child");
            child.Exit(3);
            Assert.Equal(128, kernel.Read(fd, info, 128));
            Assert.Equal((SignalNumbers.Child, SignalInfo.ChildExited, child.ProcessId, 3), (Field(info, 0), Field(info, 8), Field(info, 12), Field(info, 40)));
            child = kernel.Fork("another");
            child.Raise(SignalNumbers.Kill);
            Assert.Equal(128, kernel.Read(fd, info, 128));
            Assert.Equal((SignalInfo.ChildKilled, child.ProcessId, 9), (Field(info, 8), Field(info, 12), Field(info, 40)));
        });

    [Fact]
    public void Where_SIGCHLD_is_ignored_children_are_not_waited_for()
        => Simulate(kernel =>
        {
            kernel.IgnoreSignal(SignalNumbers.Child);
            SimKernel child = kernel.Fork("child");
            child.Exit(0);
            Assert.Equal(-(int)Errno.ECHILD, kernel.WaitFor(child.ProcessId, out _));
        });

    [Fact]
    public void The_end_of_a_process_closes_its_descriptors_and_frees_its_children()
        => Simulate(kernel =>
        {
            int* fds = stackalloc int[2];
            kernel.Pipe2(fds, FileFlags.NonBlock);
            SimKernel child = kernel.Fork("child"), grandchild = child.Fork("grandchild");
            grandchild.Exit(0);
            kernel.Close(fds[1]);
            byte one;
            Assert.Equal(-(int)Errno.EAGAIN, kernel.Read(fds[0], &one, 1)); // the child could still write
            child.Exit(0);
            Assert.Equal(0, kernel.Read(fds[0], &one, 1));
            Assert.True(grandchild.IsReaped);
            Assert.False(child.IsReaped);
        });

    [Fact]
    public void A_parent_waits_for_a_child_that_ends_itself()
    {
        int status = 0;
        bool returned = false;
        Sim.Run(
            1,
            sim =>
            {
                SimKernel child = sim.Kernel.Fork("child");
                sim.Thread(
                    "child",
                    () =>
                    {
                        child.EventFd(0, 0);
                        child.Exit(7);
                        returned = true;
                    },
                    child);
                sim.Thread("parent", () => Assert.Equal(child.ProcessId, sim.Kernel.WaitFor(child.ProcessId, out status)));
                return Task.CompletedTask;
            },
            Threads.Options(SimMode.Threads));
        Assert.Equal(7 << 8, status);
        Assert.False(returned);
    }

    private static int Field(byte* info, int offset) => BinaryPrimitives.ReadInt32LittleEndian(new ReadOnlySpan<byte>(info + offset, 4));

    // On a thread of its own. Of a process's threads the first says whether an ignored signal is kept: that is the loop beside it.
    private static void Simulate(Action<SimKernel> body)
        => Threads.Simulate(1, kernel =>
        {
            kernel.BlockSignals(ulong.MaxValue);
            return [() => body(kernel)];
        });
}
