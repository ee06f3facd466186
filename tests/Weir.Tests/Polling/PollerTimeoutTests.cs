using System.Diagnostics;

namespace Weir.Tests;

public sealed class PollerTimeoutTests : IDisposable
{
    private readonly TestDescriptors _fds = new();
    private readonly CountingKernel _kernel = new();
    private readonly Poller _poller;
    private readonly PollerEvent[] _events = new PollerEvent[4];

    public PollerTimeoutTests() => _poller = new Poller(new PollerOptions { Kernel = _kernel });

    public void Dispose()
    {
        _poller.Dispose();
        _fds.Dispose();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(999)]
    [InlineData(30_001)]
    [InlineData(999_999)]
    [InlineData(1_000_001)]
    [InlineData(3_700_000)]
    public void A_wait_is_never_early(long nanoseconds)
    {
        for (int i = 0; i < 5; i++)
        {
            long start = Stopwatch.GetTimestamp();
            Assert.Equal(0, _poller.WaitNanoseconds(_events, nanoseconds));
            Assert.True(Stopwatch.GetTimestamp() - start >= nanoseconds);
        }
    }

    [Fact]
    public void A_wait_of_a_fraction_of_a_millisecond_is_one_system_call_and_not_a_spin()
    {
        _kernel.Reset();
        Assert.Equal(0, _poller.Wait(_events, TimeSpan.FromMicroseconds(300)));
        Assert.Equal(1, _kernel.Total);
        Assert.Equal(1, _kernel.Count(nameof(Kernel.EpollPWait2)));
    }

    [Fact]
    public void A_signal_does_not_shorten_a_wait()
    {
        _kernel.FailNext(nameof(Kernel.EpollPWait2), Errno.EINTR, times: 3);
        long start = Stopwatch.GetTimestamp();
        Assert.Equal(0, _poller.WaitNanoseconds(_events, 2_000_000));
        Assert.True(Stopwatch.GetTimestamp() - start >= 2_000_000);
    }

    [Fact]
    public void A_signal_makes_a_wait_begin_again()
    {
        int fd = _fds.EventFd(1);
        _poller.Add(fd, EpollEvents.In, key: 7);
        _kernel.Reset();
        _kernel.FailNext(nameof(Kernel.EpollPWait2), Errno.EINTR, times: 3);
        Assert.Equal(1, _poller.Wait(_events, TimeSpan.FromHours(1)));
        Assert.Equal(4, _kernel.Count(nameof(Kernel.EpollPWait2)));
    }

    [Fact]
    public void A_signal_does_not_end_a_wait_without_limit()
    {
        int fd = _fds.EventFd(1);
        _poller.Add(fd, EpollEvents.In, key: 7);
        _kernel.FailNext(nameof(Kernel.EpollWait), Errno.EINTR, times: 2);
        Assert.Equal(1, _poller.Wait(_events));
    }

    [Fact]
    public void A_stale_event_does_not_shorten_a_wait()
    {
        (int read, int write) = _fds.Pipe();
        int ghost = _fds.PrivateDuplicate(read);
        _poller.Add(ghost, EpollEvents.In, key: 7, PollerMode.Edge);
        _fds.Close(ghost);
        Assert.False(_poller.Remove(ghost));
        TestDescriptors.Write(write);
        long start = Stopwatch.GetTimestamp();
        Assert.Equal(0, _poller.WaitNanoseconds(_events, 2_000_000));
        Assert.True(Stopwatch.GetTimestamp() - start >= 2_000_000);
        Assert.Equal(1, _poller.GetStatistics().StaleEvents);
    }

    [Fact]
    public void Zero_only_looks()
    {
        Assert.Equal(0, _poller.Wait(_events, TimeSpan.Zero));
        Assert.Equal(1, _kernel.Count(nameof(Kernel.EpollWait)));
    }

    [Fact]
    public void Times_beyond_64_bits_of_nanoseconds_are_as_good_as_for_ever()
    {
        _poller.Add(_fds.EventFd(1), EpollEvents.In, key: 7);
        Assert.Equal(1, _poller.Wait(_events, TimeSpan.MaxValue));
        Assert.Equal(1, _poller.WaitNanoseconds(_events, long.MaxValue));
    }

    [Fact]
    public void Negative_times_other_than_infinite_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => _poller.Wait(_events, TimeSpan.FromSeconds(-1)));
        Assert.Throws<ArgumentException>(() => _poller.Wait([], TimeSpan.Zero));
        _poller.Wake();
        Assert.Equal(0, _poller.Wait(_events, Timeout.InfiniteTimeSpan));
    }

    [Fact]
    public void A_failure_of_the_wait_itself_is_thrown_with_the_name_of_the_call()
    {
        _kernel.FailNext(nameof(Kernel.EpollWait), Errno.EFAULT);
        KernelException failure = Assert.Throws<KernelException>(() => _poller.Wait(_events, TimeSpan.Zero));
        Assert.Equal(Errno.EFAULT, failure.Errno);
        Assert.Contains("epoll_wait", failure.Message);
        Assert.Equal(0, _poller.GetStatistics().Waiters);
    }
}
