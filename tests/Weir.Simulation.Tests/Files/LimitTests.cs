namespace Weir.Simulation.Tests;

public unsafe class LimitTests
{
    [Fact]
    public void Without_a_free_number_calls_fail_with_EMFILE_and_leave_nothing_behind()
        => TwoKernels.Simulated(probe =>
        {
            var kernel = (SimKernel)probe.Kernel;
            int* fds = stackalloc int[2];
            int open = kernel.Machine.OpenFiles;
            Assert.Equal(0, kernel.SetResourceLimit(ResourceLimit.OpenFiles, 4, 1024));
            Assert.Equal(-(int)Errno.EINVAL, kernel.Pipe2(fds, FileFlags.Append));
            Assert.Equal(-(int)Errno.EMFILE, kernel.Pipe2(fds, 0)); // one number is not enough
            Assert.Equal(3, kernel.EventFd(0, 0));
            Assert.Equal(-(int)Errno.EMFILE, probe.Open("/tmp/new", FileFlags.ReadWrite | FileFlags.Create, "new"));
            Assert.Equal(-(int)Errno.EMFILE, probe.Open("/none", FileFlags.ReadOnly, "none"));
            Assert.Equal(-(int)Errno.ENOENT, probe.Open("", FileFlags.ReadOnly, "empty"));
            Assert.Equal(-(int)Errno.EMFILE, kernel.EventFd(0, 0));
            Assert.Equal(-(int)Errno.EMFILE, kernel.EpollCreate1(0));
            Assert.Equal(-(int)Errno.EMFILE, kernel.TimerFdCreate(ClockId.Monotonic));
            Assert.Equal(-(int)Errno.EINVAL, kernel.TimerFdCreate((ClockId)77));
            Assert.Equal(-(int)Errno.EMFILE, kernel.SignalFd(-1, 1));
            Assert.Equal(-(int)Errno.EMFILE, kernel.PidFdOpen(kernel.ProcessId));
            Assert.Equal(-(int)Errno.EINVAL, kernel.PidFdOpen(-1));
            Assert.Equal(-(int)Errno.EMFILE, kernel.Fcntl(0, FcntlCommand.DupCloseOnExec, 0));
            Assert.Equal(-(int)Errno.EINVAL, kernel.Fcntl(0, FcntlCommand.DupCloseOnExec, 4));
            Assert.Equal(-(int)Errno.EBADF, kernel.Dup3(0, 4, 0));
            Assert.Equal(open + 1, kernel.Machine.OpenFiles);
            Assert.Equal(0, kernel.SetResourceLimit(ResourceLimit.OpenFiles, 1024, 1024));
            Assert.Equal(-(int)Errno.ENOENT, probe.Open("/tmp/new", FileFlags.ReadWrite, "new"));
        });

    [Fact]
    public void A_machine_full_of_open_files_refuses_more_with_ENFILE()
        => TwoKernels.Simulated(probe =>
        {
            var kernel = (SimKernel)probe.Kernel;
            Machine machine = kernel.Machine;
            int* fds = stackalloc int[2];
            machine.MaxOpenFiles = machine.OpenFiles + 2;
            int counter = kernel.EventFd(0, 0);
            Assert.Equal(-(int)Errno.ENFILE, kernel.Pipe2(fds, 0));
            int copy = kernel.Fcntl(counter, FcntlCommand.DupCloseOnExec, 0); // a number more, but no file
            Assert.True(copy > counter);
            Assert.True(kernel.EventFd(0, 0) > copy);
            Assert.Equal(-(int)Errno.ENFILE, kernel.EventFd(0, 0));
            Assert.Equal(-(int)Errno.ENFILE, kernel.EpollCreate1(0));
            Assert.Equal(-(int)Errno.ENFILE, probe.Open("/none", FileFlags.ReadOnly, "none"));
            Assert.Equal(0, kernel.Close(counter));
            Assert.Equal(-(int)Errno.ENFILE, kernel.EventFd(0, 0)); // the copy still has it
            Assert.Equal(0, kernel.Close(copy));
            Assert.Equal(counter, kernel.EventFd(0, 0));
        });

    [Fact]
    public void Files_are_counted_once_however_many_refer_to_them()
        => TwoKernels.Simulated(probe =>
        {
            var kernel = (SimKernel)probe.Kernel;
            Machine machine = kernel.Machine;
            int before = machine.OpenFiles;
            (int read, int write) = probe.Pipe();
            Assert.Equal(before + 2, machine.OpenFiles);
            SimKernel child = kernel.Fork("child");
            Assert.Equal(before + 2, machine.OpenFiles);
            probe.Close(read);
            probe.Close(write);
            Assert.Equal(before + 2, machine.OpenFiles);
            child.Exit(0);
            Assert.Equal(before, machine.OpenFiles);
            Assert.Equal(-(int)Errno.EFAULT, kernel.Pipe2((int*)Probe.Nowhere, 0));
            Assert.Equal(before, machine.OpenFiles);
        });
}
