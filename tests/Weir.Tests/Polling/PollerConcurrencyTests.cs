namespace Weir.Tests;

/// <summary>Many threads on one poller: every one-shot event reaches one thread, and no event carries a key that was replaced.</summary>
public sealed class PollerConcurrencyTests
{
    [Fact]
    public void One_shot_hands_each_event_to_one_thread_at_a_time()
    {
        using TestDescriptors fds = new();
        using Poller poller = new();
        const int Descriptors = 8;
        const int PerDescriptor = 500;
        int[] fd = [.. Enumerable.Range(0, Descriptors).Select(_ => fds.EventFd(1))];
        int[] inside = new int[Descriptors];
        int[] handled = new int[Descriptors];
        int left = Descriptors;
        for (int i = 0; i < Descriptors; i++)
            poller.Add(fd[i], EpollEvents.In, key: i, PollerMode.OneShot);

        WaitingThread<int>[] threads = [.. Enumerable.Range(0, 4).Select(_ => new WaitingThread<int>(() =>
        {
            PollerEvent[] events = new PollerEvent[3];
            try
            {
                while (true)
                {
                    int count = poller.Wait(events);
                    for (int i = 0; i < count; i++)
                    {
                        int key = (int)events[i].Key;
                        Assert.Equal(1, Interlocked.Increment(ref inside[key])); // seen by the other threads
                        int done = ++handled[key];
                        Assert.Equal(0, Interlocked.Decrement(ref inside[key]));
                        if (done < PerDescriptor)
                            poller.Modify(fd[key], EpollEvents.In, key, PollerMode.OneShot);
                        else if (Interlocked.Decrement(ref left) == 0)
                            poller.Dispose();
                    }
                }
            }
            catch (ObjectDisposedException)
            {
                return 0;
            }
        }))];
        Assert.All(threads, thread => Assert.Equal(0, thread.Result()));
        Assert.All(handled, count => Assert.Equal(PerDescriptor, count));
    }

    [Fact]
    public void A_key_that_was_replaced_is_not_reported_after_the_replacement_was_seen()
    {
        using TestDescriptors fds = new();
        using Poller poller = new();
        int fd = fds.EventFd(1);
        poller.Add(fd, EpollEvents.In, key: 0);
        bool stop = false;
        WaitingThread<long> waiter = new(() =>
        {
            PollerEvent[] events = new PollerEvent[1];
            nint highest = 0;
            while (!Volatile.Read(ref stop)) // the other thread's last word
            {
                if (poller.Wait(events, TimeSpan.Zero) == 0)
                    continue;
                Assert.True(events[0].Key >= highest);
                highest = events[0].Key;
            }

            return highest;
        });
        for (nint key = 1; key <= 20_000; key++)
            poller.Modify(fd, EpollEvents.In, key);
        Volatile.Write(ref stop, true);
        Assert.InRange(waiter.Result(), 0, 20_000);
        Assert.Equal([20_000], poller.ReadyKeys());
    }

    [Fact]
    public void Adding_and_removing_beside_a_waiter_never_reports_a_removed_key()
    {
        using TestDescriptors fds = new();
        using Poller poller = new();
        int first = fds.EventFd(1);
        int second = fds.EventFd(1);
        bool stop = false;
        WaitingThread<long> waiter = new(() =>
        {
            PollerEvent[] events = new PollerEvent[4];
            long seen = 0;
            while (!Volatile.Read(ref stop)) // the other thread's last word
            {
                int count = poller.Wait(events, TimeSpan.Zero);
                for (int i = 0; i < count; i++)
                    Assert.True(events[i].Key is 1 or 2 && events[i].Events == (events[i].Key == 1 ? EpollEvents.In : EpollEvents.Out), events[i].ToString());
                seen += count;
            }

            return seen;
        });

        // Both share a slot in turn: what is read of it must be of one registration.
        for (int i = 0; i < 10_000; i++)
        {
            poller.Add(first, EpollEvents.In, key: 1);
            Assert.True(poller.Remove(first));
            poller.Add(second, EpollEvents.Out, key: 2);
            Assert.True(poller.Remove(second));
        }

        Volatile.Write(ref stop, true);
        Assert.True(waiter.Result() >= 0);
        Assert.Empty(poller.Ready());
    }
}
