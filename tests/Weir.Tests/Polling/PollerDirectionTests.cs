namespace Weir.Tests;

/// <summary>Readable and writable as events of their own.</summary>
public sealed class PollerDirectionTests : IDisposable
{
    private const EpollEvents Both = EpollEvents.In | EpollEvents.Out;

    private readonly TestDescriptors _fds = new();
    private readonly Poller _poller = new();

    public void Dispose()
    {
        _poller.Dispose();
        _fds.Dispose();
    }

    [Fact]
    public void Each_direction_is_an_event()
    {
        int fd = _fds.EventFd(1);
        _poller.Add(fd, Both, key: 7, PollerMode.SeparateDirections);
        Assert.Equal([(7, EpollEvents.In), (7, EpollEvents.Out)], Masks(room: 4));
        TestDescriptors.Drain(fd);
        Assert.Equal([(7, EpollEvents.Out)], Masks(room: 4));
    }

    [Fact]
    public void An_edge_that_became_two_events_is_not_lost_for_want_of_room()
    {
        _poller.Add(_fds.EventFd(1), Both, key: 1, PollerMode.SeparateDirections | PollerMode.Edge);
        _poller.Add(_fds.EventFd(1), Both, key: 2, PollerMode.SeparateDirections | PollerMode.Edge);
        List<(nint, EpollEvents)> seen = [];
        for (int i = 0; i < 4; i++)
            seen.AddRange(Masks(room: 1));
        Assert.Equal([(1, EpollEvents.In), (1, EpollEvents.Out), (2, EpollEvents.In), (2, EpollEvents.Out)], seen.Order());
        Assert.Empty(_poller.Ready());
    }

    [Fact]
    public void An_ordinary_event_crowded_out_by_one_that_became_two_comes_next()
    {
        _poller.Add(_fds.EventFd(1), Both, key: 1, PollerMode.SeparateDirections | PollerMode.Edge);
        _poller.Add(_fds.EventFd(1), Both, key: 2, PollerMode.OneShot);
        Assert.Equal([(1, EpollEvents.In), (1, EpollEvents.Out)], Masks(room: 2));
        Assert.Equal([(2, Both)], Masks(room: 2));
        Assert.Empty(_poller.Ready());
    }

    [Fact]
    public void What_is_owed_dies_with_the_registration()
    {
        int removed = _fds.EventFd(1);
        int modified = _fds.EventFd(1);
        _poller.Add(removed, Both, key: 1, PollerMode.SeparateDirections | PollerMode.Edge);
        Assert.Single(Masks(room: 1));
        Assert.True(_poller.Remove(removed));
        _poller.Add(modified, Both, key: 2, PollerMode.SeparateDirections | PollerMode.Edge);
        while (Masks(room: 1) is not [(2, _)])
        {
        }

        _poller.Modify(modified, EpollEvents.In, key: 3, PollerMode.SeparateDirections | PollerMode.Edge);
        List<(nint, EpollEvents)> seen = [];
        for (int i = 0; i < 4; i++)
            seen.AddRange(Masks(room: 1));
        Assert.Equal([(3, EpollEvents.In)], seen);
    }

    [Fact]
    public void What_is_owed_wakes_another_waiter()
    {
        int fd = _fds.EventFd();
        WaitingThread<PollerEvent[]> first = _poller.BlockedWait(room: 1);
        WaitingThread<PollerEvent[]> second = _poller.BlockedWait(room: 1);
        _poller.Add(fd, EpollEvents.In, key: 7, PollerMode.SeparateDirections | PollerMode.Edge);
        first.UntilBlocked();
        second.UntilBlocked();
        TestDescriptors.Signal(fd);
        SpinWait.SpinUntil(() => first.HasEnded || second.HasEnded, TimeSpan.FromSeconds(30));
        (first.HasEnded ? second : first).UntilBlocked();
        _poller.Modify(fd, Both, key: 8, PollerMode.SeparateDirections | PollerMode.Edge); // ready for both: two events, one waiter with room for one
        WaitingThread<PollerEvent[]> third = _poller.StartWait(room: 1);
        PollerEvent[] all = [.. first.Result(), .. second.Result(), .. third.Result()];
        Assert.Equal(
            [(7, EpollEvents.In), (8, EpollEvents.In), (8, EpollEvents.Out)],
            all.Select(e => (e.Key, e.Events)).Order());
    }

    [Fact]
    public void An_end_comes_in_every_direction_of_the_interest()
    {
        (int left, int right) = _fds.SocketPair();
        (int other, int otherPeer) = _fds.SocketPair();
        (int none, int nonePeer) = _fds.SocketPair();
        _fds.Close(right);
        _fds.Close(otherPeer);
        _fds.Close(nonePeer);
        _poller.Add(left, Both, key: 1, PollerMode.SeparateDirections);
        Assert.Equal([(1, EpollEvents.In | EpollEvents.Hup), (1, EpollEvents.Out | EpollEvents.Hup)], Masks(room: 4));
        Assert.True(_poller.Remove(left));
        _poller.Add(other, EpollEvents.Out, key: 2, PollerMode.SeparateDirections);
        Assert.Equal([(2, EpollEvents.Out | EpollEvents.Hup)], Masks(room: 4));
        Assert.True(_poller.Remove(other));
        _poller.Add(none, EpollEvents.None, key: 3, PollerMode.SeparateDirections);
        Assert.Equal([(3, EpollEvents.Hup)], Masks(room: 4));
    }

    private (nint Key, EpollEvents Events)[] Masks(int room) => [.. _poller.Ready(room).Select(e => (e.Key, e.Events))];
}
