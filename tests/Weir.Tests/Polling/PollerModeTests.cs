namespace Weir.Tests;

/// <summary>What each mode reports. The numbers are those of the rules of epoll that the names paraphrase.</summary>
public sealed class PollerModeTests : IDisposable
{
    private readonly TestDescriptors _fds = new();
    private readonly Poller _poller = new();

    public void Dispose()
    {
        _poller.Dispose();
        _fds.Dispose();
    }

    [Fact]
    public void Level_reports_with_every_wait_until_the_condition_is_gone()
    {
        int fd = _fds.EventFd(1);
        _poller.Add(fd, EpollEvents.In, key: 7);
        Assert.Equal([7], _poller.ReadyKeys());
        Assert.Equal([7], _poller.ReadyKeys());
        TestDescriptors.Drain(fd);
        Assert.Empty(_poller.Ready());
    }

    [Fact]
    public void Level_takes_turns_when_there_is_not_room_for_all()
    {
        for (nint key = 1; key <= 3; key++)
            _poller.Add(_fds.EventFd(1), EpollEvents.In, key);
        Assert.Equal([1, 2], _poller.ReadyKeys(room: 2));
        Assert.Equal([3, 1], _poller.ReadyKeys(room: 2));
        Assert.Equal([2, 3], _poller.ReadyKeys(room: 2));
    }

    [Fact]
    public void Edge_reports_once_and_again_on_every_write_though_nothing_was_read()
    {
        int fd = _fds.EventFd();
        _poller.Add(fd, EpollEvents.In, key: 7, PollerMode.Edge);
        Assert.Empty(_poller.Ready());
        for (int i = 0; i < 3; i++)
        {
            TestDescriptors.Signal(fd);
            Assert.Equal([7], _poller.ReadyKeys());
            Assert.Empty(_poller.Ready());
        }
    }

    [Fact]
    public void Edge_merges_writes_between_two_waits()
    {
        (int left, int right) = _fds.SocketPair();
        _poller.Add(left, EpollEvents.In, key: 7, PollerMode.Edge);
        TestDescriptors.Write(right);
        TestDescriptors.Write(right);
        Assert.Equal([7], _poller.ReadyKeys());
        Assert.Empty(_poller.Ready());
    }

    [Fact]
    public void Edge_reports_the_whole_state_and_not_what_changed()
    {
        (int left, int right) = _fds.SocketPair();
        _poller.Add(left, EpollEvents.In | EpollEvents.Out | EpollEvents.RdHup, key: 7, PollerMode.Edge);
        Assert.Equal(EpollEvents.Out, Assert.Single(_poller.Ready()).Events);
        TestDescriptors.Write(right);
        Assert.Equal(EpollEvents.In | EpollEvents.Out, Assert.Single(_poller.Ready()).Events);
        _fds.Close(right);
        Assert.Equal(
            EpollEvents.In | EpollEvents.Out | EpollEvents.RdHup | EpollEvents.Hup,
            Assert.Single(_poller.Ready()).Events);
    }

    [Fact]
    public void An_edge_whose_condition_is_gone_before_the_wait_is_not_reported()
    {
        int fd = _fds.EventFd();
        _poller.Add(fd, EpollEvents.In, key: 7, PollerMode.Edge);
        TestDescriptors.Signal(fd);
        TestDescriptors.Drain(fd);
        Assert.Empty(_poller.Ready());
    }

    [Fact]
    public void Modifying_an_edge_arms_it_again()
    {
        int fd = _fds.EventFd(1);
        _poller.Add(fd, EpollEvents.In, key: 7, PollerMode.Edge);
        Assert.Equal([7], _poller.ReadyKeys());
        Assert.Empty(_poller.Ready());
        _poller.Modify(fd, EpollEvents.In, key: 8, PollerMode.Edge);
        Assert.Equal([8], _poller.ReadyKeys());
    }

    [Fact]
    public void Level_becomes_edge_and_back_by_modifying()
    {
        int fd = _fds.EventFd(1);
        _poller.Add(fd, EpollEvents.In, key: 7);
        Assert.Equal([7], _poller.ReadyKeys());
        _poller.Modify(fd, EpollEvents.In, key: 7, PollerMode.Edge);
        Assert.Equal([7], _poller.ReadyKeys());
        Assert.Empty(_poller.Ready());
        _poller.Modify(fd, EpollEvents.In, key: 7);
        Assert.Equal([7], _poller.ReadyKeys());
        Assert.Equal([7], _poller.ReadyKeys());
    }

    [Theory]
    [InlineData(PollerMode.OneShot)]
    [InlineData(PollerMode.OneShot | PollerMode.Edge)]
    public void One_shot_is_silent_after_its_event_until_modified(PollerMode mode)
    {
        (int left, int right) = _fds.SocketPair();
        _poller.Add(left, EpollEvents.In, key: 7, mode);
        TestDescriptors.Write(right);
        Assert.Equal([7], _poller.ReadyKeys());
        TestDescriptors.Write(right);
        Assert.Empty(_poller.Ready());
        _fds.Close(right); // not even HUP is reported (35)
        Assert.Empty(_poller.Ready());
        _poller.Modify(left, EpollEvents.In, key: 8, mode);
        Assert.Equal([8], _poller.ReadyKeys());
        Assert.Empty(_poller.Ready());
    }

    [Fact]
    public void One_shot_stays_registered_after_its_event()
    {
        int fd = _fds.EventFd(1);
        _poller.Add(fd, EpollEvents.In, key: 7, PollerMode.OneShot);
        Assert.Equal([7], _poller.ReadyKeys());
        Assert.Equal(Errno.EEXIST, Assert.Throws<KernelException>(() => _poller.Add(fd, EpollEvents.In, key: 8)).Errno);
        _poller.Modify(fd, EpollEvents.In, key: 9, PollerMode.OneShot);
        Assert.Equal([9], _poller.ReadyKeys());
    }

    [Fact]
    public void One_shot_is_not_used_up_by_a_wait_without_room_for_it()
    {
        _poller.Add(_fds.EventFd(1), EpollEvents.In, key: 1, PollerMode.OneShot);
        _poller.Add(_fds.EventFd(1), EpollEvents.In, key: 2, PollerMode.OneShot);
        Assert.Equal([1], _poller.ReadyKeys(room: 1));
        Assert.Equal([2], _poller.ReadyKeys(room: 1));
        Assert.Empty(_poller.Ready());
    }

    [Fact]
    public void Hang_up_is_reported_without_being_asked_for()
    {
        (int read, int write) = _fds.Pipe();
        _poller.Add(read, EpollEvents.None, key: 7);
        TestDescriptors.Write(write);
        Assert.Empty(_poller.Ready());
        _fds.Close(write);
        PollerEvent ended = Assert.Single(_poller.Ready());
        Assert.Equal(EpollEvents.Hup, ended.Events);
        Assert.True(ended.IsReadable && ended.IsWritable);
    }

    [Fact]
    public void A_half_closed_peer_is_reported_only_to_who_asks()
    {
        (int left, int right) = _fds.SocketPair();
        _poller.Add(left, EpollEvents.RdHup, key: 7);
        Assert.Empty(_poller.Ready());
        Assert.Equal(0, Kernel.Linux.Shutdown(right, ShutdownHow.Write));
        Assert.Equal(EpollEvents.RdHup, Assert.Single(_poller.Ready()).Events);
    }

    [Fact]
    public void Exclusive_wakes_the_waiter_of_one_poller()
    {
        int fd = _fds.EventFd();
        using Poller second = new();
        _poller.Add(fd, EpollEvents.In, key: 1, PollerMode.Exclusive | PollerMode.Edge);
        second.Add(fd, EpollEvents.In, key: 2, PollerMode.Exclusive | PollerMode.Edge);
        WaitingThread<PollerEvent[]> first = _poller.BlockedWait();
        WaitingThread<PollerEvent[]> other = second.BlockedWait();

        TestDescriptors.Signal(fd);
        Assert.Equal(1, Assert.Single(first.Result()).Key); // the first to register wins (39)
        Assert.False(other.HasEnded);
        other.UntilBlocked();
        second.Wake();
        Assert.Empty(other.Result());
    }

    [Fact]
    public void Without_exclusive_both_pollers_wake()
    {
        int fd = _fds.EventFd();
        using Poller second = new();
        _poller.Add(fd, EpollEvents.In, key: 1, PollerMode.Edge);
        second.Add(fd, EpollEvents.In, key: 2, PollerMode.Edge);
        WaitingThread<PollerEvent[]> first = _poller.BlockedWait();
        WaitingThread<PollerEvent[]> other = second.BlockedWait();
        TestDescriptors.Signal(fd);
        Assert.Equal(1, Assert.Single(first.Result()).Key);
        Assert.Equal(2, Assert.Single(other.Result()).Key);
    }

    [Fact]
    public void With_nobody_waiting_every_exclusive_poller_becomes_ready()
    {
        int fd = _fds.EventFd();
        using Poller second = new();
        _poller.Add(fd, EpollEvents.In, key: 1, PollerMode.Exclusive);
        second.Add(fd, EpollEvents.In, key: 2, PollerMode.Exclusive);
        TestDescriptors.Signal(fd);
        Assert.Equal([1], _poller.ReadyKeys());
        Assert.Equal([2], second.ReadyKeys());
    }

    [Fact]
    public void An_exclusive_registration_can_be_removed_and_added_in_another_mode()
    {
        int fd = _fds.EventFd(1);
        _poller.Add(fd, EpollEvents.In | EpollEvents.Out, key: 1, PollerMode.Exclusive);
        Assert.True(_poller.Remove(fd));
        _poller.Add(fd, EpollEvents.In, key: 2);
        Assert.Equal([2], _poller.ReadyKeys());
    }

    [Fact]
    public void One_edge_wakes_one_of_several_waiters()
    {
        int fd = _fds.EventFd();
        _poller.Add(fd, EpollEvents.In, key: 7, PollerMode.Edge);
        WaitingThread<PollerEvent[]>[] waiters = [_poller.BlockedWait(), _poller.BlockedWait(), _poller.BlockedWait()];
        for (int left = 3; left > 0; left--)
        {
            TestDescriptors.Signal(fd);
            SpinWait.SpinUntil(() => waiters.Count(w => !w.HasEnded) < left, TimeSpan.FromSeconds(30));
            Assert.Equal(left - 1, waiters.Count(w => !w.HasEnded));
            foreach (WaitingThread<PollerEvent[]> waiter in waiters.Where(w => !w.HasEnded))
                waiter.UntilBlocked();
        }

        Assert.All(waiters, w => Assert.Equal(7, Assert.Single(w.Result()).Key));
    }

    [Fact]
    public void A_level_wakes_all_waiters()
    {
        int fd = _fds.EventFd();
        _poller.Add(fd, EpollEvents.In, key: 7);
        WaitingThread<PollerEvent[]>[] waiters = [_poller.BlockedWait(), _poller.BlockedWait(), _poller.BlockedWait()];
        TestDescriptors.Signal(fd);
        Assert.All(waiters, w => Assert.Equal(7, Assert.Single(w.Result()).Key));
    }

    [Fact]
    public void Adding_or_modifying_a_ready_descriptor_wakes_a_blocked_waiter()
    {
        int fd = _fds.EventFd(1);
        WaitingThread<PollerEvent[]> waiter = _poller.BlockedWait();
        _poller.Add(fd, EpollEvents.In, key: 7, PollerMode.OneShot);
        Assert.Equal(7, Assert.Single(waiter.Result()).Key);
        waiter = _poller.BlockedWait();
        _poller.Modify(fd, EpollEvents.In, key: 8, PollerMode.OneShot);
        Assert.Equal(8, Assert.Single(waiter.Result()).Key);
    }
}
