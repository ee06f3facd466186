namespace Weir.Tests;

public sealed class PollerAllocationTests
{
    [Fact]
    public void Waiting_waking_triggering_and_modifying_allocate_nothing()
    {
        using TestDescriptors fds = new();
        using Poller poller = new();
        int level = fds.EventFd(1);
        int oneShot = fds.EventFd(1);
        int separate = fds.EventFd(1);
        poller.Add(level, EpollEvents.In, key: 1);
        poller.Add(oneShot, EpollEvents.In, key: 2, PollerMode.OneShot);
        poller.Add(separate, EpollEvents.In | EpollEvents.Out, key: 3, PollerMode.SeparateDirections);
        poller.AddUserEvent(4);
        poller.SetTimer(5, TimeSpan.Zero, TimeSpan.FromTicks(1));
        PollerEvent[] events = new PollerEvent[3]; // too few, so that some wait for the next call
        Errno[] results = new Errno[1];
        PollerChange[] rearm = [PollerChange.Modify(oneShot, EpollEvents.In, 2, PollerMode.OneShot)];

        void Round()
        {
            poller.Wake();
            poller.Trigger(4);
            poller.Modify(level, EpollEvents.In, key: 1);
            poller.Apply(rearm, results);
            poller.Wait(events);
            poller.WaitNanoseconds(events, 1);
            poller.Wait(events, TimeSpan.Zero);
        }

        for (int i = 0; i < 200; i++)
            Round(); // queues reach their sizes
        Assert.Equal(0, Allocations.Least(() =>
        {
            for (int i = 0; i < 1000; i++)
                Round();
        }));
    }

    [Fact]
    public void Adding_and_removing_uses_its_slots_again()
    {
        using TestDescriptors fds = new();
        using Poller poller = new();
        int[] all = [.. Enumerable.Range(0, 40).Select(_ => fds.EventFd())];
        void Round()
        {
            foreach (int fd in all)
                poller.Add(fd, EpollEvents.In, key: fd);
            foreach (int fd in all)
                poller.Remove(fd);
        }

        Round();
        Round();
        Assert.Equal(0, Allocations.Least(Round));
    }
}
