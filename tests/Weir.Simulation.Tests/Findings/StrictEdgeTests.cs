namespace Weir.Simulation.Tests.Findings;

/// <summary>Edges as the textbook has them: what a program that lives on Linux's looser ones is found by.</summary>
public class StrictEdgeTests : FindingTests
{
    private static SimOptions Edges(EdgeSemantics edges) => new() { Edges = edges };

    // The reader takes 4 bytes for each event; the writer sends 8, then 4 whenever 4 were taken, as a peer would that waits for answers.
    private static void Conversation(Sim sim, Raw raw, bool untilEmpty)
    {
        (int one, int other) = raw.Pair();
        int turn = raw.Counter(flags: EventFdFlags.None);
        sim.Thread("reader", () =>
        {
            int epoll = raw.Epoll();
            raw.Add(epoll, one, Raw.In | Raw.EdgeTriggered);
            for (long left = 16; left > 0;)
            {
                left -= ReadAfterEvent(raw, epoll, one, untilEmpty);
                raw.Signal(turn);
                if (!untilEmpty && left <= 4)
                    left -= raw.Read(one, 4); // the one that is still there
            }

            raw.Close(epoll, one, turn);
        });
        sim.Thread("writer", () =>
        {
            raw.Write(other, 8);
            for (int i = 0; i < 2; i++)
            {
                raw.Take(turn);
                raw.Write(other, 4);
            }

            raw.Close(other);
        });
    }

    [Fact]
    public void Reading_once_per_event_and_living_on_the_next_arrival_passes_on_Linux()
        => Run((sim, raw) => Conversation(sim, raw, untilEmpty: false), Edges(EdgeSemantics.Linux));

    [Fact]
    public void It_is_found_with_strict_edges()
    {
        SimulationException finding = Find(
            FindingKind.StalledEdge, (sim, raw) => Conversation(sim, raw, untilEmpty: false), Edges(EdgeSemantics.Strict));
        Assert.Contains("the last read left something", finding.Summary);
    }

    [Fact]
    public void Reading_until_EAGAIN_passes_with_strict_edges()
        => Run((sim, raw) => Conversation(sim, raw, untilEmpty: true), Edges(EdgeSemantics.Strict));

    [Theory]
    [InlineData(EdgeSemantics.Linux)]
    [InlineData(EdgeSemantics.Strict)]
    public void Only_what_has_come_on_is_an_edge_and_only_that_is_reported(EdgeSemantics edges)
    {
        bool strict = edges == EdgeSemantics.Strict;
        Run(
            (sim, raw) => sim.Thread("all", () =>
            {
                (int one, int other) = raw.Pair();
                int epoll = raw.Epoll();
                raw.Add(epoll, one, Raw.In | Raw.Out | Raw.EdgeTriggered);
                Assert.Equal(Raw.Out, raw.Wait(epoll, 0).Events);
                raw.Write(other, 8);
                Assert.Equal(strict ? Raw.In : Raw.In | Raw.Out, raw.Wait(epoll, 0).Events);

                // Another arrival while it is readable.
                raw.Write(other, 8);
                Assert.Equal(strict ? 0 : Raw.In | Raw.Out, raw.Wait(epoll, 0).Events);

                // Off, and on again.
                Assert.Equal(16, raw.Read(one, 64));
                Assert.Equal(0, raw.Wait(epoll, 0).Count);
                raw.Write(other, 8);
                Assert.Equal(strict ? Raw.In : Raw.In | Raw.Out, raw.Wait(epoll, 0).Events);

                // EPOLL_CTL_MOD tells all again, on either.
                Assert.Equal(0, raw.Control(epoll, EpollOp.Modify, one, Raw.In | Raw.Out | Raw.EdgeTriggered));
                Assert.Equal(Raw.In | Raw.Out, raw.Wait(epoll, 0).Events);
                Assert.Equal(0, raw.Wait(epoll, 0).Count);

                // The end is news.
                raw.Close(other);
                EpollEvents end = raw.Wait(epoll, 0).Events;
                Assert.Equal(EpollEvents.Hup, end & EpollEvents.Hup);
                Assert.Equal(!strict, (end & Raw.In) != 0);
                raw.Close(epoll, one);
            }),
            Edges(edges));
    }

    [Theory]
    [InlineData(EdgeSemantics.Linux)]
    [InlineData(EdgeSemantics.Strict)]
    public void A_counter_that_is_never_read_wakes_by_each_write_all_the_same(EdgeSemantics edges) => Run(
        (sim, raw) => sim.Thread("all", () =>
        {
            int counter = raw.Counter(), epoll = raw.Epoll();
            raw.Add(epoll, counter, Raw.In | Raw.EdgeTriggered);
            for (int i = 0; i < 3; i++)
            {
                raw.Signal(counter);
                Assert.Equal(1, raw.Wait(epoll, 0).Count);
                Assert.Equal(0, raw.Wait(epoll, 0).Count);
            }

            raw.Close(epoll, counter);
        }),
        Edges(edges));

    [Fact]
    public void A_level_does_not_know_the_difference() => Run(
        (sim, raw) => sim.Thread("all", () =>
        {
            (int one, int other) = raw.Pair();
            int epoll = raw.Epoll();
            raw.Add(epoll, one, Raw.In);
            raw.Write(other, 8);
            for (int i = 0; i < 3; i++)
                Assert.Equal(Raw.In, raw.Wait(epoll, 0).Events);
            raw.Close(epoll, one, other);
        }),
        Edges(EdgeSemantics.Strict));
}
