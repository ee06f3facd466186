using Xunit.Abstractions;

namespace Weir.Simulation.Tests;

/// <summary>
/// How a loop falls asleep, is woken and ends, while two other threads post, shorten its timer or stop it: all schedules up to a number of
/// preemptions, with a store buffer for each thread. No wake-up is lost, no sleep is ended twice, nothing is written after the close.
/// </summary>
public class SleepWakeProtocolTests(ITestOutputHelper output)
{
    /// <summary>What another thread does to the loop.</summary>
    public enum Deed
    {
        Post,
        ShortenTimer,
        Stop,
    }

    // Two take half a minute for all pairs; three some minutes: WEIR_PREEMPTIONS=3.
    private static int Preemptions => int.Parse(Environment.GetEnvironmentVariable("WEIR_PREEMPTIONS") ?? "2", System.Globalization.CultureInfo.InvariantCulture);

    [Theory]
    [InlineData(Deed.Post, Deed.Post)]
    [InlineData(Deed.Post, Deed.ShortenTimer)]
    [InlineData(Deed.Post, Deed.Stop)]
    [InlineData(Deed.ShortenTimer, Deed.ShortenTimer)]
    [InlineData(Deed.ShortenTimer, Deed.Stop)]
    [InlineData(Deed.Stop, Deed.Stop)]
    public void No_wake_up_is_lost_or_sent_twice_or_written_after_the_close(Deed first, Deed second)
    {
        Assert.True(SimMarks.AreOn, "The runtime does not report its marked operations: Weir.Marks is off.");
        ExploreResult result = Sim.Explore(sim => Program(sim, first, second), Options(world => new ProtocolMemory(world), Preemptions));
        output.WriteLine($"{first} and {second}: {result}");
        Assert.True(result.IsExhausted);
    }

    [Theory]
    [InlineData(typeof(DroppedFence), Deed.Post, Deed.Post)]
    [InlineData(typeof(LatePublication), Deed.Post, Deed.Post)]
    [InlineData(typeof(StaleDeadline), Deed.ShortenTimer, Deed.Post)]
    [InlineData(typeof(DoubleWake), Deed.Post, Deed.Post)]
    [InlineData(typeof(LateClose), Deed.Post, Deed.Stop)]
    public void A_protocol_with_one_mistake_is_caught(Type mistake, Deed first, Deed second)
    {
        SimulationException finding = Assert.Throws<SimulationException>(() => Sim.Explore(
            sim => Program(sim, first, second),
            Options(world => (StoreBuffers)Activator.CreateInstance(mistake, System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Public, null, [world], null)!, preemptions: 3)));
        output.WriteLine(finding.Message);
    }

    [Fact]
    public void A_poster_that_the_loops_end_overtakes_does_not_wait_for_what_runs_last()
        => Exhaust(sim =>
        {
            bool ended = false;
            EndWithoutPatience(
                sim,
                () => ended,
                async () =>
                {
                    EventLoop loop = EventLoop.Current!;
                    var posted = new ManualResetEventSlim();
                    _ = EndLast(loop, posted);
                    sim.Thread("poster", () =>
                    {
                        loop.Post(static _ => { }, null);
                        posted.Set();
                    });
                    await EventLoop.Yield();
                });
            return Task.CompletedTask;

            async Task EndLast(EventLoop loop, ManualResetEventSlim posted)
            {
                await UntilTheEnd(loop);
                await UntilTheEnd(loop); // begun while the loop unwinds its waits: nothing runs later than this one's end
                Marks.Wait(Mark.SendWait, posted);
                ended = true;
            }

            static async Task UntilTheEnd(EventLoop loop)
            {
                try
                {
                    await loop.Delay(TimeSpan.FromHours(1));
                }
                catch (ObjectDisposedException)
                {
                    // The end.
                }
            }
        });

    [Fact]
    public void Of_two_threads_that_set_a_timer_the_last_decides_when_the_loop_wakes()
        => Exhaust(async sim =>
        {
            using var timer = new LoopTimer();
            timer.Set(TimeSpan.FromHours(1));
            sim.Thread("later", () => timer.Set(TimeSpan.FromHours(2)));
            sim.Thread("sooner", () => timer.Set(TimeSpan.FromSeconds(1)));
            await timer.WaitAsync();
            Assert.True(sim.Elapsed < TimeSpan.FromSeconds(2) || sim.Elapsed >= TimeSpan.FromHours(2), $"It elapsed after {sim.Elapsed}.");
        });

    [Fact]
    public void A_timer_whose_setting_comes_too_late_for_its_loop_ends_the_wait_with_the_loop()
        => Exhaust(sim =>
        {
            bool ended = false;
            EndWithoutPatience(
                sim,
                () => ended,
                async () =>
                {
                    var timer = new LoopTimer();
                    timer.Set(TimeSpan.Zero);
                    _ = Wait(timer);
                    sim.Thread("setter", () => timer.Set(TimeSpan.FromHours(1)));
                    await EventLoop.Yield();
                });
            return Task.CompletedTask;

            async Task Wait(LoopTimer timer)
            {
                try
                {
                    await timer.WaitAsync();
                }
                catch (ObjectDisposedException)
                {
                    // The loop has ended, and the timer with it.
                }

                ended = true;
            }
        });

    // Everything that the bound allows is tried.
    private void Exhaust(Func<Sim, Task> program)
    {
        ExploreResult result = Sim.Explore(program, Options(world => new ProtocolMemory(world), Preemptions));
        output.WriteLine($"{result}");
        Assert.True(result.IsExhausted);
    }

    // A loop that gives what it has begun no time to end by itself, and what must be so once it is gone.
    private static void EndWithoutPatience(Sim sim, Func<bool> condition, Func<Task> main)
    {
        sim.AtEnd(() => Assert.True(condition()));
        sim.Loop("ending", main, configure: o => o.StopTimeout = TimeSpan.Zero);
    }

    internal static ExploreOptions Options(Func<World, StoreBuffers> memory, int preemptions) => new()
    {
        Mode = SimMode.Threads,
        PreemptionBound = preemptions,
        Runs = long.MaxValue,
        Memory = memory,
    };

    /// <summary>A loop that has slept before and sleeps with a far deadline, and two threads that do their deeds.</summary>
    internal static async Task Program(Sim sim, Deed first, Deed second)
    {
        Deed[] deeds = [first, second];
        EventLoop loop = EventLoop.Current!;
        int accepted = 0, ran = 0, posts = deeds.Count(deed => deed == Deed.Post);
        var told = new TaskCompletionSource();
        sim.AtEnd(() => Assert.Equal(accepted, ran));
        using var timer = new LoopTimer();
        timer.Set(TimeSpan.FromMilliseconds(500));
        await timer.WaitAsync();
        timer.Set(TimeSpan.FromHours(1));
        using CancellationTokenRegistration stopped = loop.Stopping.Register(() => told.TrySetResult());
        sim.Thread("first", () => Do(first));
        sim.Thread("second", () => Do(second));

        if (deeds.Contains(Deed.Stop))
        {
            // What was accepted by then runs before the loop is gone; what comes later is refused.
            await told.Task;
            return;
        }

        if (deeds.Contains(Deed.ShortenTimer))
        {
            await timer.WaitAsync();
            Assert.InRange(sim.Elapsed, TimeSpan.FromSeconds(1.5), TimeSpan.FromSeconds(2));
        }

        if (ran < posts)
            await told.Task;

        void Do(Deed deed)
        {
            switch (deed)
            {
                case Deed.Post:
                    bool taken = loop.Post(
                        _ =>
                        {
                            if (++ran == posts)
                                told.TrySetResult();
                        },
                        null);
                    accepted += taken ? 1 : 0;
                    Assert.True(taken || deeds.Contains(Deed.Stop));
                    break;
                case Deed.ShortenTimer:
                    timer.Set(TimeSpan.FromSeconds(1));
                    break;
                default:
                    loop.Stop();
                    break;
            }
        }
    }
}
