namespace Weir.Simulation.Tests.Findings;

/// <summary>Ghosts, leaks, use after close, and streams that two read.</summary>
public class DescriptorTests : FindingTests
{
    [Fact]
    public void Closing_without_DEL_while_a_duplicate_lives_is_found()
    {
        SimulationException finding = Find(FindingKind.Ghost, (_, raw) =>
        {
            int fd = raw.Counter(), epoll = raw.Epoll();
            raw.Add(epoll, fd, Raw.In);
            int duplicate = raw.Duplicate(fd);
            raw.Close(fd);
            raw.Close(duplicate, epoll);
        });
        Assert.Contains("closed while it is registered", finding.Summary);
        Assert.Contains("still open as fd", finding.Message);
    }

    [Fact]
    public void Closing_after_DEL_passes()
        => Run((_, raw) =>
        {
            int fd = raw.Counter(), epoll = raw.Epoll();
            raw.Add(epoll, fd, Raw.In);
            int duplicate = raw.Duplicate(fd);
            Assert.Equal(0, raw.Control(epoll, EpollOp.Delete, fd));
            raw.Close(fd);
            raw.Close(duplicate, epoll);
        });

    [Fact]
    public void Closing_the_last_descriptor_of_a_watched_file_passes()
        => Run((_, raw) =>
        {
            int fd = raw.Counter(), epoll = raw.Epoll();
            raw.Add(epoll, fd, Raw.In);
            raw.Close(fd, epoll);
        });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_event_under_the_number_of_a_closed_descriptor_is_found(bool numberIsUsedAgain)
    {
        // On its way to another owner when it is closed, the file has no descriptor at all.
        SimulationException finding = Find(FindingKind.Ghost, (_, raw) =>
        {
            (int one, int other) = raw.Pair();
            (int courier, int goal) = raw.Pair();
            int epoll = raw.Epoll();
            raw.Add(epoll, one, Raw.In, data: 77);
            raw.SendDescriptor(courier, one);
            raw.Close(one);
            Assert.Equal(one, raw.Counter());
            raw.ReceiveDescriptor(goal);
            if (!numberIsUsedAgain)
                raw.Close(one);
            raw.Write(other, 1);
            raw.Wait(epoll, 0);
        });
        Assert.Contains("IN", finding.Summary);
        Assert.Contains(numberIsUsedAgain ? "that number is now eventfd" : "that number was closed", finding.Summary);
        Assert.Contains("data 0x4d", finding.Message);
    }

    [Fact]
    public void A_duplicate_in_a_forked_process_counts_as_one()
    {
        SimulationException finding = Find(FindingKind.Ghost, (sim, raw) =>
        {
            int fd = raw.Counter(), epoll = raw.Epoll();
            raw.Add(epoll, fd, Raw.In);
            sim.Kernel.Fork("child");
            raw.Close(fd);
        });
        Assert.Contains("of child", finding.Message);
    }

    [Fact]
    public void A_descriptor_left_open_is_found_with_the_call_that_opened_it()
    {
        SimulationException finding = Find(FindingKind.Leak, (sim, raw) => sim.Thread("opener", () => raw.Counter()));
        Assert.Contains("opened by opener in eventfd()", finding.Summary);
    }

    [Fact]
    public void Descriptors_a_process_was_born_with_are_no_leaks()
        => Run((sim, raw) =>
        {
            int fd = raw.Counter();
            sim.Kernel.Fork("child");
            raw.Close(fd);
        });

    [Fact]
    public void Leaks_are_not_looked_for_when_switched_off()
        => Run((_, raw) => raw.Counter(), new SimOptions { Detect = SimDetectors.None });

    [Fact]
    public void A_call_on_a_closed_descriptor_is_found_with_who_closed_it()
    {
        SimulationException finding = Find(FindingKind.UseAfterClose, (sim, raw) => sim.Thread("user", () =>
        {
            int fd = raw.Counter();
            raw.Close(fd);
            raw.Signal(fd);
        }));
        Assert.Contains("write(fd", finding.Summary);
        Assert.Contains("closed by user in close()", finding.Summary);
    }

    [Fact]
    public void Closing_twice_is_found()
        => Find(FindingKind.UseAfterClose, (_, raw) =>
        {
            int fd = raw.Counter();
            raw.Close(fd);
            raw.Kernel.Close(fd);
        });

    [Fact]
    public void A_number_that_was_never_open_or_a_DEL_on_the_chance_passes()
        => Run((_, raw) =>
        {
            Assert.Equal(Raw.Error(Errno.EBADF), raw.Kernel.Close(900));
            int fd = raw.Counter(), epoll = raw.Epoll();
            raw.Add(epoll, fd, Raw.In);
            raw.Close(fd);
            Assert.Equal(Raw.Error(Errno.EBADF), raw.Control(epoll, EpollOp.Delete, fd));
            raw.Close(epoll);
        });

    [Fact]
    public void Two_threads_that_wait_in_a_read_of_one_stream_are_found()
    {
        void Program(Sim sim, Raw raw)
        {
            (int one, int other) = raw.Pair();
            raw.MakeBlocking(one);
            sim.Thread("first", () => raw.Read(one, 1));
            sim.Thread("second", () => raw.Read(one, 1));
            sim.Thread("writer", () =>
            {
                int epoll = raw.Epoll();
                raw.Wait(epoll, 10);
                raw.Write(other, 2);
                raw.Close(epoll, one, other);
            });
        }

        Assert.Contains("both wait in a read", Find(FindingKind.SharedRead, Program, Watching(SimDetectors.SharedReads)).Summary);
    }

    [Theory]
    [InlineData(EpollEvents.In, true)]
    [InlineData(EpollEvents.In | EpollEvents.OneShot, false)]
    public void A_level_triggered_stream_that_two_threads_wait_for_is_found_unless_it_is_one_shot(EpollEvents mask, bool isFound)
    {
        void Program(Sim sim, Raw raw)
        {
            (int one, int other) = raw.Pair();
            int epoll = raw.Epoll();
            raw.Add(epoll, one, mask);
            int left = 2;
            for (int i = 0; i < 2; i++)
            {
                sim.Thread($"worker {i}", () =>
                {
                    while (raw.Wait(epoll, 1000).Count == 1)
                    {
                        raw.Read(one, 16);
                        if ((mask & EpollEvents.OneShot) != 0)
                            raw.Control(epoll, EpollOp.Modify, one, mask);
                    }

                    if (--left == 0)
                        raw.Close(epoll, one, other);
                });
            }

            sim.Thread("writer", () =>
            {
                for (int i = 0; i < 3; i++)
                    raw.Write(other, 4);
            });
        }

        SimulationException? finding = FindAmongSeeds(Program, Watching(SimDetectors.SharedReads));
        Assert.Equal(isFound, finding != null);
        if (isFound)
            Assert.Contains("before it has read", finding!.Summary);
    }
}
