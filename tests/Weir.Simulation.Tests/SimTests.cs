namespace Weir.Simulation.Tests;

public class SimTests
{
    [Theory]
    [InlineData(SimMode.Threads)]
    [InlineData(SimMode.Stepping)]
    [InlineData(SimMode.Live)]
    public void A_program_runs_on_a_loop_of_the_emulated_kernel(SimMode mode)
    {
        string? backend = null;
        Sim.Run(
            1,
            async sim =>
            {
                await EventLoop.Yield();
                Assert.Same(sim.Kernel, EventLoop.Current!.Kernel);
                backend = EventLoop.Current.Statistics.Backend;
            },
            new SimOptions { Mode = mode });
        Assert.Equal("epoll", backend);
    }

    [Fact]
    public void Virtual_time_jumps_to_the_next_deadline()
    {
        TimeSpan elapsed = default;
        Sim.Run(
            1,
            async sim =>
            {
                await EventLoop.Current!.Delay(TimeSpan.FromDays(1));
                elapsed = sim.Elapsed;
            },
            new SimOptions { Mode = SimMode.Threads });
        Assert.InRange(elapsed, TimeSpan.FromDays(1), TimeSpan.FromDays(1) + TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public void Threads_signal_each_other_through_an_event_counter()
    {
        ulong got = 0;
        Sim.Run(
            1,
            sim =>
            {
                int fd = sim.Kernel.EventFd(0, EventFdFlags.CloseOnExec);
                sim.Thread("reader", () =>
                {
                    got = Read(sim.Kernel, fd);
                    sim.Kernel.Close(fd);
                });
                sim.Thread("writer", () => Write(sim.Kernel, fd, 7));
                return Task.CompletedTask;
            },
            new SimOptions { Mode = SimMode.Threads, Detect = SimDetectors.Default & ~SimDetectors.Leaks });
        Assert.Equal(7ul, got);
    }

    [Fact]
    public void The_failure_of_a_program_is_reported()
    {
        SimulationException exception = Assert.Throws<SimulationException>(
            () => Sim.Run(1, _ => throw new InvalidOperationException("broken"), new SimOptions { Mode = SimMode.Threads }));
        Assert.Equal(FindingKind.Failure, exception.Kind);
        Assert.Contains("broken", exception.Message);
    }

    [Theory]
    [InlineData(SimMode.Stepping)]
    [InlineData(SimMode.Threads)]
    public void Loops_post_to_each_other_and_a_sleeper_is_woken_once(SimMode mode)
    {
        int ran = 0;
        long sent = 0;
        Sim.Run(
            1,
            async sim =>
            {
                SimLoop other = sim.Loop("other", async () =>
                {
                    while (ran < 3)
                        await EventLoop.Current!.Delay(TimeSpan.FromHours(1));
                });
                while (other.EventLoop is not { IsAsleep: true })
                    await EventLoop.Current!.Delay(TimeSpan.FromSeconds(1));
                for (int i = 0; i < 3; i++)
                    Assert.True(other.EventLoop.Post(() => ran++));
                while (!other.HasEnded)
                    await EventLoop.Current!.Delay(TimeSpan.FromMinutes(1));
                sent = other.EventLoop.Statistics.WakeUpsSent;
            },
            new SimOptions { Mode = mode });
        Assert.Equal(3, ran);
        Assert.InRange(sent, 1, 3);
    }

    [Fact]
    public void A_stepped_loop_that_would_block_the_others_is_told()
    {
        SimulationException exception = Assert.Throws<SimulationException>(() => Sim.Run(1, sim =>
        {
            // Blocking, for want of EFD_NONBLOCK.
            Read(sim.Kernel, sim.Kernel.EventFd(0, EventFdFlags.CloseOnExec));
            return Task.CompletedTask;
        }));
        Assert.Equal(FindingKind.Misuse, exception.Kind);
        Assert.Contains("would block", exception.Message);
    }

    [Fact]
    public void A_lock_whose_owner_was_stopped_inside_it_is_told_of()
    {
        SimulationException exception = Assert.Throws<SimulationException>(() => Sim.Explore(
            sim =>
            {
                int fd = sim.Kernel.EventFd(0, EventFdFlags.CloseOnExec);
                var gate = new Lock();
                for (int i = 1; i <= 2; i++)
                {
                    sim.Thread($"writer {i}", () =>
                    {
                        lock (gate)
                            Write(sim.Kernel, fd, 1);
                    });
                }

                return Task.CompletedTask;
            },
            new ExploreOptions { Detect = RacyPrograms.NoLeaks, LockPatience = TimeSpan.FromMilliseconds(50), Shrink = false, Parallelism = 1 }));
        Assert.Equal(FindingKind.Misuse, exception.Kind);
        Assert.Contains("waits for something that is not the simulation's", exception.Message);
    }

    [Fact]
    public void Time_can_be_skipped_and_what_was_due_comes_late_in_its_order()
    {
        var order = new List<string>();
        Sim.Run(
            1,
            async sim =>
            {
                TimeSpan start = sim.Elapsed;
                Task first = After(1), second = After(2);
                sim.Skip(TimeSpan.FromSeconds(3));
                Assert.Equal(TimeSpan.FromSeconds(3), sim.Elapsed - start);
                await Task.WhenAll(first, second);
                Assert.InRange(sim.Elapsed - start, TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(3.1));

                async Task After(int seconds)
                {
                    await EventLoop.Current!.Delay(TimeSpan.FromSeconds(seconds));
                    order.Add($"{seconds}");
                }
            });
        Assert.Equal(["1", "2"], order);
    }

    [Fact]
    public void Time_does_not_go_backwards()
        => Sim.Run(1, sim =>
        {
            sim.Skip(TimeSpan.Zero);
            Assert.Throws<ArgumentOutOfRangeException>(() => sim.Skip(TimeSpan.FromTicks(-1)));
            return Task.CompletedTask;
        });

    private static unsafe ulong Read(Kernel kernel, int fd)
    {
        ulong value;
        Assert.Equal(8, kernel.Read(fd, &value, 8));
        return value;
    }

    private static unsafe void Write(Kernel kernel, int fd, ulong value) => Assert.Equal(8, kernel.Write(fd, &value, 8));
}
