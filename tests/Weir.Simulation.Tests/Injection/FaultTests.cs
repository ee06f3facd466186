using Weir.Net;
using Weir.Simulation.Tests.Findings;

namespace Weir.Simulation.Tests.Injection;

public class FaultTests : FindingTests
{
    private static SimOptions With(SimFault fault, double probability = 1, TimeSpan? delay = null)
    {
        var options = new SimOptions();
        options.Faults.Add(new FaultRule { Fault = fault, Probability = probability, Delay = delay ?? TimeSpan.FromMilliseconds(10) });
        return options;
    }

    [Fact]
    public void The_next_calls_of_a_kind_fail_as_they_are_told_to()
        => Run((sim, raw) =>
        {
            int fd = raw.Counter();
            sim.Faults.FailNext(SystemCall.Write, Errno.EIO, times: 2);
            Assert.Equal([Raw.Error(Errno.EIO), Raw.Error(Errno.EIO), 8], (long[])[raw.Signal(fd), raw.Signal(fd), raw.Signal(fd)]);
            Assert.Equal(1, raw.Take(fd));
            raw.Close(fd);
        });

    [Fact]
    public void The_nth_call_on_a_descriptor_fails()
        => Run((sim, raw) =>
        {
            int fd = raw.Counter(), other = raw.Counter();
            sim.Faults.FailNth(SystemCall.Write, 2, Errno.EIO, descriptor: fd);
            Assert.Equal(8, raw.Signal(other));
            Assert.Equal(8, raw.Signal(fd));
            Assert.Equal(8, raw.Signal(other));
            Assert.Equal(Raw.Error(Errno.EIO), raw.Signal(fd));
            Assert.Equal(8, raw.Signal(fd));
            raw.Close(fd, other);
        });

    [Fact]
    public void A_program_decides_call_by_call()
        => Run((sim, raw) =>
        {
            int fd = raw.Counter();
            var seen = new List<FaultCall>();
            sim.Faults.OnCall(call =>
            {
                seen.Add(call);
                return call.Call == SystemCall.Read ? Errno.EIO : Errno.None;
            });
            raw.Signal(fd);
            Assert.Equal(Raw.Error(Errno.EIO), raw.Take(fd));
            sim.Faults.Clear();
            Assert.Equal(1, raw.Take(fd));
            Assert.Equal(new FaultCall(sim.Kernel, SystemCall.Write, fd, "eventfd", "main"), seen[0]);
            Assert.Equal(2, seen.Count);
            raw.Close(fd);
        });

    [Fact]
    public void A_plan_is_the_same_for_every_run()
    {
        var options = new SimOptions();
        options.Faults.FailNext(SystemCall.Write, Errno.EIO);
        for (int i = 0; i < 2; i++)
        {
            Run(
                (_, raw) =>
                {
                    int fd = raw.Counter();
                    Assert.Equal(Raw.Error(Errno.EIO), raw.Signal(fd));
                    Assert.Equal(8, raw.Signal(fd));
                    raw.Close(fd);
                },
                options);
        }
    }

    [Fact]
    public void A_close_that_fails_closes_all_the_same()
        => Run((sim, raw) =>
        {
            int fd = raw.Counter();
            sim.Faults.FailNext(SystemCall.Close, Errno.EIO);
            Assert.Equal(Raw.Error(Errno.EIO), raw.Kernel.Close(fd));
            Assert.Equal(fd, raw.Counter());
            raw.Close(fd);
        });

    [Fact]
    public void A_short_read_brings_something_and_the_rest_comes_with_an_edge()
        => Run(
            (sim, raw) => sim.Thread("reader", () =>
            {
                (int one, int other) = raw.Pair();
                int epoll = raw.Epoll();
                raw.Add(epoll, one, Raw.In | Raw.EdgeTriggered);
                raw.Write(other, 1000);
                int events = 0;
                for (long left = 1000; left > 0;)
                {
                    Assert.Equal(1, raw.Wait(epoll).Count);
                    events++;
                    long count = raw.Read(one, 1000);
                    Assert.InRange(count, 1, left);
                    left -= count;
                    // Short: a reader may take it that there is no more for now.
                    if (left > 0)
                        Assert.Equal(Raw.Error(Errno.EAGAIN), raw.Read(one, 1000));
                }

                Assert.True(events > 1);
                Assert.True(sim.Faults.Count(SimFault.ShortRead) > 0);
                raw.Close(epoll, one, other);
            }),
            With(SimFault.ShortRead));

    [Fact]
    public void Messages_and_counters_are_never_read_in_part()
        => Run(
            (_, raw) =>
            {
                int fd = raw.Counter();
                for (int i = 0; i < 20; i++)
                {
                    Assert.Equal(8, raw.Signal(fd));
                    Assert.Equal(1, raw.Take(fd));
                }

                raw.Close(fd);
            },
            With(SimFault.ShortRead));

    [Fact]
    public void The_end_once_announced_is_not_put_off()
        => Run(
            (sim, raw) =>
            {
                (int one, int other) = raw.Pair();
                raw.Write(other, 100);
                raw.Close(other);
                Assert.Equal(100, raw.Read(one, 1000));
                Assert.Equal(0, raw.Read(one, 1000));
                Assert.Equal(0, sim.Faults.Count(SimFault.ShortRead));
                raw.Close(one);
            },
            With(SimFault.ShortRead));

    [Fact]
    public void A_short_write_takes_whole_buffers_and_room_comes_with_an_edge()
        => Run(
            (sim, raw) => sim.Thread("writer", () =>
            {
                const int Buffer = 36_544;
                (int one, int other) = raw.Pair();
                int epoll = raw.Epoll();
                Assert.Equal(Buffer, raw.Write(one, Buffer)); // fits into one: all or nothing
                raw.Add(epoll, one, Raw.Out | Raw.EdgeTriggered);
                Assert.Equal(1, raw.Wait(epoll).Count);
                long taken = raw.Write(one, 3 * Buffer);
                Assert.Contains(taken, (long[])[Buffer, 2 * Buffer]);
                Assert.Equal(Raw.Error(Errno.EAGAIN), raw.Write(one, 1));
                Assert.Equal(Buffer + taken, raw.Read(other, 4 * Buffer)); // room in earnest, but not seen yet
                Assert.Equal(0, raw.Wait(epoll, 0).Count);
                (int count, EpollEvents events, _) = raw.Wait(epoll);
                Assert.Equal((1, EpollEvents.Out), (count, events));
                Assert.Equal(1, raw.Write(one, 1));
                raw.Close(epoll, one, other);
            }),
            With(SimFault.ShortWrite));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Interrupts_strike_calls_that_would_block_and_no_others(bool blocks)
        => Run(
            (sim, raw) => sim.Thread("waiter", () =>
            {
                int epoll = raw.Epoll(), ready = raw.Counter(1), counter = raw.Counter(0, blocks ? 0 : EventFdFlags.NonBlock);
                Assert.Equal(Raw.Error(blocks ? Errno.EINTR : Errno.EAGAIN), raw.Take(counter));
                Assert.Equal(Raw.Error(Errno.EINTR), raw.Wait(epoll, 1000).Count);
                Assert.Equal(0, raw.Wait(epoll, 0).Count);
                raw.Add(epoll, ready, Raw.In);
                Assert.Equal(1, raw.Wait(epoll, 1000).Count);
                Assert.Equal(1, raw.Take(ready));
                sim.Faults.Clear();
                Assert.Equal(0, raw.Wait(epoll, 1).Count);
                raw.Close(epoll, ready, counter);
            }),
            With(SimFault.Interrupted));

    [Theory]
    [InlineData(SimMode.Stepping)]
    [InlineData(SimMode.Threads)]
    public void A_loop_sleeps_its_full_time_though_it_is_interrupted(SimMode mode)
    {
        SimOptions options = With(SimFault.Interrupted, 0.5);
        options.Mode = mode;
        Sim.Run(
            1,
            async sim =>
            {
                for (int i = 0; i < 20; i++)
                {
                    TimeSpan before = sim.Elapsed;
                    await EventLoop.Current!.Delay(TimeSpan.FromSeconds(1));
                    Assert.InRange(sim.Elapsed - before, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1.01));
                }

                Assert.True(sim.Faults.Count(SimFault.Interrupted) > 0);
            },
            options);
    }

    [Fact]
    public void False_readiness_is_EAGAIN_and_an_edge_when_it_has_become_true()
        => Run(
            (sim, raw) => sim.Thread("reader", () =>
            {
                (int one, int other) = raw.Pair();
                int epoll = raw.Epoll();
                raw.Add(epoll, one, Raw.In | Raw.EdgeTriggered);
                raw.Write(other, 10);
                Assert.Equal(1, raw.Wait(epoll).Count);
                Assert.Equal(Raw.Error(Errno.EAGAIN), raw.Read(one, 10));
                Assert.Equal(0, raw.Wait(epoll, 0).Count);
                Assert.Equal(1, raw.Wait(epoll).Count);
                sim.Faults.Clear();
                Assert.Equal(10, raw.Read(one, 10));
                raw.Close(epoll, one, other);
            }),
            With(SimFault.FalseReadiness));

    [Fact]
    public void A_connection_is_reset_for_both_ends()
        => Run(
            (sim, raw) =>
            {
                (int one, int other) = raw.Pair();
                Assert.Equal(Raw.Error(Errno.EPIPE), raw.Write(one, 1));
                Assert.Equal(Raw.Error(Errno.ECONNRESET), raw.Read(one, 1));
                Assert.Equal(0, raw.Read(one, 1));
                Assert.Equal(Raw.Error(Errno.ECONNRESET), raw.Read(other, 1));
                raw.Close(one, other);
            },
            With(SimFault.ConnectionReset));

    [Fact]
    public void Without_descriptors_a_connection_stays_in_the_backlog()
        => Run((sim, raw) =>
        {
            int listener = raw.Listener("server"), client = raw.Client("server");
            sim.Faults.Add(new FaultRule { Fault = SimFault.NoDescriptors, Probability = 1, Call = SystemCall.Accept4, Most = 2 });
            Assert.Contains((Errno)(-raw.Accept(listener)), (Errno[])[Errno.EMFILE, Errno.ENFILE]);
            Assert.Contains((Errno)(-raw.Accept(listener)), (Errno[])[Errno.EMFILE, Errno.ENFILE]);
            int accepted = raw.Accept(listener);
            Assert.True(accepted >= 0);
            raw.Close(listener, client, accepted);
        });

    [Fact]
    public void Without_memory_sends_and_registrations_fail()
        => Run((sim, raw) =>
        {
            (int one, int other) = raw.Pair();
            int epoll = raw.Epoll();
            sim.Faults.Add(SimFault.NoMemory, 1);
            Assert.Equal(Raw.Error(Errno.ENOBUFS), raw.Write(one, 1));
            Assert.Equal(Raw.Error(Errno.ENOMEM), raw.Control(epoll, EpollOp.Add, one, Raw.In));
            Assert.Equal(Raw.Error(Errno.ENOENT), raw.Control(epoll, EpollOp.Delete, one));
            sim.Faults.Clear();
            raw.Close(one, other, epoll);
        });

    [Fact]
    public void What_arrives_late_is_seen_by_nobody_before()
        => Run(
            (sim, raw) => sim.Thread("reader", () =>
            {
                (int one, int other) = raw.Pair();
                int epoll = raw.Epoll();
                raw.Add(epoll, one, Raw.In | Raw.EdgeTriggered);
                raw.Write(other, 10);
                Assert.Equal(0, raw.Wait(epoll, 0).Count);
                Assert.Equal(Raw.Error(Errno.EAGAIN), raw.Read(one, 10));
                TimeSpan before = sim.Elapsed;
                Assert.Equal(1, raw.Wait(epoll).Count);
                Assert.InRange(sim.Elapsed - before, TimeSpan.FromMicroseconds(100), TimeSpan.FromMilliseconds(10));
                Assert.Equal(10, raw.Read(one, 10));
                raw.Close(epoll, one, other);
            }),
            With(SimFault.LateArrival));

    [Fact]
    public void A_stalled_peer_is_heard_of_when_its_time_is_over()
        => Run((sim, raw) => sim.Thread("reader", () =>
        {
            (int one, int other) = raw.Pair();
            int epoll = raw.Epoll();
            raw.Add(epoll, one, Raw.In);
            SimFaults.Stall(sim.Kernel, one, TimeSpan.FromSeconds(5));
            raw.Write(other, 10);
            TimeSpan before = sim.Elapsed;
            Assert.Equal(0, raw.Wait(epoll, 4000).Count);
            Assert.Equal(1, raw.Wait(epoll).Count);
            Assert.InRange(sim.Elapsed - before, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(5.01));
            raw.MakeBlocking(one);
            SimFaults.Stall(sim.Kernel, one, TimeSpan.FromSeconds(5));
            Assert.Equal(10, raw.Read(one, 10));
            Assert.InRange(sim.Elapsed - before, TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(10.01));
            raw.Close(epoll, one, other);
        }));

    [Fact]
    public void Rules_strike_only_where_they_say()
        => Run((sim, raw) =>
        {
            sim.Faults.Add(new FaultRule { Fault = SimFault.NoDescriptors, Probability = 1, Process = "someone else" });
            sim.Faults.Add(new FaultRule { Fault = SimFault.NoDescriptors, Probability = 1, Machine = "elsewhere" });
            sim.Faults.Add(new FaultRule { Fault = SimFault.NoMemory, Probability = 1, FileKind = "unix" });
            int fd = raw.Counter();
            raw.Close(fd);
            (int one, int other) = raw.Pair();
            Assert.Equal(Raw.Error(Errno.ENOBUFS), raw.Write(one, 1));
            raw.Close(one, other);
        });
}
