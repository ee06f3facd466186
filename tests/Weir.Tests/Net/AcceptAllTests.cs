using Weir.Net;

namespace Weir.Tests;

public class AcceptAllTests : NetTestBase
{
    [Fact]
    public void Each_client_gets_a_handler_and_its_connection_is_disposed_after_it() => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        var seen = new List<Connection>();
        Task all = listener.AcceptAllAsync(async connection =>
        {
            seen.Add(connection);
            byte[] buffer = new byte[16];
            int count = await connection.ReadAsync(buffer);
            await connection.WriteAsync(buffer.AsMemory(0, count));
        });
        var clients = new List<Connection>();
        for (int i = 0; i < 5; i++)
            clients.Add(await Connection.ConnectAsync(listener.LocalEndPoint));
        await Until(() => seen.Count == 5);
        Assert.Equal(5, EventLoop.Current!.Tasks.Count(task => task.Name!.Contains(listener.LocalEndPoint.ToString()!)));
        foreach (Connection client in clients)
        {
            await client.WriteAsync(Bytes("echo"));
            Assert.Equal("echo", await ReadText(client, 4));
            Assert.Equal(0, await client.ReadAsync(new byte[1]));
            client.Dispose();
        }

        Assert.All(seen, connection => Assert.Equal(-1, connection.FileDescriptor));
        listener.Dispose();
        await all;
    });

    [Fact]
    public void Cancelling_ends_it_without_an_exception_and_handlers_run_on() => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        using var cancellation = new CancellationTokenSource();
        Connection? server = null;
        Task all = listener.AcceptAllAsync(
            async connection =>
            {
                server = connection;
                await connection.ReadExactlyAsync(new byte[1]);
                await connection.WriteAsync(Bytes("done"));
            },
            cancellation.Token);
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
        await Until(() => server != null);
        cancellation.Cancel();
        await all;
        await client.WriteAsync(Bytes("x"));
        Assert.Equal("done", await ReadText(client, 4));
    });

    [Fact]
    public void Disposing_the_listener_ends_it_without_an_exception() => Run(async () =>
    {
        Listener listener = Listener.Bind(AnyPort);
        Task all = listener.AcceptAllAsync(_ => Task.CompletedTask);
        listener.Dispose();
        await all;
        await listener.AcceptAllAsync(_ => Task.CompletedTask);
    });

    [Fact]
    public void A_lost_connection_is_no_failure_and_any_other_reaches_the_loops_policy()
    {
        var unhandled = new List<Exception>();
        Run(
            async () =>
            {
                using Listener listener = Listener.Bind(AnyPort);
                Exception?[] outcomes =
                [
                    new KernelException("read", 1, Errno.ECONNRESET), new IOException(), new OperationCanceledException(),
                    new ObjectDisposedException("it"), new FormatException("asynchronous"), new InvalidCastException("synchronous"), null,
                ];
                int next = 0;
                Task all = listener.AcceptAllAsync(connection =>
                {
                    Exception? outcome = outcomes[next++];
                    if (outcome is InvalidCastException)
                        throw outcome;
                    return Later(outcome);
                });
                foreach (Exception? _ in outcomes)
                {
                    using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
                    Assert.Equal(0, await client.ReadAsync(new byte[1]));
                }

                listener.Dispose();
                await all;
            },
            options => options.UnhandledException = failure =>
            {
                unhandled.Add(failure);
                return true;
            });
        Assert.Collection(unhandled, first => Assert.IsType<FormatException>(first), second => Assert.IsType<InvalidCastException>(second));

        static async Task Later(Exception? outcome)
        {
            await EventLoop.Yield();
            if (outcome != null)
                throw outcome;
        }
    }

    [Fact]
    public void By_default_a_failing_handler_ends_Run_with_its_exception()
    {
        Assert.Throws<FormatException>(() => RunAbandoning(async () =>
        {
            using Listener listener = Listener.Bind(AnyPort);
            Task all = listener.AcceptAllAsync(_ => throw new FormatException(), EventLoop.Current!.Stopping);
            using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
            await all;
        }));
        CheckBooks();
    }

    [ThreadedFact]
    public void Handlers_resume_on_the_loop_even_if_the_caller_runs_without_its_context() => Run(async () =>
    {
        EventLoop loop = EventLoop.Current!;
        using Listener listener = Listener.Bind(AnyPort);
        var resumed = new TaskCompletionSource<EventLoop?>();
        Task all = WithoutContext(() => listener.AcceptAllAsync(async connection =>
        {
            await Task.Run(() => { });
            resumed.SetResult(EventLoop.Current);
        }));
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
        Assert.Same(loop, await resumed.Task);
        listener.Dispose();
        await all;
    });

    [Fact]
    public void What_a_handler_takes_over_is_not_closed() => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        int released = -1;
        Task all = listener.AcceptAllAsync(connection =>
        {
            released = connection.ReleaseDescriptor();
            return Task.CompletedTask;
        });
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
        await Until(() => released >= 0);
        using Connection server = Connection.FromDescriptor(released);
        await server.WriteAsync(Bytes("kept"));
        Assert.Equal("kept", await ReadText(client, 4));
        listener.Dispose();
        await all;
    });

    private static async Task WithoutContext(Func<Task> body)
    {
        SynchronizationContext? context = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        Task task;
        try
        {
            task = body();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(context);
        }

        await task;
    }
}
