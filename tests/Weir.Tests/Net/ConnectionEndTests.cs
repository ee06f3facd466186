#pragma warning disable CA2022 // What a read that fails would have returned is of no interest.
using Weir.Net;

namespace Weir.Tests;

/// <summary>How connections end: by one side, by both, by a reset, by Dispose.</summary>
public class ConnectionEndTests : NetTestBase
{
    [Theory, MemberData(nameof(ConnectionTests.Families), MemberType = typeof(ConnectionTests))]
    public void Each_side_may_end_its_writing_and_go_on_reading(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            await client.WriteAsync(Bytes("last words"));
            client.ShutdownWrite();
            Assert.Equal("last words", await ReadText(server, 10));
            Assert.Equal(0, await server.ReadAsync(new byte[1]));
            Assert.Equal(0, await server.ReadAsync(new byte[1]));
            await server.WriteAsync(Bytes("reply"));
            Assert.Equal("reply", await ReadText(client, 5));
            server.ShutdownWrite();
            Assert.Equal(0, await client.ReadAsync(new byte[1]));
            Assert.Equal(Errno.EPIPE, (await Assert.ThrowsAsync<KernelException>(async () => await client.WriteAsync(new byte[1]))).Errno);
        }
    });

    [Theory, MemberData(nameof(ConnectionTests.Families), MemberType = typeof(ConnectionTests))]
    public void The_end_wakes_a_reader_that_waits(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            Task<int> reading = server.ReadAsync(new byte[1]).AsTask();
            await Until(() => Statistics.WaitingReaders == 1);
            client.ShutdownWrite();
            Assert.Equal(0, await reading);
        }
    });

    [Theory, MemberData(nameof(ConnectionTests.Families), MemberType = typeof(ConnectionTests))]
    public void ShutdownRead_ends_a_waiting_read_and_all_that_follow(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            Task<int> reading = server.ReadAsync(new byte[1]).AsTask();
            await Until(() => Statistics.WaitingReaders == 1);
            server.ShutdownRead();
            Assert.Equal(0, await reading);
            Assert.Equal(0, await server.ReadAsync(new byte[1]));
            await server.WriteAsync(Bytes("x"));
            Assert.Equal("x", await ReadText(client, 1));
            if (family != "tcp")
                Assert.Equal(Errno.EPIPE, await RefusalOfWrites(() => client.WriteAsync(new byte[1])));
        }
    });

    [ThreadedTheory, MemberData(nameof(ConnectionTests.Families), MemberType = typeof(ConnectionTests))]
    public void ShutdownWrite_from_another_thread_comes_after_what_was_written(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            await client.WriteAsync(Bytes("last words"));
            WhileTheLoopStandsStill(client.ShutdownWrite);
            Assert.Equal("last words", await ReadText(server, 10));
            Assert.Equal(0, await server.ReadAsync(new byte[1]));
        }
    });

    [ThreadedTheory]
    [InlineData(ShutdownHow.Read)]
    [InlineData(ShutdownHow.Write)]
    public void A_shutdown_from_another_thread_does_not_reach_who_has_the_number_next(ShutdownHow how) => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using (server)
        {
            Door.Reset();
            WhileTheLoopStandsStill(how == ShutdownHow.Read ? client.ShutdownRead : client.ShutdownWrite);
            client.Dispose();
            Assert.Equal(0, await server.ReadAsync(new byte[1]));
            Assert.Equal(0, Door.Count(nameof(Kernel.Shutdown)));
        }
    });

    [ThreadedFact]
    public void Addresses_credentials_and_options_belong_to_the_loops_thread() => Run(() =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using (client)
        using (server)
        {
            WhileTheLoopStandsStill(() =>
            {
                Assert.Throws<InvalidOperationException>(() => client.LocalEndPoint);
                Assert.Throws<InvalidOperationException>(() => client.RemoteEndPoint);
                Assert.Throws<InvalidOperationException>(() => client.PeerCredentials);
                Assert.Throws<InvalidOperationException>(() => client.SendBufferSize);
                Assert.Throws<InvalidOperationException>(() => client.PassCredentials = true);
            });
        }

        return Task.CompletedTask;
    });

    [Fact]
    public void A_TCP_reset_comes_after_the_data_received_before_it() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            await client.WriteAsync(Bytes("before"));
            await server.WaitForDataAsync();
            client.Abort();
            Assert.Equal(-1, client.FileDescriptor);
            Assert.Equal("before", await ReadText(server, 6));
            KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await server.ReadAsync(new byte[1]));
            Assert.Equal(Errno.ECONNRESET, failure.Errno);
            Assert.IsAssignableFrom<IOException>(failure);
            Assert.Equal(Errno.EPIPE, (await Assert.ThrowsAsync<KernelException>(async () => await server.WriteAsync(new byte[1]))).Errno);
            server.ShutdownWrite(); // no longer connected, and no failure
        }
    });

    [Fact]
    public void A_reset_wakes_reader_and_writer() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            await FillUp(server);
            Task<int> reading = server.ReadAsync(new byte[1]).AsTask();
            Task writing = server.WriteAsync(new byte[1 << 24]).AsTask();
            await Until(() => Statistics is { WaitingReaders: 1, WaitingWriters: 1 });
            client.Abort();
            Errno first = (await Assert.ThrowsAsync<KernelException>(() => reading)).Errno;
            Errno second = (await Assert.ThrowsAsync<KernelException>(() => writing)).Errno;
            // The socket's error is told once, to whoever asks first; then reads find the end... of a connection that is gone.
            Assert.Contains(Errno.ECONNRESET, new[] { first, second });
        }
    });

    [Fact]
    public void A_write_after_a_reset_tells_of_the_reset() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            client.Abort();
            await server.WaitForDataAsync();
            // The kernel tells it once, to the first call.
            Assert.Equal(Errno.ECONNRESET, (await Assert.ThrowsAsync<KernelException>(async () => await server.WriteAsync(new byte[1]))).Errno);
            Assert.Equal(Errno.EPIPE, (await Assert.ThrowsAsync<KernelException>(async () => await server.WriteAsync(new byte[1]))).Errno);
        }
    });

    [Theory, MemberData(nameof(ConnectionTests.Families), MemberType = typeof(ConnectionTests))]
    public virtual void A_failed_call_is_not_made_again(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            Door.Reset();
            Door.FailNext(nameof(Kernel.Send), Errno.ENOBUFS);
            KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await client.WriteAsync(new byte[1]));
            Assert.Equal(("send", Errno.ENOBUFS), (failure.Call, failure.Errno));
            Assert.Equal(1, Door.Count(nameof(Kernel.Send)));
            await client.WriteAsync(Bytes("x"));
            Assert.Equal("x", await ReadText(server, 1));
            Door.FailNext(nameof(Kernel.Receive), Errno.ENOMEM);
            await client.WriteAsync(Bytes("y"));
            failure = await Assert.ThrowsAsync<KernelException>(async () => await server.ReadAsync(new byte[1]));
            Assert.Equal(("recv", Errno.ENOMEM), (failure.Call, failure.Errno));
            Assert.Equal("y", await ReadText(server, 1));
        }
    });

    [Fact]
    public void Closing_with_unread_data_resets_a_TCP_peer() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            await server.WriteAsync(Bytes("unread"));
            await client.WaitForDataAsync();
            client.Dispose();
            Assert.Equal(Errno.ECONNRESET, (await Assert.ThrowsAsync<KernelException>(async () => await server.ReadAsync(new byte[1]))).Errno);
        }
    });

    [Fact]
    public virtual void Closing_with_unread_data_resets_a_unix_peer_once_after_the_data() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using (client)
        using (server)
        {
            await client.WriteAsync(Bytes("data"));
            await server.WriteAsync(Bytes("unread"));
            client.Dispose();
            Assert.Equal("data", await ReadText(server, 4));
            Assert.Equal(Errno.ECONNRESET, (await Assert.ThrowsAsync<KernelException>(async () => await server.ReadAsync(new byte[1]))).Errno);
            Assert.Equal(0, await server.ReadAsync(new byte[1]));
            Assert.Equal(Errno.EPIPE, (await Assert.ThrowsAsync<KernelException>(async () => await server.WriteAsync(new byte[1]))).Errno);
        }
    });

    [Theory, MemberData(nameof(ConnectionTests.Families), MemberType = typeof(ConnectionTests))]
    public void A_peer_that_closed_lets_its_data_be_read_to_the_end(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            await client.WriteAsync(Pattern(100_000));
            client.Dispose();
            using var all = new MemoryStream();
            await server.CopyToAsync(all);
            Assert.Equal(Pattern(100_000), all.ToArray());
        }
    });

    [Theory, MemberData(nameof(ConnectionTests.Families), MemberType = typeof(ConnectionTests))]
    public void After_Dispose_every_member_says_so(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        server.Dispose();
        client.Dispose();
        client.Dispose();
        Assert.Equal(-1, client.FileDescriptor);
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await client.ReadAsync(new byte[1]));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await client.ReadAsync(Memory<byte>.Empty));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await client.WriteAsync(new byte[1]));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await client.WriteAsync([new byte[1], new byte[1]]));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await client.WaitForDataAsync());
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await client.WaitWritableAsync());
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await client.PeekAsync(new byte[1]));
        Assert.Throws<ObjectDisposedException>(() => client.TryRead(new byte[1], out _));
        Assert.Throws<ObjectDisposedException>(() => client.TryWrite(new byte[1]));
        Assert.Throws<ObjectDisposedException>(() => client.ShutdownWrite());
        Assert.Throws<ObjectDisposedException>(() => client.ShutdownRead());
        Assert.Throws<ObjectDisposedException>(() => client.ReleaseDescriptor());
        Assert.Throws<ObjectDisposedException>(() => client.LocalEndPoint);
        Assert.Throws<ObjectDisposedException>(() => client.RemoteEndPoint);
        Assert.Throws<ObjectDisposedException>(() => client.KeepAlive);
        Assert.Throws<ObjectDisposedException>(() => client.SendBufferSize = 1);
        client.Abort();
    });

    [ThreadedTheory]
    [InlineData("tcp", false)]
    [InlineData("tcp", true)]
    [InlineData("pair", false)]
    [InlineData("pair", true)]
    public void Dispose_ends_a_pending_read_and_write(string family, bool fromAnotherThread) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (server)
        {
            await FillUp(client);
            Task<int> reading = client.ReadAsync(new byte[1]).AsTask();
            Task writing = client.WriteAsync(new byte[1 << 24]).AsTask();
            Assert.Equal((1, 1), (Statistics.WaitingReaders, Statistics.WaitingWriters));
            if (fromAnotherThread)
                await Task.Run(client.Dispose);
            else
                client.Dispose();
            await Assert.ThrowsAsync<ObjectDisposedException>(() => reading);
            await Assert.ThrowsAsync<ObjectDisposedException>(() => writing);
            Assert.Equal((0, 0), (Statistics.WaitingReaders, Statistics.WaitingWriters));
        }
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_task_that_answers_the_end_by_waiting_again_does_not_keep_the_loop(bool accepts)
    {
        int ends = 0;
        RunAbandoning(
            async () =>
            {
                Listener listener = Listener.Bind(AnyPort);
                (Connection client, _) = await TcpPair();
                _ = EventLoop.Current!.Spawn(async () =>
                {
                    while (true)
                    {
                        try
                        {
                            if (accepts)
                                await listener.AcceptAsync();
                            else
                                await client.ReadAsync(new byte[1]);
                        }
                        catch (ObjectDisposedException)
                        {
                            ends++;
                        }
                    }
                });
                await EventLoop.Yield();
            },
            options => options.StopTimeout = TimeSpan.Zero);
        Assert.InRange(ends, 1, 10);
    }

    // On a thread of its own, in the middle of an entry of the loop.
    private static void WhileTheLoopStandsStill(Action action) => TestLoop.Guard(() =>
    {
        action();
        return 0;
    });
}
