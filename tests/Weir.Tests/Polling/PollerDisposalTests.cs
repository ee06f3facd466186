namespace Weir.Tests;

public sealed class PollerDisposalTests
{
    private readonly CountingKernel _kernel = new();

    [Fact]
    public void Disposal_ends_every_wait_and_closes_every_descriptor()
    {
        Poller poller = Make();
        poller.SetTimer(1, TimeSpan.FromHours(1));
        WaitingThread<PollerEvent[]>[] waiters = [poller.BlockedWait(), poller.BlockedWait(), poller.BlockedWait(), poller.BlockedWait()];
        poller.Dispose();
        foreach (WaitingThread<PollerEvent[]> waiter in waiters)
            Assert.Throws<ObjectDisposedException>(() => waiter.Result());
        Assert.Equal(3, _kernel.Count(nameof(Kernel.Close)));
    }

    [Fact]
    public void Disposal_leaves_registered_descriptors_open()
    {
        using TestDescriptors fds = new();
        int fd = fds.EventFd();
        Poller poller = Make();
        poller.Add(fd, EpollEvents.In, key: 1);
        poller.Dispose();
        TestDescriptors.Signal(fd);
        Assert.Equal(2, _kernel.Count(nameof(Kernel.Close)));
    }

    [Fact]
    public void Disposal_again_does_nothing()
    {
        Poller poller = Make();
        poller.Dispose();
        poller.Dispose();
        Assert.Equal(2, _kernel.Count(nameof(Kernel.Close)));
    }

    [Fact]
    public void Everything_throws_after_disposal()
    {
        Poller poller = Make();
        poller.Dispose();
        _kernel.Reset();
        Action[] calls =
        [
            () => poller.Add(0, EpollEvents.In, 1),
            () => poller.Modify(0, EpollEvents.In, 1),
            () => poller.Remove(0),
            () => poller.Apply([], []),
            () => poller.Wait(new PollerEvent[1]),
            () => poller.Wait(new PollerEvent[1], TimeSpan.Zero),
            () => poller.WaitNanoseconds(new PollerEvent[1], 0),
            () => poller.Wake(),
            () => poller.AddUserEvent(1),
            () => poller.RemoveUserEvent(1),
            () => poller.Trigger(1),
            () => poller.SetTimer(1, TimeSpan.Zero),
            () => poller.RemoveTimer(1),
            () => poller.GetStatistics(),
        ];
        Assert.All(calls, call => Assert.Throws<ObjectDisposedException>(call));
        Assert.Equal(0, _kernel.Total);
    }

    [Theory]
    [InlineData(nameof(Kernel.EpollCreate1), 0)]
    [InlineData(nameof(Kernel.EventFd), 1)]
    [InlineData(nameof(Kernel.EpollCtl), 2)]
    public void A_poller_that_cannot_be_made_leaves_no_descriptor_behind(string call, int opened)
    {
        _kernel.FailNext(call, Errno.EMFILE);
        Assert.Equal(Errno.EMFILE, Assert.Throws<KernelException>(Make).Errno);
        Assert.Equal(opened, _kernel.Count(nameof(Kernel.Close)));
    }

    [Fact]
    public void A_thread_that_only_looks_does_not_keep_disposal_from_one_that_is_about_to_sleep()
    {
        HeldKernel kernel = new();
        Poller poller = new(new PollerOptions { Kernel = kernel });
        WaitingThread<int> sleeper = new(() => poller.Wait(new PollerEvent[1]));
        WaitingThread<int> looker = new(() => poller.Wait(new PollerEvent[1], TimeSpan.Zero));
        kernel.BothHeld.Wait();
        poller.Dispose();
        kernel.LookersMayGo.Set(); // takes the edge that disposal made
        Assert.Throws<ObjectDisposedException>(() => looker.Result());
        kernel.SleepersMayGo.Set();
        Assert.Throws<ObjectDisposedException>(() => sleeper.Result());
    }

    [Fact]
    public void Disposal_may_come_at_any_moment_of_other_threads_calls()
    {
        using TestDescriptors fds = new();
        int ready = fds.EventFd(1);
        for (int round = 0; round < 50; round++)
        {
            _kernel.Reset();
            Poller poller = Make();
            poller.AddUserEvent(1);
            poller.Add(ready, EpollEvents.In, key: 2);
            using Barrier start = new(5);
            WaitingThread<int>[] threads =
            [
                Until(start, () => poller.Wait(new PollerEvent[2])),
                Until(start, () => poller.Trigger(1)),
                Until(start, () => poller.Wake()),
                Until(start, () => poller.Modify(ready, EpollEvents.In, key: 3)),
            ];
            start.SignalAndWait();
            poller.Dispose();
            Assert.All(threads, thread => Assert.Equal(1, thread.Result()));
            Assert.Equal(2, _kernel.Count(nameof(Kernel.Close)));
        }
    }

    private static WaitingThread<int> Until(Barrier start, Action call) => new(() =>
    {
        start.SignalAndWait();
        try
        {
            while (true)
                call();
        }
        catch (ObjectDisposedException)
        {
            return 1;
        }
    });

    private Poller Make() => new(new PollerOptions { Kernel = _kernel });

    /// <summary>Holds every wait at the door: those that only look, and those that would sleep.</summary>
    private sealed unsafe class HeldKernel : CountingKernel
    {
        internal CountdownEvent BothHeld { get; } = new(2);

        internal ManualResetEventSlim LookersMayGo { get; } = new();

        internal ManualResetEventSlim SleepersMayGo { get; } = new();

        public override int EpollWait(int epfd, void* events, int maxEvents, int timeoutMilliseconds)
        {
            BothHeld.Signal();
            (timeoutMilliseconds == 0 ? LookersMayGo : SleepersMayGo).Wait();
            return base.EpollWait(epfd, events, maxEvents, timeoutMilliseconds);
        }
    }
}
