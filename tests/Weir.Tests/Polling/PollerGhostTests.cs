namespace Weir.Tests;

/// <summary>
/// A registration belongs to an open file and a number (15). A closed number whose file lives on in a duplicate goes on firing (17),
/// and nothing can stop it; what the poller can do is tell nobody.
/// </summary>
public sealed class PollerGhostTests : IDisposable
{
    private readonly TestDescriptors _fds = new();
    private readonly Poller _poller = new();

    public void Dispose()
    {
        _poller.Dispose();
        _fds.Dispose();
    }

    [Fact]
    public void A_closed_descriptor_with_a_living_duplicate_goes_on_reporting_until_it_is_removed()
    {
        int fd = _fds.EventFd(1);
        int closed = _fds.PrivateDuplicate(fd);
        _poller.Add(closed, EpollEvents.In, key: 7);
        _fds.Close(closed);
        Assert.Equal([7], _poller.ReadyKeys()); // nobody told the poller

        Assert.False(_poller.Remove(closed)); // the kernel keeps it
        Assert.Empty(_poller.Ready());
        Assert.Empty(_poller.Ready());
        PollerStatistics statistics = _poller.GetStatistics();
        Assert.Equal(2, statistics.StaleEvents);
        Assert.Equal(0, statistics.Registrations);
    }

    [Fact]
    public void A_ghost_is_not_reported_under_the_key_of_the_next_file_with_its_number()
    {
        int old = _fds.EventFd(1);
        int number = _fds.PrivateDuplicate(old);
        _poller.Add(number, EpollEvents.In, key: 7);
        int next = _fds.EventFd();
        _fds.DuplicateOnto(next, number); // closes and reuses the number in one step

        _poller.Add(number, EpollEvents.In, key: 8);
        Assert.Empty(_poller.Ready());
        TestDescriptors.Signal(next);
        Assert.Equal([8], _poller.ReadyKeys());
        Assert.Equal(2, _poller.GetStatistics().StaleEvents);
        Assert.Equal(1, _poller.GetStatistics().Registrations);
    }

    [Fact]
    public void A_ghost_is_not_reported_by_a_registration_that_took_its_slot()
    {
        int old = _fds.EventFd(1);
        int closed = _fds.PrivateDuplicate(old);
        _poller.Add(closed, EpollEvents.In, key: 7);
        _fds.Close(closed);
        Assert.False(_poller.Remove(closed));
        _poller.Add(_fds.EventFd(), EpollEvents.In, key: 8);
        Assert.Empty(_poller.Ready());
        Assert.Equal(1, _poller.GetStatistics().StaleEvents);
    }

    [Fact]
    public void A_number_used_again_is_unknown_to_modify()
    {
        int number = _fds.PrivateDuplicate(_fds.EventFd());
        _poller.Add(number, EpollEvents.In, key: 7);
        _fds.DuplicateOnto(_fds.EventFd(), number);
        Assert.Equal(Errno.ENOENT, Assert.Throws<KernelException>(() => _poller.Modify(number, EpollEvents.In, key: 8)).Errno);
    }

    [Fact]
    public void Putting_the_file_back_on_its_number_makes_a_ghost_removable()
    {
        int fd = _fds.EventFd(1);
        int number = _fds.PrivateDuplicate(fd);
        _poller.Add(number, EpollEvents.In, key: 7);
        _fds.Close(number);
        _fds.DuplicateOnto(fd, number);
        Assert.True(_poller.Remove(number));
        Assert.Empty(_poller.Ready());
        Assert.Equal(0, _poller.GetStatistics().StaleEvents);
    }

    [Fact]
    public void An_edge_ghost_costs_one_dropped_event_for_each_activity()
    {
        int fd = _fds.EventFd(1);
        int closed = _fds.PrivateDuplicate(fd);
        _poller.Add(closed, EpollEvents.In, key: 7, PollerMode.Edge);
        _fds.Close(closed);
        _poller.Remove(closed);
        Assert.Empty(_poller.Ready());
        Assert.Empty(_poller.Ready());
        Assert.Equal(1, _poller.GetStatistics().StaleEvents);
        TestDescriptors.Signal(fd);
        Assert.Empty(_poller.Ready());
        Assert.Equal(2, _poller.GetStatistics().StaleEvents);
    }

    [Fact]
    public void A_duplicate_is_a_registration_of_its_own()
    {
        int fd = _fds.EventFd(1);
        int duplicate = _fds.PrivateDuplicate(fd);
        _poller.Add(fd, EpollEvents.In, key: 1);
        _poller.Add(duplicate, EpollEvents.In, key: 2);
        Assert.Equal([1, 2], _poller.ReadyKeys());
        Assert.True(_poller.Remove(fd));
        Assert.Equal([2], _poller.ReadyKeys());
    }
}
