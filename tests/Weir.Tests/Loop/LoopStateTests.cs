namespace Weir.Tests;

public class LoopStateTests
{
    private readonly LoopState _state = new();

    [Fact]
    public void It_begins_running()
    {
        Assert.Equal(LoopPhase.Running, _state.Phase);
        Assert.True(_state.BeginTurn());
        Assert.Equal(LoopPhase.Running, _state.Phase);
    }

    [Fact]
    public void A_wake_of_a_running_loop_makes_it_look_again_and_costs_nothing()
    {
        Assert.Equal(WakeDebt.None, _state.Wake());
        Assert.Equal(LoopPhase.RunAgain, _state.Phase);
        Assert.Equal(1, _state.WakesSaved);
        Assert.Equal(0, _state.WakesOwed);
    }

    [Fact]
    public void More_wakes_before_the_next_turn_change_nothing()
    {
        for (int i = 0; i < 10; i++)
            Assert.Equal(WakeDebt.None, _state.Wake());
        Assert.Equal(LoopPhase.RunAgain, _state.Phase);
        Assert.Equal(1, _state.WakesSaved);
    }

    [Fact]
    public void A_turn_takes_up_what_was_left()
    {
        _state.Wake();
        Assert.True(_state.BeginTurn());
        Assert.Equal(LoopPhase.Running, _state.Phase);
    }

    [Fact]
    public void A_loop_that_is_to_look_again_does_not_sleep()
    {
        _state.Wake();
        Assert.False(_state.TrySleep(long.MaxValue));
        Assert.Equal(LoopPhase.RunAgain, _state.Phase);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(long.MaxValue)]
    public void The_first_wake_of_a_sleeper_is_owed_and_the_others_are_not(long deadline)
    {
        Assert.True(_state.TrySleep(deadline));
        Assert.Equal(LoopPhase.Sleeping, _state.Phase);
        Assert.Equal(WakeDebt.Owed, _state.Wake());
        Assert.Equal(LoopPhase.Waking, _state.Phase);
        Assert.Equal(WakeDebt.None, _state.Wake());
        Assert.Equal(WakeDebt.None, _state.WakeFor(0));
        Assert.Equal(1, _state.WakesOwed);
        _state.WakeDelivered();
    }

    [Theory]
    [InlineData(1000, 999, true)]
    [InlineData(1000, 1000, false)]
    [InlineData(1000, 1001, false)]
    [InlineData(1000, -5, true)]
    [InlineData(0, 0, false)]
    [InlineData(long.MaxValue, 1_000_000_000_000_000, true)]
    [InlineData(long.MaxValue, long.MaxValue, false)]
    [InlineData(5_000_000_000, long.MaxValue, false)]
    public void A_timer_wakes_a_sleeper_only_if_it_comes_before_the_deadline(long sleepsUntil, long timer, bool owed)
    {
        Assert.True(_state.TrySleep(sleepsUntil));
        Assert.Equal(owed ? WakeDebt.Owed : WakeDebt.None, _state.WakeFor(timer));
        Assert.Equal(owed ? LoopPhase.Waking : LoopPhase.Sleeping, _state.Phase);
        if (owed)
            _state.WakeDelivered();
    }

    [Fact]
    public void A_timer_makes_a_running_loop_look_again()
    {
        Assert.Equal(WakeDebt.None, _state.WakeFor(long.MaxValue));
        Assert.Equal(LoopPhase.RunAgain, _state.Phase);
    }

    [Fact]
    public void A_sleeper_that_leaves_by_itself_runs()
    {
        _state.TrySleep(10);
        _state.Leave();
        Assert.Equal(LoopPhase.Running, _state.Phase);
        Assert.Equal(WakeDebt.None, _state.Wake());
    }

    [Fact]
    public void A_sleeper_that_leaves_while_someone_is_about_to_wake_it_runs()
    {
        _state.TrySleep(10);
        Assert.Equal(WakeDebt.Owed, _state.Wake());
        _state.Leave();
        Assert.Equal(LoopPhase.Running, _state.Phase);
        // The late wake-up arrives in the next sleep: one event too many, and no harm.
        Assert.True(_state.TrySleep(20));
        _state.WakeDelivered();
        Assert.Equal(LoopPhase.Sleeping, _state.Phase);
    }

    [Fact]
    public void To_leave_when_not_asleep_does_nothing()
    {
        _state.Leave();
        Assert.Equal(LoopPhase.Running, _state.Phase);
        _state.Wake();
        _state.Leave();
        Assert.Equal(LoopPhase.RunAgain, _state.Phase);
    }

    [Fact]
    public void Stopped_is_for_good()
    {
        _state.Stop();
        Assert.Equal(LoopPhase.Stopped, _state.Phase);
        Assert.Equal(WakeDebt.Stopped, _state.Wake());
        Assert.Equal(WakeDebt.Stopped, _state.WakeFor(0));
        Assert.False(_state.BeginTurn());
        Assert.False(_state.TrySleep(0));
        _state.Leave();
        Assert.Equal(LoopPhase.Stopped, _state.Phase);
    }

    [Fact]
    public void Stop_waits_for_a_wake_up_in_flight()
    {
        _state.TrySleep(long.MaxValue);
        Assert.Equal(WakeDebt.Owed, _state.Wake());
        _state.Leave();
        bool delivered = false;
        var stopper = new Thread(() =>
        {
            _state.Stop();
            Assert.True(Volatile.Read(ref delivered));
        });
        stopper.Start();
        Assert.True(SpinWait.SpinUntil(() => _state.Phase == LoopPhase.Stopped, TestLoop.Limit));
        // It has said that it stopped, and cannot have returned: our write is still to come.
        Assert.True(stopper.IsAlive);
        Volatile.Write(ref delivered, true);
        _state.WakeDelivered();
        Assert.True(stopper.Join(TestLoop.Limit));
    }

    [Fact]
    public void Of_many_threads_that_wake_a_sleeper_one_owes()
    {
        const int Rounds = 2000, Threads = 4;
        using var barrier = new Barrier(Threads + 1);
        int owed = 0;
        Thread[] wakers = [.. Enumerable.Range(0, Threads).Select(_ => new Thread(() =>
        {
            for (int round = 0; round < Rounds; round++)
            {
                barrier.SignalAndWait();
                if (_state.Wake() == WakeDebt.Owed)
                {
                    Interlocked.Increment(ref owed);
                    _state.WakeDelivered();
                }

                barrier.SignalAndWait();
            }
        })
        { IsBackground = true })];
        foreach (Thread waker in wakers)
            waker.Start();
        for (int round = 0; round < Rounds; round++)
        {
            Assert.True(_state.TrySleep(long.MaxValue));
            Assert.True(barrier.SignalAndWait(TestLoop.Limit));
            Assert.True(barrier.SignalAndWait(TestLoop.Limit));
            Assert.Equal(round + 1, Volatile.Read(ref owed));
            Assert.Equal(LoopPhase.Waking, _state.Phase);
            _state.Leave();
        }

        foreach (Thread waker in wakers)
            Assert.True(waker.Join(TestLoop.Limit));
    }
}
