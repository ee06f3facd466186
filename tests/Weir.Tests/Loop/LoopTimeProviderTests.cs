namespace Weir.Tests;

public class LoopTimeProviderTests : LoopTests
{
    [Fact]
    public void Its_clocks_are_the_kernels()
        => Run(loop =>
        {
            long before = loop.Now, stamp = loop.TimeProvider.GetTimestamp();
            Assert.InRange(stamp, before, loop.Now);
            Assert.Equal(1_000_000_000, loop.TimeProvider.TimestampFrequency);
            long wall = Kernel.ClockGetTime(ClockId.Realtime);
            Assert.True(loop.TimeProvider.GetUtcNow() >= DateTimeOffset.UnixEpoch.AddTicks(wall / 100));
            return Task.CompletedTask;
        });

    [ThreadedFact]
    public void Task_Delay_ends_on_the_loop_and_is_never_early()
        => Run(async loop =>
        {
            long start = loop.Now;
            await Task.Delay(TimeSpan.FromMilliseconds(2), loop.TimeProvider);
            Assert.True(loop.Now - start >= 2_000_000);
            Assert.True(loop.IsCurrent);
            await Task.Delay(TimeSpan.FromMilliseconds(1), loop.TimeProvider).ConfigureAwait(false);
            Assert.True(loop.IsCurrent);
            Assert.Null(SynchronizationContext.Current);
        });

    [ThreadedFact]
    public void Task_Delay_from_another_thread_works_and_is_cancelled()
        => Run(async loop => await Task.Run(async () =>
        {
            await Task.Delay(TimeSpan.FromMilliseconds(1), loop.TimeProvider);
            using var cancellation = new CancellationTokenSource();
            Task hour = Task.Delay(TimeSpan.FromHours(1), loop.TimeProvider, cancellation.Token);
            cancellation.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => hour);
        }));

    [Fact]
    public void A_periodic_timer_ticks_on_the_loop_until_it_is_disposed_in_its_own_callback()
        => Run(async loop =>
        {
            var done = new TaskCompletionSource();
            List<long> ticks = [];
            long start = loop.Now;
            ITimer? timer = null;
            timer = loop.TimeProvider.CreateTimer(
                state =>
                {
                    Assert.Equal("state", state);
                    Assert.True(loop.IsCurrent);
                    ticks.Add(loop.Now);
                    if (ticks.Count == 5)
                    {
                        timer!.Dispose();
                        done.SetResult();
                    }
                },
                "state", TimeSpan.FromMilliseconds(2), TimeSpan.FromMilliseconds(1));
            await done.Task;
            await loop.Delay(TimeSpan.FromMilliseconds(3));
            Assert.Equal(5, ticks.Count);
            for (int i = 0; i < 5; i++)
                Assert.True(ticks[i] - start >= 2_000_000 + i * 1_000_000);
            Assert.False(timer.Change(TimeSpan.Zero, TimeSpan.Zero));
            Assert.Equal(0, loop.Statistics.Timers);
        });

    [ThreadedFact]
    public void A_timer_made_to_wait_is_started_from_another_thread()
        => Run(async loop =>
        {
            var fired = new TaskCompletionSource();
            using ITimer timer = loop.TimeProvider.CreateTimer(_ => fired.SetResult(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            Task other = OnThread(() =>
            {
                UntilAsleep(loop);
                Assert.True(timer.Change(TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan));
            });
            await fired.Task;
            await other;
        });

    [ThreadedFact]
    public void A_timer_put_off_or_disposed_by_another_thread_does_not_fire_at_its_old_time()
    {
        var clock = new ManualClockKernel(InnerKernel);
        Run(
            async loop =>
            {
                List<string> fired = [];
                TimeSpan hour = TimeSpan.FromHours(1);
                using ITimer first = loop.TimeProvider.CreateTimer(_ => fired.Add("first"), null, hour, Timeout.InfiniteTimeSpan);
                using ITimer second = loop.TimeProvider.CreateTimer(_ => fired.Add("second"), null, hour, hour);
                ITimer third = loop.TimeProvider.CreateTimer(_ => fired.Add("third"), null, hour, Timeout.InfiniteTimeSpan);
                await OnThread(() =>
                {
                    UntilAsleep(loop);
                    Assert.True(first.Change(2 * hour, Timeout.InfiniteTimeSpan));
                    Assert.True(second.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan));
                    third.Dispose();
                    Assert.Equal(0, clock.Count(nameof(Weir.Kernel.Write)));
                    clock.Advance(hour);
                });
                await Settle();
                Assert.Empty(fired);
                clock.Advance(hour);
                await Settle();
                Assert.Equal(["first"], fired);
            },
            o => o.Kernel = clock);
    }

    [Fact]
    public void An_exception_in_a_callback_is_unhandled()
        => Assert.Throws<FormatException>(() => Run(async loop =>
        {
            using ITimer timer = loop.TimeProvider.CreateTimer(_ => throw new FormatException(), null, TimeSpan.FromTicks(1), Timeout.InfiniteTimeSpan);
            await loop.Delay(Timeout.InfiniteTimeSpan, loop.Stopping);
        }));

    [Fact]
    public void Bad_times_are_refused()
        => Run(loop =>
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => loop.TimeProvider.CreateTimer(_ => { }, null, TimeSpan.FromTicks(-1), TimeSpan.Zero));
            Assert.Throws<ArgumentNullException>(() => loop.TimeProvider.CreateTimer(null!, null, TimeSpan.Zero, TimeSpan.Zero));
            return Task.CompletedTask;
        });

    [Fact]
    public void CancelAfter_of_a_source_on_its_clock_fires_on_the_loop()
        => Run(async loop =>
        {
            using var source = new CancellationTokenSource(TimeSpan.FromMilliseconds(1), loop.TimeProvider);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await loop.Delay(TimeSpan.FromHours(1), source.Token));
        });

    [ThreadedFact]
    public void A_sleeping_loop_is_woken_to_let_go_of_timers_that_other_threads_made_when_they_are_many()
        => Run(async loop =>
        {
            using var sooner = new LoopTimer();
            sooner.Set(TimeSpan.FromMinutes(30));
            await OnThread(() =>
            {
                UntilAsleepAgain(loop, 1);
                int made = 0;
                for (; made < 10_000 && loop.Statistics.WakeUpsSent == 0; made++)
                    new CancellationTokenSource(TimeSpan.FromHours(1), loop.TimeProvider).Dispose();
                Assert.InRange(made, 100, 1000);
                UntilAsleepAgain(loop, 2);
                // The last one woke it, and was disposed of after that.
                Assert.InRange(loop.Statistics.Posts, made, made + 1);
                Assert.InRange(loop.Statistics.Timers, 1, 2);
            });
        });
}
