using System.Diagnostics;
using System.Text;

namespace Weir.Tests;

public sealed unsafe class LinuxKernelTests
{
    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(0, 1, 1)]
    [InlineData(0, 999_999, 1)]
    [InlineData(0, 1_000_000, 1)]
    [InlineData(0, 1_000_001, 2)]
    [InlineData(0, 999_999_999, 1000)]
    [InlineData(5, 0, 5000)]
    [InlineData(2_147_482, 999_999_999, 2_147_483_000)]
    [InlineData(2_147_483, 0, int.MaxValue)]
    [InlineData(long.MaxValue, 999_999_999, int.MaxValue)]
    public void Waits_in_milliseconds_are_rounded_up_and_kept_within_range(long seconds, long nanoseconds, int milliseconds)
    {
        TimeSpec time = new() { Seconds = seconds, Nanoseconds = nanoseconds };
        Assert.Equal(milliseconds, LinuxKernel.WholeMilliseconds(&time));
    }

    [Fact]
    public void No_timeout_is_for_ever() => Assert.Equal(-1, LinuxKernel.WholeMilliseconds(null));

    [Theory]
    [InlineData(Errno.ENOSYS)]
    [InlineData(Errno.EPERM)]
    public void Where_a_filter_refuses_the_newer_wait_the_older_one_serves(Errno refusal)
    {
        const int EpollPWait2 = 441;
        using TestDescriptors fds = new();
        int set = fds.Keep(Kernel.Linux.EpollCreate1(FileFlags.CloseOnExec)), signalled = fds.EventFd(1);
        byte* entry = stackalloc byte[16];
        EpollEventLayout.Set(entry, 0, EpollEvents.In, 5);
        Assert.Equal(0, Kernel.Linux.EpollCtl(set, EpollOp.Add, signalled, entry));
        int[] results = TestLoop.Guard(() =>
        {
            if (!SystemCallFilter.TryRefuse(EpollPWait2, refusal))
                return [1, 1]; // filters are forbidden here, too
            var kernel = new LinuxKernel();
            TimeSpec second = TimeSpec.FromNanoseconds(1_000_000_000);
            byte* events = stackalloc byte[16];
            return new[] { kernel.EpollPWait2(set, events, 1, &second), kernel.EpollPWait2(set, events, 1, &second) };
        });
        Assert.Equal([1, 1], results);
    }

    [Fact]
    public void Failures_are_negated_error_numbers()
    {
        Kernel kernel = Kernel.Linux;
        Assert.Equal(-(int)Errno.EBADF, kernel.Close(-1));
        Assert.Equal(-(int)Errno.EBADF, kernel.EpollCtl(-1, EpollOp.Delete, -1, null));
        Assert.Equal(-(int)Errno.EINVAL, kernel.EventFd(0, (EventFdFlags)0x40000000));
        Assert.Equal(-(int)Errno.EBADF, (int)kernel.Read(-1, null, 0));
    }

    [Fact]
    public void A_bad_buffer_is_an_error_and_not_a_crash()
    {
        using TestDescriptors fds = new();
        int fd = fds.EventFd(1);
        Assert.Equal(-(int)Errno.EFAULT, (int)Kernel.Linux.Read(fd, (void*)8, 8));
    }

    [Fact]
    public void A_queue_of_signals_is_closed_on_exec_and_does_not_block()
    {
        using TestDescriptors fds = new();
        int fd = fds.Keep(Kernel.Linux.SignalFd(-1, 0));
        Assert.Equal(1, Kernel.Linux.Fcntl(fd, FcntlCommand.GetDescriptorFlags, 0));
        Assert.NotEqual(0, Kernel.Linux.Fcntl(fd, FcntlCommand.GetStatusFlags, 0) & (int)FileFlags.NonBlock);
        Assert.Equal(-(int)Errno.EINVAL, Kernel.Linux.SignalFd(fds.EventFd(), 0)); // changes a signalfd only
    }

    [Fact]
    public void A_fifo_is_a_pipe_with_a_name()
    {
        using TestDescriptors fds = new();
        string name = Path.Combine(Path.GetTempPath(), $"weir-fifo-{Guid.NewGuid():N}");
        fixed (byte* path = Encoding.UTF8.GetBytes(name + '\0'))
        {
            Assert.Equal(0, Kernel.Linux.MakeFifo(path, 0b110_000_000));
            Assert.Equal(-(int)Errno.EEXIST, Kernel.Linux.MakeFifo(path, 0b110_000_000));
            int reader = fds.Keep(Kernel.Linux.Open(path, FileFlags.ReadOnly | FileFlags.NonBlock | FileFlags.CloseOnExec, 0));
            int writer = fds.Keep(Kernel.Linux.Open(path, FileFlags.WriteOnly | FileFlags.NonBlock | FileFlags.CloseOnExec, 0));
            Assert.Equal(0, Kernel.Linux.Unlink(path));
            TestDescriptors.Write(writer, 3);
            Assert.Equal(3, TestDescriptors.Read(reader, 8));
        }
    }

    [Fact]
    public void The_monotonic_clock_does_not_go_back_and_the_real_one_is_of_this_century()
    {
        long first = Kernel.Linux.ClockGetTime(ClockId.Monotonic);
        Assert.True(Kernel.Linux.ClockGetTime(ClockId.Monotonic) >= first);
        DateTime now = DateTime.UnixEpoch.AddTicks(Kernel.Linux.ClockGetTime(ClockId.Realtime) / 100);
        Assert.True(now.Year >= 2025);
    }

    [Fact]
    public void Limits_can_be_read()
    {
        Assert.Equal(0, Kernel.Linux.GetResourceLimit(ResourceLimit.OpenFiles, out ulong soft, out ulong hard));
        Assert.InRange(soft, 1ul, hard);
    }
}

[Collection(Alone.Name)] // a child has for a moment a copy of every descriptor there is
public unsafe class LinuxKernelProcessTests
{
    [Fact]
    public void A_process_becomes_readable_when_it_ends()
    {
        using TestDescriptors fds = new();
        using Process child = Process.Start(new ProcessStartInfo("cat") { RedirectStandardInput = true })!;
        int fd = fds.Keep(Kernel.Linux.PidFdOpen(child.Id));
        Assert.Equal(1, Kernel.Linux.Fcntl(fd, FcntlCommand.GetDescriptorFlags, 0));
        PollEntry entry = new() { Descriptor = fd, Events = (short)EpollEvents.In };
        Assert.Equal(0, Kernel.Linux.Poll(&entry, 1, 0));
        child.StandardInput.Close();
        Assert.Equal(1, Kernel.Linux.Poll(&entry, 1, (int)TestLoop.Limit.TotalMilliseconds));
        Assert.NotEqual(0, entry.Returned & (short)EpollEvents.In);
        Assert.Equal(-(int)Errno.EINVAL, Kernel.Linux.PidFdOpen(0));
    }
}
