using System.Net;
using Weir.Net;

namespace Weir.Tests;

public class LostConnectionTests
{
    [Fact]
    public void A_connection_lost_by_its_reader_and_its_writer_at_once_does_not_end_the_loop()
    {
        int lost = EventLoop.Run(async () =>
        {
            EventLoop loop = EventLoop.Current!;
            var both = new TaskCompletionSource<int>();
            using Listener listener = Listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            Task accepting = loop.Spawn(() => listener.AcceptAllAsync(async connection =>
            {
                int failures = 0;
                try
                {
                    await TaskGroup.RunAsync(group =>
                    {
                        group.Spawn(async _ => await connection.ReadExactlyAsync(new byte[1]));
                        group.Spawn(async _ =>
                        {
                            while (true)
                                await connection.WriteAsync(new byte[64 * 1024]);
                        });
                        group.Spawn(async _ =>
                        {
                            await loop.Delay(TimeSpan.FromMilliseconds(20)); // both wait by now, and get ObjectDisposedException
                            connection.Abort();
                        });
                        return Task.CompletedTask;
                    });
                }
                catch (AggregateException several)
                {
                    failures = several.InnerExceptions.Count;
                    throw;
                }
                finally
                {
                    both.SetResult(failures);
                }
            }));

            await using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
            int count = await both.Task;
            listener.Dispose();
            await accepting;
            return count;
        });

        Assert.Equal(2, lost);
    }

    [Fact]
    public void A_bug_among_the_losses_of_a_connection_is_not_hidden()
    {
        var bug = new InvalidOperationException("a bug");
        AggregateException thrown = Assert.Throws<AggregateException>(() => EventLoop.Run(async () =>
        {
            using Listener listener = Listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            Task accepting = listener.AcceptAllAsync(_ => Task.FromException(new AggregateException(new IOException(), bug)));
            await using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
            await accepting;
        }, new LoopOptions { StopTimeout = TimeSpan.Zero }));

        Assert.Contains(bug, thrown.InnerExceptions);
    }
}
