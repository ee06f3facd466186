namespace Weir.Tests;

public class EventLoopDelayTests : LoopTests
{
    [Fact]
    public void A_delay_is_never_early()
        => Run(async loop =>
        {
            for (int microseconds = 1; microseconds <= 3000; microseconds = microseconds * 3 / 2 + 1)
            {
                long start = loop.Now;
                await loop.Delay(TimeSpan.FromMicroseconds(microseconds));
                Assert.InRange(loop.Now - start, microseconds * 1000L, long.MaxValue);
            }
        });

    [Fact]
    public void Delays_end_in_the_order_of_their_deadlines_and_equal_ones_as_they_were_started()
    {
        var clock = new ManualClockKernel(InnerKernel);
        Run(
            async loop =>
            {
                List<int> order = [];
                int[] milliseconds = [5, 1, 3, 3, 2, 4, 1, 5];
                Task all = Task.WhenAll(milliseconds.Select(async (ms, index) =>
                {
                    await loop.Delay(TimeSpan.FromMilliseconds(ms));
                    order.Add(ms * 10 + index);
                }));
                clock.Advance(TimeSpan.FromMilliseconds(3));
                await Settle();
                Assert.Equal([11, 16, 24, 32, 33], order);
                clock.Advance(TimeSpan.FromMilliseconds(2));
                await all;
                Assert.Equal([11, 16, 24, 32, 33, 45, 50, 57], order);
            },
            o => o.Kernel = clock);
    }

    [Fact]
    public void Zero_is_over_already_and_a_negative_time_is_refused()
        => Run(loop =>
        {
            Assert.True(loop.Delay(TimeSpan.Zero).IsCompletedSuccessfully);
            Assert.Throws<ArgumentOutOfRangeException>(() => { _ = loop.Delay(TimeSpan.FromTicks(-1)); });
            return Task.CompletedTask;
        });

    [Fact]
    public void An_infinite_delay_waits_for_its_token_alone()
        => Run(async loop =>
        {
            using var cancellation = new CancellationTokenSource();
            ValueTask delay = loop.Delay(Timeout.InfiniteTimeSpan, cancellation.Token);
            await loop.Delay(TimeSpan.FromMicroseconds(10));
            Assert.False(delay.IsCompleted);
            cancellation.Cancel();
            OperationCanceledException failure = await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await delay);
            Assert.Equal(cancellation.Token, failure.CancellationToken);
            Assert.Equal(0, loop.Statistics.Timers);
        });

    [ThreadedFact]
    public void The_longest_time_there_is_can_be_waited_for()
        => Run(async loop =>
        {
            using var cancellation = new CancellationTokenSource();
            ValueTask longest = loop.Delay(TimeSpan.MaxValue, cancellation.Token), years = loop.Delay(TimeSpan.FromDays(100_000), cancellation.Token);
            await OnThread(() => UntilAsleep(loop));
            Assert.False(longest.IsCompleted || years.IsCompleted);
            cancellation.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await longest);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await years);
        });

    [Fact]
    public void A_token_cancelled_before_costs_no_timer()
        => Run(loop =>
        {
            Assert.True(loop.Delay(TimeSpan.FromHours(1), new CancellationToken(true)).IsCanceled);
            Assert.Equal(0, loop.Statistics.Timers);
            return Task.CompletedTask;
        });

    [ThreadedFact]
    public void A_delay_is_cancelled_from_another_thread_while_the_loop_sleeps()
        => Run(async loop =>
        {
            using var cancellation = new CancellationTokenSource();
            Task other = OnThread(() =>
            {
                UntilAsleep(loop);
                cancellation.Cancel();
            });
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await loop.Delay(TimeSpan.FromHours(1), cancellation.Token));
            Assert.True(loop.IsCurrent);
            await other;
        });

    [Fact]
    public void A_cancellation_after_the_end_touches_no_later_delay()
        => Run(async loop =>
        {
            using var cancellation = new CancellationTokenSource();
            await loop.Delay(TimeSpan.FromTicks(1), cancellation.Token);
            ValueTask next = loop.Delay(TimeSpan.FromMilliseconds(1)); // the same pooled operation
            cancellation.Cancel();
            await next;
        });

    [ThreadedFact]
    public void A_delay_from_another_thread_ends_on_that_side()
        => Run(async loop => await Task.Run(async () =>
        {
            UntilAsleep(loop);
            long start = loop.Now;
            await loop.Delay(TimeSpan.FromMilliseconds(2));
            Assert.True(loop.Now - start >= 2_000_000);
            Assert.Null(EventLoop.Current);
            using var cancellation = new CancellationTokenSource();
            ValueTask long1 = loop.Delay(TimeSpan.FromHours(1), cancellation.Token);
            cancellation.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await long1);
        }));

    [ThreadedFact]
    public void An_earlier_timer_from_another_thread_wakes_the_loop_and_a_later_one_does_not()
        => Run(async loop =>
        {
            using var cancellation = new CancellationTokenSource();
            ValueTask hour = loop.Delay(TimeSpan.FromHours(1), cancellation.Token);
            await Task.Run(async () =>
            {
                UntilAsleepAgain(loop, 1);
                long writes = Kernel.Count(nameof(Weir.Kernel.Write)), turns = loop.Statistics.Turns;
                ValueTask later = loop.Delay(TimeSpan.FromHours(2), cancellation.Token);
                Assert.Equal(writes, Kernel.Count(nameof(Weir.Kernel.Write)));
                Assert.Equal(turns, loop.Statistics.Turns);
                await loop.Delay(TimeSpan.FromMilliseconds(1));
                Assert.Equal(writes + 1, Kernel.Count(nameof(Weir.Kernel.Write)));
                cancellation.Cancel();
                await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await later);
            });
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await hour);
        });

    [ThreadedFact]
    public void Delays_within_the_slack_share_one_wake_up()
    {
        var clock = new ManualClockKernel(InnerKernel);
        var waits = new WaitRecorder();
        Run(
            async loop =>
            {
                Task all = Task.WhenAll(Enumerable.Range(0, 10).Select(i => loop.Delay(TimeSpan.FromMilliseconds(20 + i)).AsTask()));
                await OnThread(() => UntilAsleepAgain(loop, 1));
                Assert.Contains(29_000_000, waits.Timeouts);
                Assert.DoesNotContain(20_000_000, waits.Timeouts);
                clock.Advance(TimeSpan.FromMilliseconds(29));
                await all;
            },
            o =>
            {
                o.Kernel = clock;
                o.TimerSlack = TimeSpan.FromMilliseconds(100);
                o.Instruments.Add(waits);
            });
    }

    private sealed class WaitRecorder : LoopInstrument
    {
        internal readonly List<long> Timeouts = [];

        public override void WaitStarting(EventLoop loop, long timeout) => Timeouts.Add(timeout);
    }

    [Fact]
    public void A_delay_awaited_twice_says_so()
        => Run(async loop =>
        {
            ValueTask delay = loop.Delay(TimeSpan.FromTicks(1));
            await delay;
            await Assert.ThrowsAsync<InvalidOperationException>(async () => await delay);
        });

    [ThreadedFact]
    public void A_second_awaiter_is_refused_and_the_first_resumes_as_if_nothing_had_been()
        => Run(async loop =>
        {
            ValueTask delay = loop.Delay(TimeSpan.FromMilliseconds(1));
            var local = new AsyncLocal<string>();
            Task first = First();
            Task second = Second();
            await Assert.ThrowsAsync<InvalidOperationException>(() => second);
            await first;

            async Task First()
            {
                local.Value = "first";
                await delay;
                Assert.Equal("first", local.Value);
            }

            async Task Second()
            {
                local.Value = "second";
                await delay.ConfigureAwait(false);
            }
        });

    [ThreadedFact]
    public void Cancelling_from_many_threads_ends_every_delay_once()
        => Run(async loop =>
        {
            const int Threads = 4, Rounds = 300;
            int ended = 0, cancelled = 0;
            await Task.WhenAll(Enumerable.Range(0, Threads).Select(thread => loop.Spawn(async () =>
            {
                for (int i = 0; i < Rounds; i++)
                {
                    using var cancellation = new CancellationTokenSource();
                    Task other = Task.Run(cancellation.Cancel);
                    try
                    {
                        await loop.Delay(TimeSpan.FromMicroseconds(i % 50 + 1), cancellation.Token);
                        ended++;
                    }
                    catch (OperationCanceledException)
                    {
                        cancelled++;
                    }

                    await other;
                }
            })));
            Assert.Equal(Threads * Rounds, ended + cancelled);
            Assert.Equal(0, loop.Statistics.Timers);
        });
}
