namespace Weir.Tests;

public class TimerFdTests : LoopTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan Long = TimeSpan.FromHours(5);

    [Fact]
    public void A_timer_expires_once_and_not_early()
        => Run(async loop =>
        {
            using var timer = new TimerFd();
            long start = Kernel.ClockGetTime(ClockId.Monotonic);
            timer.Set(Short);
            Assert.Equal(1, await timer.WaitAsync());
            Assert.True(Kernel.ClockGetTime(ClockId.Monotonic) - start >= Short.TotalNanoseconds);
            Assert.Equal((TimeSpan.Zero, TimeSpan.Zero), (timer.Remaining, timer.Period));
            ValueTask<long> second = timer.WaitAsync();
            await loop.Delay(Short);
            Assert.False(second.IsCompleted);
            timer.Set(TimeSpan.Zero);
            Assert.Equal(1, await second);
        });

    [Fact]
    public void A_periodic_timer_counts_what_nobody_waited_for()
        => Run(async loop =>
        {
            using var timer = new TimerFd();
            timer.Set(Short, Short);
            await loop.Delay(Short * 5);
            long missed = await timer.WaitAsync();
            Assert.True(missed >= 4, $"{missed} expirations in five periods");
            Assert.Equal(Short, timer.Period);
            Assert.True(timer.Remaining <= Short);
            Assert.True(await timer.WaitAsync() >= 1);
        });

    [Theory]
    [InlineData(ClockId.Monotonic)]
    [InlineData(ClockId.Realtime)]
    public void An_absolute_time_of_its_clock(ClockId clock)
        => Run(async loop =>
        {
            using var timer = new TimerFd(clock);
            Assert.Equal(clock, timer.Clock);
            long due = Kernel.ClockGetTime(clock) + (long)Short.TotalNanoseconds;
            timer.SetAt(due);
            Assert.Equal(1, await timer.WaitAsync());
            Assert.True(Kernel.ClockGetTime(clock) >= due);
            timer.SetAt(0); // long past
            Assert.Equal(1, await timer.WaitAsync());
        });

    [Fact]
    public void A_time_of_day_needs_the_clock_that_shows_it()
        => Run(async loop =>
        {
            using var timer = new TimerFd(ClockId.Realtime);
            DateTimeOffset now = DateTimeOffset.UnixEpoch.AddTicks(Kernel.ClockGetTime(ClockId.Realtime) / 100);
            timer.SetAt(now + Long);
            Assert.InRange(timer.Remaining, Long - TimeSpan.FromMinutes(5), Long);
            timer.SetAt(now - Long);
            Assert.Equal(1, await timer.WaitAsync());
            using var other = new TimerFd();
            Assert.Throws<InvalidOperationException>(() => other.SetAt(now));
            Assert.Throws<ArgumentOutOfRangeException>(() => timer.SetAt(new DateTimeOffset(1969, 1, 1, 0, 0, 0, TimeSpan.Zero)));
        });

    [Fact]
    public void Disarmed_it_forgets_what_it_had_and_what_was_to_come()
        => Run(async loop =>
        {
            using var timer = new TimerFd();
            timer.Set(TimeSpan.FromTicks(1));
            await loop.Delay(Short);
            timer.Disarm();
            Assert.Equal(TimeSpan.Zero, timer.Remaining);
            ValueTask<long> wait = timer.WaitAsync();
            await loop.Delay(Short);
            Assert.False(wait.IsCompleted);
            timer.Set(Long);
            Assert.InRange(timer.Remaining, Long - TimeSpan.FromMinutes(5), Long);
            timer.Set(Short); // brought forward while somebody waits
            Assert.Equal(1, await wait);
        });

    [Fact]
    public void A_wait_can_be_cancelled_and_one_waits_at_a_time()
        => Run(async loop =>
        {
            using var timer = new TimerFd();
            using var cancellation = new CancellationTokenSource();
            Task<long> wait = timer.WaitAsync(cancellation.Token).AsTask();
            await Assert.ThrowsAsync<BusyResourceException>(async () => await timer.WaitAsync());
            cancellation.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => wait);
            timer.Set(TimeSpan.Zero);
            Assert.Equal(1, await timer.WaitAsync());
        });

    [Fact]
    public void Disposing_ends_the_wait_and_closes_the_descriptor()
        => Run(async loop =>
        {
            var timer = new TimerFd();
            ValueTask<long> wait = timer.WaitAsync();
            timer.Dispose();
            timer.Dispose();
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await wait);
            Assert.Throws<ObjectDisposedException>(() => timer.Set(Short));
            Assert.Throws<ObjectDisposedException>(() => timer.Remaining);
            Assert.Equal((-1, 0), (timer.FileDescriptor, loop.Statistics.Descriptors));
        });

    [Theory]
    [InlineData(nameof(Weir.Kernel.TimerFdCreate))]
    [InlineData(nameof(Weir.Kernel.EpollCtl))]
    public virtual void One_that_cannot_be_made_leaves_nothing(string call)
        => Run(loop =>
        {
            long closed = Kernel.Count(nameof(Weir.Kernel.Close));
            Kernel.FailNext(call, Errno.EMFILE);
            Assert.Equal(Errno.EMFILE, Assert.Throws<KernelException>(() => new TimerFd()).Errno);
            Assert.Equal(call == nameof(Weir.Kernel.EpollCtl) ? closed + 1 : closed, Kernel.Count(nameof(Weir.Kernel.Close)));
            return Task.CompletedTask;
        });

    [Fact]
    public void Times_below_zero_are_refused()
        => Run(loop =>
        {
            using var timer = new TimerFd();
            Assert.Throws<ArgumentOutOfRangeException>(() => timer.Set(-Short));
            Assert.Throws<ArgumentOutOfRangeException>(() => timer.Set(Short, -Short));
            Assert.Throws<ArgumentOutOfRangeException>(() => timer.SetAt(-1));
            Assert.Equal(TimeSpan.Zero, timer.Remaining);
            return Task.CompletedTask;
        });
}
