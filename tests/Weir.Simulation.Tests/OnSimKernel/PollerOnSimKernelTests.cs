namespace Weir.Simulation.Tests;

/// <summary>The poller as it is, on the emulated kernel: a thread that waits, others that write, trigger and wake.</summary>
public unsafe class PollerOnSimKernelTests
{
    [Fact]
    public void A_waiter_gets_events_of_descriptors_user_events_timers_and_wakes_under_all_schedules()
    {
        ExploreResult result = Sim.Explore(
            sim =>
            {
                Kernel kernel = sim.Kernel;
                int counter = kernel.EventFd(0, EventFdFlags.NonBlock | EventFdFlags.CloseOnExec);
                var poller = new Poller(new PollerOptions { Kernel = kernel });
                poller.Add(counter, EpollEvents.In, 1, PollerMode.Edge);
                poller.AddUserEvent(2);
                poller.SetTimer(3, TimeSpan.FromSeconds(1));
                var seen = new HashSet<nint>();
                sim.Thread("waiter", () =>
                {
                    Span<PollerEvent> events = stackalloc PollerEvent[4];
                    while (seen.Count < 3)
                    {
                        int count = poller.Wait(events);
                        for (int i = 0; i < count; i++)
                            seen.Add(events[i].Key);
                    }

                    Assert.True(sim.Elapsed >= TimeSpan.FromSeconds(1));
                    poller.Dispose();
                    kernel.Close(counter);
                });
                sim.Thread("writer", () =>
                {
                    ulong one = 1;
                    Assert.Equal(8, kernel.Write(counter, &one, 8));
                });
                sim.Thread("trigger", () => Assert.True(poller.Trigger(2)));
                return Task.CompletedTask;
            },
            new ExploreOptions { Mode = SimMode.Threads, PreemptionBound = 1 });
        Assert.True(result.IsExhausted);
    }

    [Theory]
    [InlineData(PollerMode.Level, 3)]
    [InlineData(PollerMode.Edge, 1)]
    [InlineData(PollerMode.OneShot, 1)]
    public void A_counter_that_nobody_reads_is_reported_as_its_mode_says(PollerMode mode, int expected) => Sim.Run(
        1,
        sim =>
        {
            sim.Thread("waiter", () =>
            {
                int counter = sim.Kernel.EventFd(1, EventFdFlags.NonBlock | EventFdFlags.CloseOnExec), reported = 0;
                using var poller = new Poller(new PollerOptions { Kernel = sim.Kernel });
                poller.Add(counter, EpollEvents.In, 1, mode);
                Span<PollerEvent> events = stackalloc PollerEvent[1];
                for (int look = 0; look < 3; look++)
                    reported += poller.Wait(events, TimeSpan.FromSeconds(1));
                Assert.Equal(expected, reported);
                Assert.True(poller.Remove(counter));
                sim.Kernel.Close(counter);
            });
            return Task.CompletedTask;
        },
        new SimOptions { Mode = SimMode.Threads });
}
