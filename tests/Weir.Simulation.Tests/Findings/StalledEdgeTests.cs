namespace Weir.Simulation.Tests.Findings;

public class StalledEdgeTests : FindingTests
{
    // The writer fills in a message of 8 bytes; the reader's buffer takes 4 of them.
    private static void Reader(Sim sim, Raw raw, bool untilEmpty)
    {
        (int one, int other) = raw.Pair();
        sim.Thread("reader", () =>
        {
            int epoll = raw.Epoll();
            raw.Add(epoll, one, Raw.In | Raw.EdgeTriggered);
            for (long left = 16; left > 0;)
                left -= ReadAfterEvent(raw, epoll, one, untilEmpty);
            raw.Close(epoll, one);
        });
        sim.Thread("writer", () =>
        {
            raw.Write(other, 8);
            raw.Write(other, 8);
            raw.Close(other);
        });
    }

    [Fact]
    public void Reading_once_per_edge_is_found()
    {
        SimulationException finding = Find(FindingKind.StalledEdge, (sim, raw) =>
        {
            (int one, int other) = raw.Pair();
            sim.Thread("reader", () =>
            {
                int epoll = raw.Epoll();
                raw.Add(epoll, one, Raw.In | Raw.EdgeTriggered);
                for (int i = 0; i < 4; i++)
                {
                    raw.Wait(epoll);
                    raw.Read(one, 4);
                }
            });
            sim.Thread("writer", () => raw.Write(other, 16));
        });
        Assert.Contains("unix stream", finding.Summary);
        Assert.Contains("the last read left something", finding.Summary);
        Assert.Contains("until EAGAIN", finding.Message);
        Assert.Contains("reader (thread 1 of main): epoll_wait", finding.Message);
    }

    [Fact]
    public void Reading_until_EAGAIN_passes() => Run((sim, raw) => Reader(sim, raw, untilEmpty: true));

    [Fact]
    public void An_edge_that_nobody_looks_after_is_found()
    {
        SimulationException finding = Find(FindingKind.StalledEdge, (sim, raw) =>
        {
            (int one, int other) = raw.Pair();
            sim.Thread("reader", () =>
            {
                int epoll = raw.Epoll();
                raw.Add(epoll, one, Raw.In | Raw.EdgeTriggered);
                raw.Wait(epoll);
                raw.Wait(epoll);
            });
            sim.Thread("writer", () => raw.Write(other, 1));
        });
        Assert.Contains("nobody has read since", finding.Summary);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_one_shot_that_is_not_armed_again_is_found_and_one_that_is_passes(bool rearms)
    {
        void Program(Sim sim, Raw raw)
        {
            (int one, int other) = raw.Pair();
            sim.Thread("reader", () =>
            {
                int epoll = raw.Epoll();
                raw.Add(epoll, one, Raw.In | Raw.OneShot);
                for (int i = 0; i < 2; i++)
                {
                    raw.Wait(epoll);
                    raw.Read(one, 1);
                    if (rearms)
                        Assert.Equal(0, raw.Control(epoll, EpollOp.Modify, one, Raw.In | Raw.OneShot));
                }

                raw.Close(epoll, one);
            });
            sim.Thread("writer", () =>
            {
                raw.Write(other, 2);
                raw.Close(other);
            });
        }

        if (rearms)
        {
            Run(Program);
            return;
        }

        SimulationException finding = Find(FindingKind.StalledEdge, Program);
        Assert.Contains("one-shot registration has fired and was not armed again", finding.Summary);
        Assert.Contains("EPOLL_CTL_MOD", finding.Message);
    }

    [Fact]
    public void A_counter_that_wakes_by_its_edges_and_is_never_read_is_no_stall()
    {
        SimulationException finding = Find(FindingKind.Deadlock, (sim, raw) =>
        {
            int wake = raw.Counter();
            sim.Thread("sleeper", () =>
            {
                int epoll = raw.Epoll();
                raw.Add(epoll, wake, Raw.In | Raw.EdgeTriggered);
                raw.Wait(epoll);
                raw.Wait(epoll);
            });
            sim.Thread("waker", () => raw.Signal(wake));
        });
        Assert.Contains("sleeper", finding.Summary);
    }

    [Fact]
    public void A_semaphore_taken_from_once_per_edge_is_found()
        => Find(FindingKind.StalledEdge, (sim, raw) =>
        {
            int semaphore = raw.Counter(0, EventFdFlags.Semaphore | EventFdFlags.NonBlock);
            sim.Thread("taker", () =>
            {
                int epoll = raw.Epoll();
                raw.Add(epoll, semaphore, Raw.In | Raw.EdgeTriggered);
                for (int i = 0; i < 2; i++)
                {
                    raw.Wait(epoll);
                    raw.Take(semaphore);
                }
            });
            sim.Thread("giver", () => raw.Signal(semaphore, 2));
        });

    [Fact]
    public void A_stall_that_a_timer_hides_is_found_when_asked_for()
    {
        void Program(Sim sim, Raw raw)
        {
            (int one, int other) = raw.Pair();
            sim.Thread("reader", () =>
            {
                int epoll = raw.Epoll();
                raw.Add(epoll, one, Raw.In | Raw.EdgeTriggered);
                for (int i = 0; i < 60; i++)
                {
                    if (raw.Wait(epoll, 1000).Count == 1)
                        raw.Read(one, 1);
                }

                raw.Close(epoll, one, other);
            });
            sim.Thread("writer", () => raw.Write(other, 2));
        }

        Run(Program);
        Assert.Contains("10 s", Find(FindingKind.StalledEdge, Program, Watching(SimDetectors.LongStalls)).Summary);
    }

    [Fact]
    public void Switched_off_it_is_a_deadlock_like_any_other()
        => Find(
            FindingKind.Deadlock,
            (sim, raw) =>
            {
                (int one, int other) = raw.Pair();
                sim.Thread("reader", () =>
                {
                    int epoll = raw.Epoll();
                    raw.Add(epoll, one, Raw.In | Raw.EdgeTriggered);
                    raw.Wait(epoll);
                    raw.Wait(epoll);
                });
                sim.Thread("writer", () => raw.Write(other, 1));
            },
            new SimOptions { Detect = SimDetectors.Default & ~SimDetectors.StalledEdges });
}
