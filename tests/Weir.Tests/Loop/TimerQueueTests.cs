namespace Weir.Tests.Loop;

public class TimerQueueTests
{
    private const long Microsecond = 1_000;
    private const long Millisecond = 1_000_000;
    private const long Second = 1_000_000_000;
    private const long Year = 365L * 24 * 3600 * Second;

    private readonly TimerQueue _queue = new();

    [Fact]
    public void An_empty_queue_has_no_deadline_and_nothing_expires()
    {
        Assert.Equal(0, _queue.Count);
        Assert.Equal(long.MaxValue, _queue.NextDeadline);
        Assert.Equal(long.MaxValue, _queue.NextWake(Second));
        Assert.Null(_queue.PopExpired(long.MaxValue));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(50 * Microsecond)]
    [InlineData(1 << 20)]
    [InlineData(Second)]
    [InlineData(Year)]
    [InlineData(292 * Year)]
    public void A_timer_expires_at_its_very_nanosecond_and_not_one_before(long deadline)
    {
        Probe timer = Arm(deadline);
        Assert.Equal(deadline, _queue.NextDeadline);
        Assert.Null(_queue.PopExpired(deadline - 1));
        Assert.True(timer.IsArmed);
        Assert.Same(timer, _queue.PopExpired(deadline));
        Assert.False(timer.IsArmed);
        Assert.Equal(0, _queue.Count);
        Assert.Null(_queue.PopExpired(deadline));
    }

    [Theory]
    [InlineData(long.MinValue)]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(10 * Second)]
    public void A_deadline_that_has_passed_is_due_at_once(long deadline)
    {
        Assert.Null(_queue.PopExpired(10 * Second));
        Probe timer = Arm(deadline);
        Assert.Equal(deadline, _queue.NextDeadline);
        Assert.Same(timer, _queue.PopExpired(10 * Second));
    }

    [Fact]
    public void The_end_of_time_is_never_reached_before_it_is()
    {
        Probe timer = Arm(TimerQueue.DeadlineAfter(5, long.MaxValue));
        Assert.Equal(long.MaxValue, _queue.NextDeadline);
        Assert.Equal(long.MaxValue, _queue.NextWake(Second));
        Assert.Null(_queue.PopExpired(long.MaxValue - 1));
        Assert.Same(timer, _queue.PopExpired(long.MaxValue));
    }

    [Theory]
    [InlineData(0, 5, 5)]
    [InlineData(5, long.MaxValue, long.MaxValue)]
    [InlineData(long.MaxValue - 1, 1, long.MaxValue)]
    [InlineData(long.MaxValue, 1, long.MaxValue)]
    [InlineData(7, -3, 4)]
    public void A_deadline_after_a_delay_saturates(long now, long delay, long deadline)
    {
        Assert.Equal(deadline, TimerQueue.DeadlineAfter(now, delay));
    }

    [Fact]
    public void Timers_expire_by_deadline_whatever_order_they_were_armed_in()
    {
        long[] deadlines = [9 * Second, 3, 40 * Year, Millisecond, 3 * Millisecond / 2, 5 * Second, 2 * Millisecond, 70 * Second, Year];
        foreach (long deadline in deadlines)
        {
            Arm(deadline);
        }

        Array.Sort(deadlines);
        Assert.Equal(deadlines, Drain(50 * Year).Select(timer => timer.Deadline));
    }

    [Fact]
    public void Equal_deadlines_expire_in_the_order_of_arming_even_when_filed_at_different_times()
    {
        const long Deadline = 100 * Second;
        Probe a = Arm(Deadline);
        Assert.Null(_queue.PopExpired(60 * Second));
        Probe b = Arm(Deadline);
        Assert.Null(_queue.PopExpired(Deadline - Millisecond));
        Probe c = Arm(Deadline);
        Assert.Null(_queue.PopExpired(Deadline - 1));
        Probe d = Arm(Deadline);
        Assert.Equal([a, b, c, d], Drain(Deadline));
    }

    [Fact]
    public void Arming_again_for_the_same_deadline_goes_behind_the_others()
    {
        Probe a = Arm(Second), b = Arm(Second), c = Arm(Second);
        _queue.Arm(a, Second);
        _queue.Arm(b, 2 * Second);
        _queue.Arm(b, Second);
        Assert.Equal(3, _queue.Count);
        Assert.Equal([c, a, b], Drain(Second));
    }

    [Fact]
    public void A_hundred_thousand_timers_of_one_deadline_expire_in_order()
    {
        Probe[] timers = [.. Enumerable.Range(0, 100_000).Select(_ => Arm(Second))];
        Assert.Null(_queue.PopExpired(Second - 1));
        Assert.Equal(timers, Drain(Second));
    }

    [Fact]
    public void A_cancelled_timer_does_not_expire_and_can_be_cancelled_only_once()
    {
        Probe near = Arm(10), far = Arm(Second);
        Assert.True(_queue.Cancel(near));
        Assert.True(_queue.Cancel(far));
        Assert.False(_queue.Cancel(near));
        Assert.False(_queue.Cancel(far));
        Assert.Equal(0, _queue.Count);
        Assert.Equal(long.MaxValue, _queue.NextDeadline);
        Assert.Empty(Drain(Year));
    }

    [Fact]
    public void A_timer_that_has_expired_or_was_never_armed_cannot_be_cancelled()
    {
        Assert.False(_queue.Cancel(new Probe()));
        Probe timer = Arm(10);
        Assert.Same(timer, _queue.PopExpired(10));
        Assert.False(_queue.Cancel(timer));
    }

    [Theory]
    [InlineData(10, 20)]
    [InlineData(20, 10)]
    [InlineData(10, Second)]
    [InlineData(Second, 10)]
    [InlineData(Second, 2 * Second)]
    [InlineData(2 * Second, Second)]
    [InlineData(Second, Year)]
    [InlineData(Year, Second)]
    public void A_moved_timer_expires_once_at_its_last_deadline(long from, long to)
    {
        Probe timer = Arm(from);
        _queue.Arm(timer, to);
        Assert.Equal(1, _queue.Count);
        Assert.Equal(to, _queue.NextDeadline);
        Assert.Null(_queue.PopExpired(to - 1));
        Assert.Same(timer, _queue.PopExpired(to));
        Assert.Empty(Drain(2 * Year));
    }

    [Fact]
    public void A_timer_cancelled_and_armed_again_expires_once()
    {
        Probe timer = Arm(2 * Second);
        foreach (long deadline in new[] { 3 * Second, Second, Year, 500 * Millisecond, 4 * Second })
        {
            Assert.True(_queue.Cancel(timer));
            _queue.Arm(timer, deadline);
            Assert.Equal(deadline, _queue.NextDeadline);
        }

        Assert.Null(_queue.PopExpired((4 * Second) - 1));
        Assert.Equal([timer], Drain(Year));
    }

    [Fact]
    public void A_timer_may_be_armed_again_as_soon_as_it_is_taken()
    {
        Probe timer = Arm(Millisecond);
        for (int i = 1; i < 1000; i++)
        {
            Assert.Same(timer, _queue.PopExpired(i * Millisecond));
            _queue.Arm(timer, (i + 1) * Millisecond);
            Assert.Null(_queue.PopExpired(i * Millisecond));
        }
    }

    [Fact]
    public void Changes_made_while_taking_expired_timers_count_for_the_rest_of_them()
    {
        Probe first = Arm(10), cancelled = Arm(20), moved = Arm(30), hastened = Arm(Year), last = Arm(5 * Second);
        Assert.Same(first, _queue.PopExpired(10 * Second));
        _queue.Cancel(cancelled);
        _queue.Arm(moved, 20 * Second);
        _queue.Arm(hastened, 4 * Second);
        Probe past = Arm(1);
        Assert.Equal([past, hastened, last], Drain(10 * Second));
        Assert.Equal([moved], Drain(20 * Second));
    }

    [Fact]
    public void A_clock_that_jumps_by_years_skips_the_empty_time_and_misses_nothing()
    {
        long now = 0;
        for (int i = 0; i < 100; i++)
        {
            Probe soon = Arm(now + Second), late = Arm(now + (2 * Year) + 1);
            now += 2 * Year;
            Assert.Equal([soon], Drain(now));
            Assert.Equal(now + 1, _queue.NextDeadline);
            Assert.Equal([late], Drain(++now));
        }
    }

    [Fact]
    public void A_clock_that_steps_back_takes_nothing_too_early()
    {
        Assert.Null(_queue.PopExpired(Year));
        Probe timer = Arm(Second);
        Assert.Null(_queue.PopExpired(Second - 1));
        Assert.Equal(Second, _queue.NextDeadline);
        Assert.Same(timer, _queue.PopExpired(Second));
    }

    [Fact]
    public void The_next_deadline_is_exact_when_the_earliest_of_a_few_timers_is_cancelled_or_moved()
    {
        Probe[] timers = [.. Enumerable.Range(0, 16).Select(i => Arm((60 * Second) + (i * Millisecond)))];
        for (int i = 0; i < 14; i++)
        {
            Assert.Equal(timers[i].Deadline, _queue.NextDeadline);
            if (i % 2 == 0)
            {
                _queue.Cancel(timers[i]);
            }
            else
            {
                _queue.Arm(timers[i], 61 * Second);
            }
        }
    }

    [Fact]
    public void An_idle_loop_wakes_early_at_most_once_a_level_after_ten_thousand_timers_moved_away()
    {
        Probe[] timers = [.. Enumerable.Range(0, 10_000).Select(i => Arm((60 * Second) + (i * 100 * Microsecond)))];
        foreach (Probe timer in timers)
        {
            _queue.Arm(timer, timer.Deadline + (30 * Second));
        }

        int early = 0;
        long now;
        while (_queue.PopExpired(now = _queue.NextDeadline) is null)
        {
            Assert.True(now < 90 * Second);
            early++;
        }

        Assert.Equal(90 * Second, now);
        Assert.InRange(early, 0, 8);
    }

    [Fact]
    public void Timers_within_the_slack_of_the_first_share_a_wake_up()
    {
        Arm(Second);
        Assert.Equal(Second, _queue.NextWake(50 * Microsecond));
        Arm(Second + (20 * Microsecond));
        Probe last = Arm(Second + (50 * Microsecond));
        Arm(Second + (50 * Microsecond) + 1);
        Assert.Equal(Second + (50 * Microsecond), _queue.NextWake(50 * Microsecond));
        Assert.Equal(Second, _queue.NextWake(0));
        Assert.Equal(Second, _queue.NextDeadline);
        Assert.Null(_queue.PopExpired(Second - 1));
        Assert.Equal(Second + (50 * Microsecond), _queue.NextWake(50 * Microsecond));
        _queue.Cancel(last);
        Assert.Equal(Second + (20 * Microsecond), _queue.NextWake(50 * Microsecond));
    }

    [Fact]
    public void A_wake_up_is_shared_across_the_border_of_the_current_tick()
    {
        Arm((1 << 20) - 1);
        Arm(1 << 20);
        Assert.Equal(1 << 20, _queue.NextWake(10));
    }

    [Fact]
    public void A_slack_that_reaches_past_the_end_of_time_is_allowed()
    {
        Arm(long.MaxValue - 5);
        Arm(long.MaxValue - 2);
        Assert.Equal(long.MaxValue - 2, _queue.NextWake(long.MaxValue));
    }

    [Fact]
    public void Timers_of_a_burst_that_was_cancelled_can_be_armed_again()
    {
        Probe[] timers = [.. Enumerable.Range(0, 200_000).Select(_ => new Probe())];
        for (int round = 0; round < 3; round++)
        {
            foreach (Probe timer in timers)
                _queue.Cancel(timer);
            Assert.Equal(long.MaxValue, _queue.NextWake(0));
            Assert.Equal(0, _queue.SlotsInUse);
            // Later than before: each may have kept its place, had there not been so many.
            for (int i = timers.Length - 1; i >= 0; i--)
                _queue.Arm(timers[i], (round * Second) + Second + (i * 1000));
        }

        for (int i = 0; i < timers.Length; i++)
            Assert.Same(timers[i], _queue.PopExpired(long.MaxValue));
        Assert.Null(_queue.PopExpired(long.MaxValue));
    }

    [Fact]
    public void Once_warm_no_operation_allocates()
    {
        Random random = new(1);
        Probe[] timers = [.. Enumerable.Range(0, 5_000).Select(_ => new Probe())];
        long now = 0;
        Work(200);
        Assert.Equal(0, Allocations.Least(() => Work(20)));

        void Work(int rounds)
        {
            for (int round = 0; round < rounds; round++)
            {
                foreach (Probe timer in timers)
                {
                    _queue.Arm(timer, now + random.NextInt64(Second));
                    if (random.Next(3) == 0)
                    {
                        _queue.Cancel(timer);
                    }
                }

                now += 300 * Millisecond;
                _ = _queue.NextWake(50 * Microsecond);
                while (_queue.PopExpired(now) is not null)
                {
                }
            }
        }
    }

    [Fact]
    public void A_timeout_armed_and_cancelled_for_ever_takes_no_more_room()
    {
        Probe timer = new();
        long now = 0;
        Work(10_000);
        Assert.Equal(0, Allocations.Least(() => Work(100_000)));

        void Work(int times)
        {
            for (int i = 0; i < times; i++)
            {
                now += 10 * Microsecond;
                _queue.Arm(timer, now + (i % 3 * Second) + Second);
                _queue.Cancel(timer);
                Assert.Null(_queue.PopExpired(now));
            }
        }
    }

    [Fact]
    public void Timers_armed_once_and_cancelled_do_not_pile_up_in_an_awake_loop()
    {
        var far = new Probe();
        for (int i = 0; i < 100_000; i++)
        {
            var timer = new Probe();
            _queue.Arm(timer, Second + i);
            _queue.Cancel(timer);
        }

        _queue.Arm(far, Second);
        Assert.InRange(_queue.SlotsInUse, 1, 4 * 1024);
    }

    [Fact]
    public void Cancelled_timers_that_outnumber_the_armed_by_far_are_let_go_before_the_next_sleep()
    {
        WeakReference[] cancelled = ArmAndCancel(10_000);
        _queue.NextWake(0);
        GC.Collect();
        Assert.InRange(cancelled.Count(reference => reference.IsAlive), 0, 1_100);

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        WeakReference[] ArmAndCancel(int count)
        {
            Probe[] timers = [.. Enumerable.Range(0, count).Select(i => Arm(Year + i))];
            Array.ForEach(timers, timer => _queue.Cancel(timer));
            return [.. timers.Select(timer => new WeakReference(timer))];
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Any_sequence_of_operations_does_what_a_sorted_set_does(int seed)
    {
        new TimerQueueModel(seed).Run(4_000);
    }

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 200)];

    private Probe Arm(long deadline)
    {
        Probe timer = new();
        _queue.Arm(timer, deadline);
        return timer;
    }

    private List<TimerNode> Drain(long now)
    {
        List<TimerNode> taken = [];
        while (_queue.PopExpired(now) is { } timer)
        {
            taken.Add(timer);
        }

        return taken;
    }

    internal sealed class Probe : TimerNode
    {
        public int Id { get; init; }

        public override void OnDeadline(long now)
        {
        }
    }
}
