#pragma warning disable CA2022 // What a read that fails would have returned is of no interest.
using Weir.Net;

namespace Weir.Tests;

public class ConnectionTests : NetTestBase
{
    public static TheoryData<string> Families => ["tcp", "unix", "pair"];

    [Theory, MemberData(nameof(Families))]
    public void Bytes_go_both_ways(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            await client.WriteAsync(Bytes("ping"));
            Assert.Equal("ping", await ReadText(server, 4));
            await server.WriteAsync(Bytes("pong"));
            Assert.Equal("pong", await ReadText(client, 4));
        }
    });

    [Theory, MemberData(nameof(Families))]
    public void A_second_reader_or_writer_is_told_so_and_the_first_is_untouched(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            int filled = Fill(client);
            Task<int> reading = client.ReadAsync(new byte[1]).AsTask();
            byte[] payload = Pattern(1 << 24);
            Task writing = client.WriteAsync(payload).AsTask();
            await Assert.ThrowsAsync<BusyResourceException>(async () => await client.ReadAsync(new byte[1]));
            await Assert.ThrowsAsync<BusyResourceException>(async () => await client.WaitForDataAsync());
            await Assert.ThrowsAsync<BusyResourceException>(async () => await client.PeekAsync(new byte[1]));
            Assert.Throws<BusyResourceException>(() => client.TryRead(new byte[1], out _));
            await Assert.ThrowsAsync<BusyResourceException>(async () => await client.WriteAsync(new byte[1]));
            await Assert.ThrowsAsync<BusyResourceException>(async () => await client.WriteAsync([new byte[1], new byte[1]]));
            Assert.Throws<BusyResourceException>(() => client.TryWrite(new byte[1]));
            await server.WriteAsync(new byte[1]);
            Assert.Equal(1, await reading);
            await server.ReadExactlyAsync(new byte[filled]);
            byte[] received = new byte[payload.Length];
            await server.ReadExactlyAsync(received);
            await writing;
            Assert.Equal(payload, received);
        }
    });

    [Fact]
    public void A_vectored_write_does_not_break_into_another_write() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            byte[] payload = Pattern(8 << 20);
            Task writing = client.WriteAsync(payload).AsTask();
            Assert.False(writing.IsCompleted);
            // The kernel may have room again, but the bytes in front of it are not all there yet.
            await server.ReadExactlyAsync(new byte[1 << 20]);
            if (!writing.IsCompleted)
                await Assert.ThrowsAsync<BusyResourceException>(async () => await client.WriteAsync([new byte[1], new byte[1]]));
            byte[] rest = new byte[payload.Length - (1 << 20)];
            await server.ReadExactlyAsync(rest);
            Assert.True(payload.AsSpan(1 << 20).SequenceEqual(rest));
            await writing;
        }
    });

    [Theory, MemberData(nameof(Families))]
    public void A_large_write_waits_for_a_slow_reader_and_loses_nothing(string family) => Run(async () =>
    {
        const int Size = 32 << 20;
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            byte[] payload = Pattern(Size);
            Task writing = client.WriteAsync(payload).AsTask();
            await Until(() => Statistics.WaitingWriters == 1);
            byte[] buffer = new byte[60_000];
            int total = 0;
            while (total < Size)
            {
                Assert.True(total > Size / 2 || !writing.IsCompleted, "a write completed before its bytes had room");
                int count = await server.ReadAsync(buffer);
                Assert.True(payload.AsSpan(total, count).SequenceEqual(buffer.AsSpan(0, count)));
                total += count;
                await EventLoop.Yield();
            }

            await writing;
        }
    });

    [Theory, MemberData(nameof(Families))]
    public void A_cancelled_write_may_have_written_a_part_and_the_connection_goes_on(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            using var cancellation = new CancellationTokenSource();
            Task writing = client.WriteAsync(Pattern(32 << 20), cancellation.Token).AsTask();
            await Until(() => Statistics.WaitingWriters == 1);
            cancellation.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writing);
            client.ShutdownWrite();
            long place = 0;
            byte[] buffer = new byte[65536];
            int count;
            while ((count = await server.ReadAsync(buffer)) > 0)
            {
                Assert.True(Pattern(count, (int)place).AsSpan().SequenceEqual(buffer.AsSpan(0, count)));
                place += count;
            }

            Assert.InRange(place, 1, (32 << 20) - 1);
        }
    });

    [Theory, MemberData(nameof(Families))]
    public void A_cancelled_read_takes_nothing(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            using var cancellation = new CancellationTokenSource();
            Task<int> reading = server.ReadAsync(new byte[8], cancellation.Token).AsTask();
            await client.WriteAsync(Bytes("kept"));
            cancellation.Cancel();
            OperationCanceledException failure = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
            Assert.Equal(cancellation.Token, failure.CancellationToken);
            Assert.Equal("kept", await ReadText(server, 4));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await server.ReadAsync(new byte[1], cancellation.Token));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await server.WriteAsync(new byte[1], cancellation.Token));
        }
    });

    [Theory, MemberData(nameof(Families))]
    public void Peek_shows_what_a_read_then_takes(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            byte[] buffer = new byte[16];
            Task<int> peeking = server.PeekAsync(buffer).AsTask();
            await client.WriteAsync(Bytes("hello"));
            Assert.Equal(5, await peeking);
            Assert.Equal(2, await server.PeekAsync(buffer.AsMemory(0, 2)));
            Assert.Equal(0, await server.PeekAsync(Memory<byte>.Empty));
            Assert.Equal("hello", await ReadText(server, 5));
            peeking = server.PeekAsync(buffer).AsTask();
            client.ShutdownWrite();
            Assert.Equal(0, await peeking);
            Assert.Equal(0, await server.ReadAsync(buffer));
        }
    });

    [Theory, MemberData(nameof(Families))]
    public void TryRead_tells_nothing_there_from_the_end(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            byte[] buffer = new byte[8];
            Assert.False(server.TryRead(buffer, out int count));
            Assert.Equal(0, count);
            await client.WriteAsync(Bytes("abc"));
            await server.WaitForDataAsync();
            Assert.True(server.TryRead(buffer, out count));
            Assert.Equal(3, count);
            Assert.False(server.TryRead(buffer, out count));
            client.ShutdownWrite();
            await server.WaitForDataAsync();
            Assert.True(server.TryRead(buffer, out count));
            Assert.Equal(0, count);
        }
    });

    [Theory, MemberData(nameof(Families))]
    public void TryWrite_takes_what_there_is_room_for_and_room_can_be_waited_for(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            int filled = Fill(client);
            Assert.True(filled > 0);
            Assert.Equal(0, client.TryWrite(new byte[1]));
            Assert.Equal(0, client.TryWrite([]));
            Task waiting = client.WaitWritableAsync().AsTask();
            Assert.False(waiting.IsCompleted);
            await server.ReadExactlyAsync(new byte[filled]);
            await waiting;
            Assert.Equal(1, client.TryWrite(new byte[1]));
        }
    });

    [Theory, MemberData(nameof(Families))]
    public void Waiting_for_data_and_reading_zero_bytes_hold_no_buffer_and_take_nothing(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            Task<int> zero = server.ReadAsync(Memory<byte>.Empty).AsTask();
            Assert.False(zero.IsCompleted);
            long reads = Door.Reads;
            await client.WriteAsync(Bytes("abc"));
            Assert.Equal(0, await zero);
            await server.WaitForDataAsync();
            Assert.Equal(reads, Door.Reads);
            Assert.Equal("abc", await ReadText(server, 3));
        }
    });

    [Fact]
    public void A_read_that_stops_at_an_urgent_mark_is_followed_by_the_rest() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            for (int round = 0; round < 20; round++)
            {
                await client.WriteAsync(Bytes("before"));
                SendUrgent(client);
                await client.WriteAsync(Bytes("after"));
                // The urgent byte itself is not part of the stream (SO_OOBINLINE is off).
                Assert.Equal("beforeafter", await ReadText(server, 11));
            }

            client.ShutdownWrite();
            Assert.Equal(0, await server.ReadAsync(new byte[8]));
        }
    });

    [Fact]
    public void A_descriptor_can_be_released_and_taken_over() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (server)
        {
            Task<int> reading = client.ReadAsync(new byte[1]).AsTask();
            int fd = client.ReleaseDescriptor();
            await Assert.ThrowsAsync<ObjectDisposedException>(() => reading);
            client.Dispose();
            using Connection again = Connection.FromDescriptor(fd);
            Assert.Equal(fd, again.FileDescriptor);
            await again.WriteAsync(Bytes("again"));
            Assert.Equal("again", await ReadText(server, 5));
            await server.WriteAsync(Bytes("reply"));
            Assert.Equal("reply", await ReadText(again, 5));
        }
    });

    [Fact]
    public void A_descriptor_taken_over_with_data_in_it_is_read_without_further_events() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using (client)
        {
            await client.WriteAsync(Bytes("early"));
            int fd = server.ReleaseDescriptor();
            using Connection again = Connection.FromDescriptor(fd);
            Assert.Equal("early", await ReadText(again, 5));
        }
    });

    [Fact]
    public virtual void Only_stream_sockets_are_taken_over_and_what_is_refused_stays_the_callers() => Run(() =>
    {
        int datagram = Door.Socket(SocketDomain.Inet, SocketKind.Datagram, 0);
        int counter = Door.EventFd(0, EventFdFlags.NonBlock);
        Assert.Throws<ArgumentException>(() => Connection.FromDescriptor(datagram));
        Assert.Equal(Errno.ENOTSOCK, Assert.Throws<KernelException>(() => Connection.FromDescriptor(counter)).Errno);
        int stream = Door.Socket(SocketDomain.Inet, SocketKind.Stream, 0);
        Door.FailNext(nameof(Kernel.EpollCtl), Errno.ENOSPC);
        Assert.Equal(Errno.ENOSPC, Assert.Throws<KernelException>(() => Connection.FromDescriptor(stream)).Errno);
        Assert.Equal(0, Door.Close(stream));
        Assert.Equal(0, Door.Close(datagram));
        Assert.Equal(0, Door.Close(counter));
        // Not a number just closed: by now it may be another test's.
        Assert.Equal(Errno.EBADF, Assert.Throws<KernelException>(() => Connection.FromDescriptor(999_999)).Errno);
        return Task.CompletedTask;
    });

    [Fact]
    public void Options_reach_the_socket() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            Assert.True(client.NoDelay);
            client.NoDelay = false;
            Assert.False(client.NoDelay);
            Assert.False(client.KeepAlive);
            client.KeepAlive = true;
            Assert.True(client.KeepAlive);
            client.SendBufferSize = 20_000;
            Assert.Equal(40_000, client.SendBufferSize);
            client.ReceiveBufferSize = 30_000;
            Assert.Equal(60_000, client.ReceiveBufferSize);
            client.SetOption(SocketLevel.Tcp, SocketOption.TcpKeepIdle, 17);
            Assert.Equal(17, client.GetOption(SocketLevel.Tcp, SocketOption.TcpKeepIdle));
            KernelException failure = Assert.Throws<KernelException>(() => client.SetOption(SocketLevel.Tcp, (SocketOption)9999, 1));
            Assert.Equal(Errno.ENOPROTOOPT, failure.Errno);
        }
    });

    [Fact]
    public void It_is_a_stream_that_cannot_seek() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (server)
        using (client)
        {
            Assert.True(client is { CanRead: true, CanWrite: true, CanSeek: false, CanTimeout: false });
            Assert.Throws<NotSupportedException>(() => client.Length);
            Assert.Throws<NotSupportedException>(() => client.Position);
            Assert.Throws<NotSupportedException>(() => client.Seek(0, SeekOrigin.Begin));
            Assert.Throws<NotSupportedException>(() => client.SetLength(1));
            Assert.Throws<InvalidOperationException>(() => client.ReadExactly(new byte[1]));
            Assert.Throws<InvalidOperationException>(() => client.Write(new byte[1]));
            await client.FlushAsync();
        }
    });

    [Fact]
    public virtual void Interrupted_calls_are_made_again() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            Door.FailNext(nameof(Kernel.Send), Errno.EINTR, times: 2);
            await client.WriteAsync(Bytes("abc"));
            Door.FailNext(nameof(Kernel.Receive), Errno.EINTR, times: 2);
            Assert.Equal("abc", await ReadText(server, 3));
            Door.FailNext(nameof(Kernel.WriteV), Errno.EINTR, times: 2);
            await server.WriteAsync([Bytes("d"), Bytes("e")]);
            Door.FailNext(nameof(Kernel.Receive), Errno.EINTR);
            Assert.Equal(2, await client.PeekAsync(new byte[8]));
            Assert.Equal("de", await ReadText(client, 2));
        }
    });

    private unsafe void SendUrgent(Connection connection)
    {
        byte urgent = (byte)'!';
        Assert.Equal(1, Door.Send(connection.FileDescriptor, &urgent, 1, MessageFlags.OutOfBand));
    }
}
