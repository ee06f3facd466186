using System.IO.Pipelines;

namespace Weir.Tests;

public class LoopContextTests : LoopTests
{
    [ThreadedFact]
    public void Awaiting_a_foreign_task_returns_to_the_loop()
        => Run(async loop =>
        {
            int thread = Environment.CurrentManagedThreadId;
            int other = await Task.Run(() => Environment.CurrentManagedThreadId);
            Assert.NotEqual(thread, other);
            Assert.Equal(thread, Environment.CurrentManagedThreadId);
            Assert.Same(loop.SynchronizationContext, SynchronizationContext.Current);
        });

    [ThreadedFact]
    public void A_weir_awaitable_without_context_resumes_on_the_loop_with_none_installed()
        => Run(async loop =>
        {
            await WithoutContext();
            Assert.Same(loop.SynchronizationContext, SynchronizationContext.Current);
            Assert.Equal(0, loop.Statistics.HopsOffLoop);

            async Task WithoutContext()
            {
                await loop.Delay(TimeSpan.FromTicks(1)).ConfigureAwait(false);
                Assert.True(loop.IsCurrent);
                Assert.Null(SynchronizationContext.Current);
                await Inner().ConfigureAwait(false); // an ordinary task that completes where no context is: it goes on here
                Assert.True(loop.IsCurrent);
            }

            async Task Inner()
            {
                await loop.Delay(TimeSpan.FromTicks(1)).ConfigureAwait(false);
                await loop.Delay(TimeSpan.FromTicks(1)).ConfigureAwait(false);
            }
        });

    [Fact]
    public void An_awaiter_that_flows_its_execution_context_resumes_on_the_loop_and_is_no_hop()
        => Run(async loop =>
        {
            var local = new AsyncLocal<int> { Value = 3 };
            var resumed = new TaskCompletionSource<(int Local, EventLoop? Loop)>();
            loop.Delay(TimeSpan.FromTicks(1)).GetAwaiter().OnCompleted(() => resumed.SetResult((local.Value, EventLoop.Current)));
            local.Value = 4;
            Assert.Equal((3, loop), await resumed.Task);
            Assert.Equal(0, loop.Statistics.HopsOffLoop);
        });

    [ThreadedFact]
    public void Post_brings_code_of_other_threads_here_in_order()
        => Run(async loop =>
        {
            List<int> order = [];
            await OnThread(() =>
            {
                for (int i = 0; i < 100; i++)
                    loop.SynchronizationContext.Post(number => order.Add(loop.IsCurrent ? (int)number! : -1), i);
            });
            while (order.Count < 100)
                await EventLoop.Yield();
            Assert.Equal(Enumerable.Range(0, 100), order);
        });

    [ThreadedFact]
    public void Send_blocks_the_other_thread_and_brings_back_what_is_thrown()
        => Run(async loop =>
        {
            bool here = false;
            loop.SynchronizationContext.Send(_ => here = true, null);
            Assert.True(here);
            await OnThread(() =>
            {
                bool ran = false;
                loop.SynchronizationContext.Send(state => ran = loop.IsCurrent && (string)state! == "x", "x");
                Assert.True(ran);
                Assert.Throws<FormatException>(() => loop.SynchronizationContext.Send(_ => throw new FormatException(), null));
            });
        });

    [ThreadedFact]
    public void After_the_end_Post_goes_to_the_pool_and_Send_is_refused()
    {
        EventLoop loop = Run(loop => Task.FromResult(loop));
        var ran = new TaskCompletionSource<EventLoop?>();
        loop.SynchronizationContext.Post(_ => ran.SetResult(EventLoop.Current), null);
        Assert.Null(TestLoop.Within(ran.Task));
        Assert.Throws<InvalidOperationException>(() => loop.SynchronizationContext.Send(_ => { }, null));
    }

    [Fact]
    public void A_copy_of_the_context_is_the_context()
        => Run(loop =>
        {
            Assert.Same(loop.SynchronizationContext, loop.SynchronizationContext.CreateCopy());
            return Task.CompletedTask;
        });

    [ThreadedFact]
    public void The_scheduler_runs_tasks_of_any_thread_on_the_loop()
        => Run(async loop =>
        {
            await Task.Run(async () =>
            {
                Assert.Same(loop, await Task.Factory.StartNew(() => EventLoop.Current, CancellationToken.None, TaskCreationOptions.None, loop.TaskScheduler));
                await Assert.ThrowsAsync<FormatException>(() => Task.Factory.StartNew(() => throw new FormatException(), CancellationToken.None, TaskCreationOptions.None, loop.TaskScheduler));
            });
            Assert.Equal(1, loop.TaskScheduler.MaximumConcurrencyLevel);
            Task inline = new(() => Assert.True(loop.IsCurrent));
            inline.RunSynchronously(loop.TaskScheduler);
            await inline;
        });

    [ThreadedFact]
    public void Tasks_of_the_scheduler_wait_their_turn_when_started_on_the_loop()
        => Run(async loop =>
        {
            bool ran = false;
            Task task = Task.Factory.StartNew(() => ran = true, CancellationToken.None, TaskCreationOptions.None, loop.TaskScheduler);
            Assert.False(ran);
            await task;
            Assert.True(ran);
        });

    [ThreadedFact]
    public void A_pipe_with_the_loops_scheduler_calls_back_on_it_and_never_inline()
        => Run(async loop =>
        {
            var pipe = new Pipe(new PipeOptions(readerScheduler: loop.PipeScheduler, writerScheduler: loop.PipeScheduler, useSynchronizationContext: false));
            bool read = false;
            Task reader = Read();
            await Task.Run(async () => await pipe.Writer.WriteAsync(new byte[10]));
            await reader;
            Task second = Read();
            read = false;
            await pipe.Writer.WriteAsync(new byte[10]);
            Assert.False(read); // queued behind us
            await second;

            async Task Read()
            {
                ReadResult result = await pipe.Reader.ReadAsync().ConfigureAwait(false);
                Assert.True(loop.IsCurrent);
                Assert.Equal(10, result.Buffer.Length);
                pipe.Reader.AdvanceTo(result.Buffer.End);
                read = true;
            }
        });

    [ThreadedFact]
    public void Callbacks_of_a_pipe_go_to_the_pool_after_the_end()
    {
        EventLoop loop = Run(loop => Task.FromResult(loop));
        var ran = new TaskCompletionSource();
        loop.PipeScheduler.Schedule(_ => ran.SetResult(), null);
        TestLoop.Within(ran.Task);
    }

    [ThreadedFact]
    public void An_AsyncLocal_flows_with_posts_spawns_and_awaits()
        => Run(async loop =>
        {
            var local = new AsyncLocal<string>();
            List<string?> seen = [];
            local.Value = "posted";
            loop.Post(() => seen.Add(local.Value));
            local.Value = "spawned";
            Task task = loop.Spawn(async () =>
            {
                seen.Add(local.Value);
                local.Value = "inside";
                await EventLoop.Yield();
                await loop.Delay(TimeSpan.FromTicks(1));
                seen.Add(local.Value);
            });
            local.Value = "awaited";
            await task;
            seen.Add(local.Value);
            await Task.Run(() =>
            {
                local.Value = "elsewhere";
                loop.Post(() => seen.Add(local.Value));
            });
            seen.Add(local.Value);
            while (seen.Count < 6)
                await EventLoop.Yield();
            Assert.Equal(["posted", "spawned", "inside", "awaited"], seen[..4]);
            Assert.Equal(["awaited", "elsewhere"], seen[4..].Order());
        });

    [Fact]
    public void What_one_entry_does_to_an_AsyncLocal_does_not_reach_the_next()
    {
        var local = new AsyncLocal<string?>();
        List<string?> seen = [];
        Run(loop =>
        {
            local.Value = "main"; // not an async method: nobody but the loop takes this back
            loop.Post(_ => seen.Add(local.Value), null);
            loop.Post(
                _ =>
                {
                    local.Value = "entry";
                    throw new FormatException();
                }, null);
            loop.Post(_ => seen.Add(local.Value), null);
            loop.SynchronizationContext.Post(_ => local.Value = "context", null);
            loop.Post(_ => seen.Add(local.Value), null);
            return loop.Spawn(async () => await EventLoop.Yield());
        }, o => o.UnhandledException = _ => true);
        Assert.Equal([null, null, null], seen);
    }

    [Fact]
    public void What_one_entry_does_to_the_context_does_not_reach_the_next()
        => Run(async loop =>
        {
            SynchronizationContext? seen = null;
            loop.Post(_ => SynchronizationContext.SetSynchronizationContext(null), null);
            loop.Post(_ => seen = SynchronizationContext.Current, null);
            await EventLoop.Yield();
            Assert.Same(loop.SynchronizationContext, seen);
            await Leave();
            Assert.Same(loop.SynchronizationContext, SynchronizationContext.Current);

            async Task Leave()
            {
                await loop.Delay(TimeSpan.FromTicks(1));
                SynchronizationContext.SetSynchronizationContext(new SynchronizationContext());
            }
        });

    [ThreadedFact]
    public void A_task_whose_body_changes_the_context_ends_on_the_loop()
        => Run(async loop =>
        {
            await loop.Spawn(() =>
            {
                SynchronizationContext.SetSynchronizationContext(null);
                return OnThread(() => UntilAsleep(loop));
            });
            Assert.Empty(loop.Tasks);
        });

    [ThreadedFact]
    public void A_send_from_one_loop_to_another_works()
        => Run(async first =>
        {
            await OnThread(() => EventLoop.Run(async () =>
            {
                EventLoop second = EventLoop.Current!;
                Assert.NotSame(first, second);
                bool ran = false;
                first.SynchronizationContext.Send(_ => ran = first.IsCurrent, null);
                Assert.True(ran);
                await first.Delay(TimeSpan.FromMilliseconds(1)); // the other's timer; we come back here
                Assert.True(second.IsCurrent);
                await second.Delay(TimeSpan.FromTicks(1));
            }));
        });
}
