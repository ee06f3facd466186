using System.Diagnostics;

namespace Weir.Tests;

/// <summary>User events and timers: events without a descriptor of their own.</summary>
public sealed class PollerSourceTests : IDisposable
{
    private readonly TestDescriptors _fds = new();
    private readonly CountingKernel _kernel = new();
    private readonly Poller _poller;

    public PollerSourceTests() => _poller = new Poller(new PollerOptions { Kernel = _kernel });

    public void Dispose()
    {
        _poller.Dispose();
        _fds.Dispose();
    }

    [Fact]
    public void A_triggered_user_event_is_reported_once_with_its_count()
    {
        _poller.AddUserEvent(5);
        Assert.Empty(_poller.Ready());
        for (int i = 0; i < 3; i++)
            Assert.True(_poller.Trigger(5));
        PollerEvent triggered = Assert.Single(_poller.Ready());
        Assert.Equal((5, PollerEventKind.User, 3L, EpollEvents.None), (triggered.Key, triggered.Kind, triggered.Count, triggered.Events));
        Assert.Empty(_poller.Ready());
        Assert.True(_poller.Trigger(5));
        Assert.Equal(1, Assert.Single(_poller.Ready()).Count);
    }

    [Fact]
    public void User_events_need_no_descriptor_and_no_system_call_while_nobody_waits()
    {
        _kernel.Reset();
        for (nint key = 0; key < 100; key++)
        {
            _poller.AddUserEvent(key);
            _poller.Trigger(key);
        }

        Assert.Equal(0, _kernel.Total);
        Assert.Equal(100, _poller.Ready(room: 100).Length + _poller.Ready(room: 100).Length);
    }

    [Fact]
    public void A_trigger_wakes_one_blocked_waiter()
    {
        _poller.AddUserEvent(5);
        WaitingThread<PollerEvent[]> first = _poller.BlockedWait();
        WaitingThread<PollerEvent[]> second = _poller.BlockedWait();
        _poller.Trigger(5);
        SpinWait.SpinUntil(() => first.HasEnded || second.HasEnded, TimeSpan.FromSeconds(30));
        WaitingThread<PollerEvent[]> other = first.HasEnded ? second : first;
        other.UntilBlocked();
        Assert.Equal(1, _kernel.Count(nameof(Kernel.Write)));
        _poller.Trigger(5);
        Assert.Equal(5, Assert.Single(first.Result()).Key);
        Assert.Equal(5, Assert.Single(second.Result()).Key);
    }

    [Fact]
    public void User_events_without_room_wait_for_the_next_wait()
    {
        for (nint key = 0; key < 5; key++)
        {
            _poller.AddUserEvent(key);
            _poller.Trigger(key);
        }

        Assert.Equal([0, 1], _poller.ReadyKeys(room: 2));
        Assert.Equal([2, 3], _poller.ReadyKeys(room: 2));
        Assert.Equal([4], _poller.ReadyKeys(room: 2));
        Assert.Empty(_poller.Ready());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void User_events_and_descriptors_do_not_starve_each_other(int room)
    {
        _poller.Add(_fds.EventFd(1), EpollEvents.In, key: 100);
        _poller.Add(_fds.EventFd(1), EpollEvents.In, key: 101);
        _poller.Add(_fds.EventFd(1), EpollEvents.In, key: 102);
        for (nint key = 0; key < 3; key++)
            _poller.AddUserEvent(key);
        Dictionary<nint, int> seen = [];
        for (int i = 0; i < 60; i++)
        {
            for (nint key = 0; key < 3; key++)
                _poller.Trigger(key);
            foreach (nint key in _poller.ReadyKeys(room))
                seen[key] = seen.GetValueOrDefault(key) + 1;
        }

        Assert.Equal(6, seen.Count);
        Assert.All(seen.Values, times => Assert.True(times >= 60 * room / 6 / 2, string.Join(' ', seen)));
    }

    [Fact]
    public void A_removed_user_event_is_not_reported()
    {
        _poller.AddUserEvent(5);
        _poller.Trigger(5);
        Assert.True(_poller.RemoveUserEvent(5));
        Assert.False(_poller.RemoveUserEvent(5));
        Assert.False(_poller.Trigger(5));
        _poller.AddUserEvent(5);
        Assert.Empty(_poller.Ready());
        Assert.Throws<ArgumentException>(() => _poller.AddUserEvent(5));
    }

    [Fact]
    public void A_timer_fires_once_and_not_early()
    {
        long start = Stopwatch.GetTimestamp();
        _poller.SetTimer(5, TimeSpan.FromMilliseconds(3));
        PollerEvent[] events = new PollerEvent[4];
        Assert.Equal(1, _poller.Wait(events));
        Assert.True(Stopwatch.GetElapsedTime(start) >= TimeSpan.FromMilliseconds(3));
        Assert.Equal((5, PollerEventKind.Timer, 1L), (events[0].Key, events[0].Kind, events[0].Count));
        Assert.False(_poller.RemoveTimer(5));
        Assert.Empty(_poller.Ready());
    }

    [Fact]
    public void Timers_come_in_the_order_of_their_deadlines_through_one_descriptor()
    {
        nint[] order = [4, 2, 0, 3, 1];
        foreach (nint key in order)
            _poller.SetTimer(key, TimeSpan.FromMilliseconds(1 + key));
        List<nint> fired = [];
        PollerEvent[] events = new PollerEvent[8];
        while (fired.Count < order.Length)
            fired.AddRange(events[.._poller.Wait(events)].Select(e => e.Key));
        Assert.Equal([0, 1, 2, 3, 4], fired);
        Assert.Equal(1, _kernel.Count(nameof(Kernel.TimerFdCreate)));
        Assert.Equal(0, _kernel.Count(nameof(Kernel.Read)));
    }

    [Fact]
    public void Expirations_that_nobody_waited_for_come_as_one_event_with_their_number()
    {
        TimeSpan period = TimeSpan.FromMilliseconds(1);
        long start = Stopwatch.GetTimestamp();
        _poller.SetTimer(5, period, period);
        long set = Stopwatch.GetTimestamp();
        PollerEvent[] events = new PollerEvent[4];
        Assert.True(SpinWait.SpinUntil(() => Stopwatch.GetElapsedTime(set) > 10 * period, TimeSpan.FromSeconds(30)));
        Assert.Equal(1, _poller.Wait(events));
        long most = (long)(Stopwatch.GetElapsedTime(start) / period);
        Assert.InRange(events[0].Count, 10, most);
        Assert.Equal(1, _poller.Wait(events)); // and it goes on
        Assert.True(_poller.RemoveTimer(5));
        Assert.Empty(_poller.Ready());
    }

    [Fact]
    public void Periods_do_not_drift()
    {
        TimeSpan period = TimeSpan.FromMicroseconds(500);
        long start = Stopwatch.GetTimestamp();
        _poller.SetTimer(5, period, period);
        PollerEvent[] events = new PollerEvent[4];
        long expirations = 0;
        while (expirations < 20)
        {
            Assert.Equal(1, _poller.Wait(events));
            expirations += events[0].Count;
            Assert.True(expirations <= Stopwatch.GetElapsedTime(start) / period);
        }
    }

    [Fact]
    public void Setting_a_timer_again_drops_what_it_had_pending()
    {
        _poller.SetTimer(5, TimeSpan.Zero);
        _poller.SetTimer(5, TimeSpan.FromHours(1));
        Assert.Empty(_poller.Ready());
        _poller.SetTimer(5, TimeSpan.Zero);
        Assert.Equal(1, _poller.Wait(new PollerEvent[1]));
    }

    [Fact]
    public void An_earlier_timer_set_by_another_thread_wakes_a_blocked_waiter()
    {
        _poller.SetTimer(1, TimeSpan.FromHours(1));
        WaitingThread<PollerEvent[]> waiter = _poller.BlockedWait();
        _poller.SetTimer(2, TimeSpan.FromMilliseconds(1));
        Assert.Equal(2, Assert.Single(waiter.Result()).Key);
    }

    [Fact]
    public void Due_timers_without_room_come_with_the_next_wait()
    {
        for (nint key = 0; key < 5; key++)
            _poller.SetTimer(key, TimeSpan.Zero);
        List<nint> fired = [];
        PollerEvent[] one = new PollerEvent[1];
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal(1, _poller.Wait(one));
            fired.Add(one[0].Key);
        }

        Assert.Equal([0, 1, 2, 3, 4], fired.Order());
        Assert.Empty(_poller.Ready());
    }

    [Fact]
    public void A_timer_that_nobody_can_hear_costs_no_descriptor_when_it_cannot_be_made()
    {
        _kernel.FailNext(nameof(Kernel.TimerFdCreate), Errno.EMFILE);
        Assert.Equal(Errno.EMFILE, Assert.Throws<KernelException>(() => _poller.SetTimer(1, TimeSpan.Zero)).Errno);
        _kernel.FailNext(nameof(Kernel.EpollCtl), Errno.ENOSPC);
        Assert.Equal(Errno.ENOSPC, Assert.Throws<KernelException>(() => _poller.SetTimer(1, TimeSpan.Zero)).Errno);
        Assert.Equal(1, _kernel.Count(nameof(Kernel.Close)));
        _poller.SetTimer(1, TimeSpan.Zero);
        Assert.Equal(1, _poller.Wait(new PollerEvent[1]));
    }

    [Fact]
    public void Negative_times_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => _poller.SetTimer(1, TimeSpan.FromTicks(-1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => _poller.SetTimer(1, TimeSpan.Zero, TimeSpan.FromTicks(-1)));
        _poller.SetTimer(1, TimeSpan.MaxValue, TimeSpan.MaxValue);
        Assert.True(_poller.RemoveTimer(1));
    }

    [Fact]
    public void A_thousand_timers_moved_and_removed_at_random_fire_as_they_should()
    {
        Random random = new(1);
        HashSet<nint> expected = [];
        for (int i = 0; i < 5000; i++)
        {
            nint key = random.Next(1000);
            if (random.Next(3) == 0)
            {
                Assert.Equal(expected.Remove(key), _poller.RemoveTimer(key));
            }
            else
            {
                _poller.SetTimer(key, TimeSpan.FromHours(1) + TimeSpan.FromTicks(random.Next(1_000_000)));
                expected.Add(key);
            }
        }

        foreach (nint key in expected)
            _poller.SetTimer(key, TimeSpan.FromTicks(random.Next(10_000)));
        PollerEvent[] events = new PollerEvent[64];
        while (expected.Count > 0)
        {
            int count = _poller.Wait(events);
            foreach (PollerEvent fired in events[..count])
                Assert.True(expected.Remove(fired.Key));
        }

        Assert.Empty(_poller.Ready());
    }
}
