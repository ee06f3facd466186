namespace Weir.Simulation.Tests.Findings;

public class BusyLoopTests : FindingTests
{
    private static void Sleeper(Sim sim, Raw raw, EpollEvents mask, bool reads)
    {
        int wake = raw.Counter();
        bool done = false;
        sim.Thread("sleeper", () =>
        {
            int epoll = raw.Epoll();
            raw.Add(epoll, wake, mask);
            while (!Volatile.Read(ref done))
            {
                raw.Wait(epoll);
                if (reads)
                    raw.Take(wake);
            }

            raw.Close(epoll, wake);
        });
        sim.Thread("waker", () =>
        {
            raw.Signal(wake);
            int epoll = raw.Epoll();
            raw.Wait(epoll, 1000); // virtual time, which does not come while the sleeper spins
            raw.Close(epoll);
            done = true;
            raw.Signal(wake);
        });
    }

    [Fact]
    public void A_level_triggered_counter_that_is_never_read_is_found()
    {
        SimulationException finding = Find(FindingKind.BusyLoop, (sim, raw) => Sleeper(sim, raw, Raw.In, reads: false));
        Assert.Matches(@"fd \d+ \(eventfd #\d+\) as IN", finding.Summary);
        Assert.Contains("EPOLLET", finding.Message);
    }

    [Theory]
    [InlineData(EpollEvents.In, true)]
    [InlineData(EpollEvents.In | EpollEvents.EdgeTriggered, false)]
    public void One_that_is_read_or_edge_triggered_passes(EpollEvents mask, bool reads) => Run((sim, raw) => Sleeper(sim, raw, mask, reads));

    private static void Writer(Sim sim, Raw raw, bool disarms)
    {
        (int one, int other) = raw.Pair();
        sim.Thread("server", () =>
        {
            int epoll = raw.Epoll();
            raw.Add(epoll, one, Raw.In | Raw.Out);
            bool sent = false;
            while (true)
            {
                (_, EpollEvents events, _) = raw.Wait(epoll);
                if ((events & Raw.Out) != 0 && !sent)
                {
                    Assert.Equal(1, raw.Write(one, 1));
                    sent = true;
                    if (disarms)
                        Assert.Equal(0, raw.Control(epoll, EpollOp.Modify, one, Raw.In));
                }

                if ((events & Raw.In) != 0)
                    break;
            }

            raw.Close(epoll, one);
        });
        sim.Thread("client", () =>
        {
            int epoll = raw.Epoll();
            raw.Wait(epoll, 1000);
            raw.Write(other, 1);
            raw.Close(epoll, other);
        });
    }

    [Fact]
    public void Writability_that_stays_armed_is_found()
    {
        SimulationException finding = Find(FindingKind.BusyLoop, (sim, raw) => Writer(sim, raw, disarms: false));
        Assert.Contains("as OUT", finding.Summary);
        Assert.Contains("Take OUT out of the mask", finding.Message);
    }

    [Fact]
    public void Writability_that_is_disarmed_passes() => Run((sim, raw) => Writer(sim, raw, disarms: true));

    [Fact]
    public void Writability_that_stays_armed_is_found_also_while_something_else_gets_done()
        => Find(FindingKind.BusyLoop, (_, raw) =>
        {
            int armed = raw.Counter(), busy = raw.Counter();
            int epoll = raw.Epoll();
            raw.Add(epoll, armed, Raw.Out);
            while (true)
            {
                raw.Wait(epoll);
                raw.Signal(busy);
            }
        });

    private static void Acceptor(Sim sim, Raw raw, bool keepsOneInReserve)
    {
        int listener = raw.Listener("acceptor"), client = raw.Client("acceptor");
        sim.Thread("server", () =>
        {
            int epoll = raw.Epoll(), reserve = raw.Counter();
            raw.Add(epoll, listener, Raw.In);
            sim.Faults.OnCall(call => call.Call == SystemCall.Accept4 && reserve >= 0 ? Errno.EMFILE : Errno.None);
            while (true)
            {
                raw.Wait(epoll);
                int fd = raw.Accept(listener);
                if (fd == Raw.Error(Errno.EMFILE) && keepsOneInReserve)
                {
                    raw.Close(reserve);
                    reserve = -1;
                    fd = raw.Accept(listener);
                }

                if (fd < 0)
                    continue;
                raw.Close(fd);
                break;
            }

            raw.Close(epoll, listener, client);
        });
    }

    [Fact]
    public void Accepting_without_descriptors_is_found()
    {
        SimulationException finding = Find(FindingKind.BusyLoop, (sim, raw) => Acceptor(sim, raw, keepsOneInReserve: false));
        Assert.Contains("unix stream", finding.Message);
        Assert.Contains("accept4", finding.Message);
        Assert.Contains("EMFILE", finding.Message);
    }

    [Fact]
    public void Accepting_with_a_descriptor_in_reserve_passes() => Run((sim, raw) => Acceptor(sim, raw, keepsOneInReserve: true));

    [Fact]
    public void Trying_again_after_EAGAIN_without_waiting_is_found()
    {
        SimulationException finding = Find(FindingKind.BusyLoop, (_, raw) =>
        {
            int counter = raw.Counter();
            while (raw.Take(counter) == Raw.Error(Errno.EAGAIN))
            {
            }
        });
        Assert.Contains("After EAGAIN wait", finding.Message);
    }

    [Fact]
    public void Failing_calls_with_time_between_them_pass()
        => Run((sim, raw) => sim.Thread("patient", () =>
        {
            int counter = raw.Counter(), epoll = raw.Epoll();
            for (int i = 0; i < 5000; i++)
            {
                Assert.Equal(Raw.Error(Errno.EAGAIN), raw.Take(counter));
                raw.Wait(epoll, 10);
            }

            raw.Close(counter, epoll);
        }));

    [Fact]
    public void The_end_of_a_stream_that_nobody_closes_is_found()
    {
        SimulationException finding = Find(FindingKind.BusyLoop, (sim, raw) => sim.Thread("reader", () =>
        {
            (int one, int other) = raw.Pair();
            raw.Close(other);
            int epoll = raw.Epoll();
            raw.Add(epoll, one, Raw.In);
            while (true)
            {
                raw.Wait(epoll);
                raw.Read(one, 16);
            }
        }));
        Assert.Contains("The end of the stream stays ready", finding.Message);
    }
}
