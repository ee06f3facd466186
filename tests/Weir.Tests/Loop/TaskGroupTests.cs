namespace Weir.Tests;

public class TaskGroupTests : LoopTests
{
    [Fact]
    public void A_group_ends_when_all_its_tasks_have()
        => Run(async loop =>
        {
            int ended = 0;
            await TaskGroup.RunAsync(group =>
            {
                for (int i = 1; i <= 5; i++)
                {
                    int turns = i;
                    group.Spawn(async _ =>
                    {
                        for (int turn = 0; turn < turns; turn++)
                            await EventLoop.Yield();
                        ended++;
                    });
                }

                return Task.CompletedTask;
            });
            Assert.Equal(5, ended);
            Assert.Equal(0, loop.Statistics.Tasks);
        });

    [Fact]
    public void An_empty_group_ends() => Run(_ => TaskGroup.RunAsync(_ => Task.CompletedTask));

    [Fact]
    public void The_first_failure_cancels_the_others_and_is_thrown_once_they_have_ended()
        => Run(async loop =>
        {
            bool cleanedUp = false;
            FormatException failure = await Assert.ThrowsAsync<FormatException>(() => TaskGroup.RunAsync(async group =>
            {
                group.Spawn(async token =>
                {
                    try
                    {
                        await loop.Delay(Timeout.InfiniteTimeSpan, token);
                    }
                    finally
                    {
                        await EventLoop.Yield();
                        cleanedUp = true;
                    }
                });
                group.Spawn(async _ =>
                {
                    await EventLoop.Yield();
                    throw new FormatException("first");
                });
                await loop.Delay(Timeout.InfiniteTimeSpan, group.CancellationToken);
            }));
            Assert.Equal("first", failure.Message);
            Assert.True(cleanedUp);
        });

    [Fact]
    public void Several_failures_are_thrown_together()
        => Run(async _ =>
        {
            AggregateException failure = await Assert.ThrowsAsync<AggregateException>(() => TaskGroup.RunAsync(group =>
            {
                group.Spawn(_ => throw new FormatException());
                group.Spawn(async token =>
                {
                    await EventLoop.Yield();
                    throw new NotSupportedException();
                });
                throw new ArgumentException("body");
            }));
            Assert.Equal(
                [typeof(ArgumentException), typeof(FormatException), typeof(NotSupportedException)],
                failure.InnerExceptions.Select(e => e.GetType()).OrderBy(t => t.Name));
        });

    [Fact]
    public void A_failure_in_an_inner_group_cancels_the_outer_one()
        => Run(async loop => await Assert.ThrowsAsync<FormatException>(() => TaskGroup.RunAsync(outer =>
        {
            outer.Spawn(token => TaskGroup.RunAsync(
                inner =>
                {
                    inner.Spawn(_ => throw new FormatException());
                    inner.Spawn(async innerToken => await loop.Delay(Timeout.InfiniteTimeSpan, innerToken));
                    return Task.CompletedTask;
                }, token));
            outer.Spawn(async token => await loop.Delay(Timeout.InfiniteTimeSpan, token));
            return Task.CompletedTask;
        })));

    [Fact]
    public void The_outer_token_cancels_the_tasks_and_the_group_says_so()
        => Run(async loop =>
        {
            using var cancellation = new CancellationTokenSource();
            Task group = TaskGroup.RunAsync(
                group =>
                {
                    group.Spawn(async token => await loop.Delay(Timeout.InfiniteTimeSpan, token));
                    return Task.CompletedTask;
                }, cancellation.Token);
            await EventLoop.Yield();
            cancellation.Cancel();
            OperationCanceledException failure = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => group);
            Assert.Equal(cancellation.Token, failure.CancellationToken);
        });

    [Fact]
    public void A_group_cancelled_by_itself_ends_quietly()
        => Run(async loop => await TaskGroup.RunAsync(group =>
        {
            group.Spawn(async token => await loop.Delay(Timeout.InfiniteTimeSpan, token));
            group.Cancel();
            return Task.CompletedTask;
        }));

    [Fact]
    public void A_cancellation_that_nobody_asked_for_is_a_failure()
        => Run(async _ => await Assert.ThrowsAsync<TaskCanceledException>(() => TaskGroup.RunAsync(group =>
        {
            group.Spawn(_ => Task.FromException(new TaskCanceledException()));
            return Task.CompletedTask;
        })));

    [Fact]
    public void Nothing_is_spawned_in_a_group_that_has_ended()
        => Run(async _ =>
        {
            TaskGroup? ended = null;
            await TaskGroup.RunAsync(group =>
            {
                ended = group;
                return Task.CompletedTask;
            });
            Assert.Throws<InvalidOperationException>(() => ended!.Spawn(_ => Task.CompletedTask));
        });

    [Fact]
    public void To_cancel_a_group_that_has_ended_does_nothing()
        => Run(async _ =>
        {
            TaskGroup? ended = null;
            await TaskGroup.RunAsync(group =>
            {
                ended = group;
                return Task.CompletedTask;
            });
            ended!.Cancel();
            Assert.False(ended.CancellationToken.IsCancellationRequested);
        });

    [Fact]
    public void A_cancellation_callback_that_throws_is_one_failure_more()
        => Run(async loop =>
        {
            AggregateException failure = await Assert.ThrowsAsync<AggregateException>(() => TaskGroup.RunAsync(group =>
            {
                group.CancellationToken.Register(() => throw new NotSupportedException());
                group.Spawn(_ => throw new FormatException());
                return Task.CompletedTask;
            }));
            Assert.Equal([typeof(FormatException), typeof(NotSupportedException)], failure.InnerExceptions.Select(e => e.GetType()));
        });

    [ThreadedFact]
    public void A_group_made_where_no_context_is_keeps_its_books_on_the_loop()
        => Run(async loop =>
        {
            for (int round = 0; round < 20; round++)
            {
                await loop.Delay(TimeSpan.FromTicks(1)).ConfigureAwait(false);
                Assert.Null(SynchronizationContext.Current);
                int ended = 0;
                Task group = TaskGroup.RunAsync(group =>
                {
                    for (int i = 0; i < 50; i++)
                        group.Spawn(async _ =>
                        {
                            await EventLoop.Yield();
                            Assert.True(loop.IsCurrent);
                            ended++;
                        });
                    return Task.CompletedTask;
                });
                Assert.Null(SynchronizationContext.Current);
                SynchronizationContext.SetSynchronizationContext(loop.SynchronizationContext);
                await group;
                Assert.Equal(50, ended);
            }
        });
}
