namespace Weir.Tests;

public class LoopTimerTests : LoopTests
{
    [Fact]
    public void It_elapses_and_stays_so_until_it_is_set_again()
        => Run(async loop =>
        {
            using var timer = new LoopTimer();
            long start = loop.Now;
            timer.Set(TimeSpan.FromMilliseconds(1));
            await timer.WaitAsync();
            Assert.True(loop.Now - start >= 1_000_000);
            Assert.True(timer.WaitAsync().IsCompletedSuccessfully);
            timer.Set(TimeSpan.FromMilliseconds(1));
            ValueTask again = timer.WaitAsync();
            Assert.False(again.IsCompleted);
            await again;
        });

    [Fact]
    public void Setting_it_again_moves_the_deadline_of_a_wait_in_progress()
        => Run(async loop =>
        {
            using var timer = new LoopTimer();
            timer.Set(TimeSpan.FromMilliseconds(1));
            ValueTask wait = timer.WaitAsync();
            long start = loop.Now;
            timer.Set(TimeSpan.FromMilliseconds(5));
            await wait;
            Assert.True(loop.Now - start >= 5_000_000);
            timer.Set(TimeSpan.FromHours(1));
            wait = timer.WaitAsync();
            timer.Set(TimeSpan.Zero);
            await wait;
        });

    [ThreadedFact]
    public void Another_thread_shortens_a_long_wait()
        => Run(async loop =>
        {
            using var timer = new LoopTimer();
            timer.Set(TimeSpan.FromSeconds(1000));
            Task other = OnThread(() =>
            {
                UntilAsleep(loop);
                timer.Set(TimeSpan.FromMilliseconds(1));
            });
            await timer.WaitAsync();
            Assert.True(loop.IsCurrent);
            await other;
        });

    [ThreadedTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Another_thread_puts_it_off_without_waking_the_loop(bool clears)
    {
        var clock = new ManualClockKernel(InnerKernel);
        Run(
            async loop =>
            {
                using var timer = new LoopTimer();
                timer.Set(TimeSpan.FromHours(1));
                ValueTask wait = timer.WaitAsync();
                await OnThread(() =>
                {
                    UntilAsleep(loop);
                    if (clears)
                        timer.Clear();
                    else
                        timer.Set(TimeSpan.FromHours(2));
                    Assert.Equal(0, clock.Count(nameof(Weir.Kernel.Write)));
                    // When this thread ends, the loop wakes and finds the old deadline passed and the new one in its inbox.
                    clock.Advance(TimeSpan.FromHours(1));
                });
                await Settle();
                Assert.False(wait.IsCompleted);
                timer.Set(TimeSpan.Zero);
                await wait;
            },
            o => o.Kernel = clock);
    }

    [Fact]
    public void A_cleared_timer_never_elapses()
        => Run(async loop =>
        {
            using var timer = new LoopTimer();
            timer.Set(TimeSpan.FromTicks(1));
            timer.Clear();
            ValueTask wait = timer.WaitAsync();
            await loop.Delay(TimeSpan.FromMilliseconds(1));
            Assert.False(wait.IsCompleted);
            timer.Set(TimeSpan.FromTicks(1));
            await wait;
            timer.Clear();
            Assert.Equal(0, loop.Statistics.Timers);
        });

    [ThreadedFact]
    public void One_waits_at_a_time_and_the_first_is_untouched_by_a_second()
        => Run(async loop =>
        {
            using var timer = new LoopTimer();
            ValueTask first = timer.WaitAsync();
            Assert.Throws<BusyResourceException>(() => { _ = timer.WaitAsync(); });
            await Task.Run(async () => await Assert.ThrowsAsync<BusyResourceException>(async () => await timer.WaitAsync()));
            timer.Set(TimeSpan.Zero);
            await first;
        });

    [Fact]
    public void A_wait_is_cancelled_and_another_may_follow()
        => Run(async loop =>
        {
            using var timer = new LoopTimer();
            using var cancellation = new CancellationTokenSource();
            ValueTask wait = timer.WaitAsync(cancellation.Token);
            cancellation.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await wait);
            Assert.Equal(0, loop.Statistics.Timers);
            timer.Set(TimeSpan.FromTicks(1));
            await timer.WaitAsync();
        });

    [ThreadedTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void Disposing_ends_the_wait(bool fromElsewhere)
        => Run(async loop =>
        {
            var timer = new LoopTimer();
            ValueTask wait = timer.WaitAsync();
            if (fromElsewhere)
                await OnThread(timer.Dispose);
            else
                timer.Dispose();
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await wait);
            Assert.Throws<ObjectDisposedException>(() => { _ = timer.WaitAsync(); });
            timer.Set(TimeSpan.Zero);
            timer.Dispose();
            Assert.Equal(0, loop.Statistics.Timers);
        });

    [ThreadedFact]
    public void Another_thread_waits()
        => Run(async loop =>
        {
            using var timer = new LoopTimer();
            timer.Set(TimeSpan.FromMilliseconds(2));
            await Task.Run(async () =>
            {
                await timer.WaitAsync();
                Assert.Null(EventLoop.Current);
                await timer.WaitAsync(); // has elapsed
                timer.Set(TimeSpan.FromHours(1));
                using var cancellation = new CancellationTokenSource();
                ValueTask wait = timer.WaitAsync(cancellation.Token);
                cancellation.Cancel();
                await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await wait);
            });
        });

    [ThreadedFact]
    public void However_often_another_thread_sets_it_the_inbox_of_a_sleeping_loop_holds_it_once()
        => Run(async loop =>
        {
            using var timer = new LoopTimer();
            timer.Set(TimeSpan.FromHours(1));
            await OnThread(() =>
            {
                UntilAsleepAgain(loop, 1);
                for (int i = 0; i < 10_000; i++)
                    timer.Set(TimeSpan.FromHours(2));
                Assert.Equal(0, Kernel.Count(nameof(Weir.Kernel.Write)));
            });
            Assert.Equal(2, loop.Statistics.Posts); // the setting, and the end of that thread
            ValueTask wait = timer.WaitAsync();
            await OnThread(() =>
            {
                timer.Set(TimeSpan.FromHours(1));
                timer.Set(TimeSpan.FromTicks(1));
            });
            await wait;
        });
}
