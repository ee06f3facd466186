using Weir.Net;

namespace Weir.Tests;

public class AcceptShortageTests : NetTestBase
{
    [Theory]
    [InlineData(Errno.EMFILE)]
    [InlineData(Errno.ENFILE)]
    [InlineData(Errno.ENOBUFS)]
    [InlineData(Errno.ENOMEM)]
    public void A_shortage_pauses_accepting_and_the_client_is_accepted_afterwards(Errno errno) => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        Door.FailNext(nameof(Kernel.Accept4), errno, times: 3);
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
        using Connection server = await listener.AcceptAsync();
        Assert.Equal(3, listener.Pauses);
        Assert.Equal(4, Door.Count(nameof(Kernel.Accept4)));
        Assert.Equal(client.LocalEndPoint, server.RemoteEndPoint);
    });

    [Fact]
    public void A_shortage_met_while_waiting_pauses_too_and_nothing_spins() => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        Task<Connection> accepting = listener.AcceptAsync().AsTask();
        await Until(() => Statistics.WaitingReaders == 1);
        Door.Reset();
        Door.FailNext(nameof(Kernel.Accept4), Errno.EMFILE, times: 2);
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
        using Connection server = await accepting;
        Assert.Equal(2, listener.Pauses);
        Assert.Equal(3, Door.Count(nameof(Kernel.Accept4)));
        // Two pauses, the connect, the accept: a handful of turns, not thousands.
        Assert.InRange(Door.Waits, 1, 30);
    });

    [Fact]
    public void Accepting_all_goes_on_after_a_shortage() => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        var accepted = new TaskCompletionSource();
        Door.FailNext(nameof(Kernel.Accept4), Errno.EMFILE, times: 2);
        Task all = listener.AcceptAllAsync(_ =>
        {
            accepted.SetResult();
            return Task.CompletedTask;
        });
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
        await accepted.Task;
        listener.Dispose();
        await all;
    });

    [Theory]
    [InlineData(Errno.ENOSPC)]
    [InlineData(Errno.ENOMEM)]
    public void A_connection_that_cannot_be_watched_is_dropped_and_accepting_goes_on(Errno errno) => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        using Connection first = await Connection.ConnectAsync(listener.LocalEndPoint);
        using Connection second = await Connection.ConnectAsync(listener.LocalEndPoint);
        Door.FailNext(nameof(Kernel.EpollCtl), errno);
        using Connection server = await listener.AcceptAsync();
        Assert.Equal(second.LocalEndPoint, server.RemoteEndPoint);
        Assert.Equal(1, listener.Pauses);
        int end = await first.ReadAsync(new byte[1]);
        Assert.Equal(0, end);
    });

    [Theory]
    [InlineData(Errno.ECONNABORTED)]
    [InlineData(Errno.EINTR)]
    [InlineData(Errno.ENETDOWN)]
    [InlineData(Errno.EHOSTUNREACH)]
    [InlineData(Errno.EPROTO)]
    public void A_connection_that_died_in_the_backlog_is_skipped(Errno errno) => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        Door.FailNext(nameof(Kernel.Accept4), errno, times: 2);
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
        using Connection server = await listener.AcceptAsync();
        Assert.Equal(0, listener.Pauses);
        Assert.Equal(3, Door.Count(nameof(Kernel.Accept4)));
    });

    [Fact]
    public void Another_error_is_the_callers() => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        Door.FailNext(nameof(Kernel.Accept4), Errno.EINVAL, times: 2);
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
        KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await listener.AcceptAsync());
        Assert.Equal(Errno.EINVAL, failure.Errno);
        Assert.Equal("accept4", failure.Call);
        Assert.Equal(Errno.EINVAL, (await Assert.ThrowsAsync<KernelException>(() => listener.AcceptAllAsync(_ => Task.CompletedTask))).Errno);
    });

    [Fact]
    public void A_pause_can_be_cancelled() => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        using var cancellation = new CancellationTokenSource();
        Door.FailNext(nameof(Kernel.Accept4), Errno.EMFILE, times: 1000);
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
        Task<Connection> accepting = listener.AcceptAsync(cancellation.Token).AsTask();
        await Until(() => listener.Pauses > 0);
        cancellation.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => accepting);
    });

    [Fact]
    public void Dispose_ends_a_pause_at_once() => Run(async () =>
    {
        Listener listener = Listener.Bind(AnyPort);
        Door.FailNext(nameof(Kernel.Accept4), Errno.EMFILE, times: 1000);
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
        Task<Connection> accepting = listener.AcceptAsync().AsTask();
        await Until(() => Statistics.Timers > 0);
        listener.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => accepting);
        Assert.Equal(1, listener.Pauses);
        Assert.Equal(0, Statistics.Timers);
    });
}
