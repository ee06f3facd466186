namespace Weir.Tests;

public sealed class PollerWakeTests : IDisposable
{
    private readonly TestDescriptors _fds = new();
    private readonly CountingKernel _kernel = new();
    private readonly Poller _poller;

    public PollerWakeTests() => _poller = new Poller(new PollerOptions { Kernel = _kernel });

    public void Dispose()
    {
        _poller.Dispose();
        _fds.Dispose();
    }

    [Fact]
    public void A_wake_ends_a_blocked_wait_with_one_write_and_no_read()
    {
        WaitingThread<PollerEvent[]> waiter = _poller.BlockedWait();
        _poller.Wake();
        Assert.Empty(waiter.Result());
        Assert.Equal(1, _kernel.Count(nameof(Kernel.Write)));
        Assert.Equal(0, _kernel.Count(nameof(Kernel.Read)));
        Assert.Equal(1, _poller.GetStatistics().WakeWrites);
    }

    [Fact]
    public void A_wake_before_the_wait_makes_it_return_at_once_and_costs_no_system_call()
    {
        _poller.Wake();
        Assert.Equal(0, _kernel.Count(nameof(Kernel.Write)));
        Assert.Equal(0, _poller.Wait(new PollerEvent[1]));
    }

    [Fact]
    public void Wakes_do_not_add_up()
    {
        for (int i = 0; i < 100; i++)
            _poller.Wake();
        Assert.Equal(0, _poller.Wait(new PollerEvent[1]));
        WaitingThread<PollerEvent[]> second = _poller.BlockedWait();
        _poller.Wake();
        Assert.Empty(second.Result());
        Assert.Equal(1, _kernel.Count(nameof(Kernel.Write)));
    }

    [Fact]
    public void A_wake_wakes_one_of_several_waiters()
    {
        WaitingThread<PollerEvent[]>[] waiters = [_poller.BlockedWait(), _poller.BlockedWait(), _poller.BlockedWait()];
        for (int left = 3; left > 0; left--)
        {
            _poller.Wake();
            SpinWait.SpinUntil(() => waiters.Count(w => !w.HasEnded) < left, TimeSpan.FromSeconds(30));
            foreach (WaitingThread<PollerEvent[]> waiter in waiters.Where(w => !w.HasEnded))
                waiter.UntilBlocked();
            Assert.Equal(left - 1, waiters.Count(w => !w.HasEnded));
        }

        Assert.Equal(3, _kernel.Count(nameof(Kernel.Write)));
    }

    [Fact]
    public void A_flood_of_wakes_costs_no_more_writes_than_waits_take_wakes()
    {
        int taken = 0;
        bool stop = false;
        WaitingThread<int> waiter = new(() =>
        {
            PollerEvent[] events = new PollerEvent[1];
            while (!Volatile.Read(ref stop)) // set by the test's thread before its last wake
            {
                Assert.Equal(0, _poller.Wait(events));
                taken++;
            }

            return taken;
        });
        waiter.UntilBlocked();
        Parallel.For(0, 4, _ =>
        {
            for (int i = 0; i < 5000; i++)
                _poller.Wake();
        });
        Volatile.Write(ref stop, true);
        _poller.Wake();
        long result = waiter.Result();

        // A write needs a wake while none is pending, so somebody has taken the one before. A wait may take two, one before it looks
        // into the kernel and one after, and reports them as one.
        Assert.InRange(_kernel.Count(nameof(Kernel.Write)), 1, 2 * result + 1);
    }

    [Fact]
    public void No_wake_is_lost_between_a_waiter_that_falls_asleep_and_one_who_wakes_it()
    {
        // Ping-pong through nothing but wakes: one lost wake and it stands still.
        using Poller other = new();
        const int Rounds = 3_000;
        int served = 0;
        WaitingThread<int> echo = new(() =>
        {
            PollerEvent[] events = new PollerEvent[1];
            for (int i = 0; i < Rounds; i++)
            {
                Assert.Equal(0, _poller.Wait(events));
                other.Wake();
            }

            return Rounds;
        });
        WaitingThread<int> driver = new(() =>
        {
            PollerEvent[] events = new PollerEvent[1];
            for (; served < Rounds; served++)
            {
                _poller.Wake();
                Assert.Equal(0, other.Wait(events));
            }

            return served;
        });
        Assert.Equal(Rounds, driver.Result());
        Assert.Equal(Rounds, echo.Result());
    }

    [Fact]
    public void A_wake_comes_together_with_events_that_are_ready()
    {
        _poller.Add(_fds.EventFd(1), EpollEvents.In, key: 7, PollerMode.Edge);
        _poller.Wake();
        Assert.Equal([7], _poller.ReadyKeys());
        Assert.Equal(0, _poller.Wait(new PollerEvent[1], TimeSpan.Zero));
        WaitingThread<PollerEvent[]> waiter = _poller.BlockedWait(); // the wake is used up
        _poller.Wake();
        Assert.Empty(waiter.Result());
    }

    [Fact]
    public void A_write_interrupted_by_a_signal_is_made_again()
    {
        WaitingThread<PollerEvent[]> waiter = _poller.BlockedWait();
        _kernel.FailNext(nameof(Kernel.Write), Errno.EINTR, times: 2);
        _poller.Wake();
        Assert.Empty(waiter.Result());
        Assert.Equal(3, _kernel.Count(nameof(Kernel.Write)));
    }
}
