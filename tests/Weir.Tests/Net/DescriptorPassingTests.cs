using System.Net;
using Weir.Net;

namespace Weir.Tests;

/// <summary>Descriptors and credentials beside the bytes of unix sockets. The books count each descriptor that arrives.</summary>
public class DescriptorPassingTests : NetTestBase
{
    private int EventFd(uint count = 0)
    {
        int fd = Door.EventFd(count, EventFdFlags.NonBlock | EventFdFlags.CloseOnExec);
        Assert.True(fd >= 0);
        return fd;
    }

    private unsafe ulong Take(int eventFd)
    {
        ulong value;
        Assert.Equal(8, InnerKernel.Read(eventFd, &value, 8));
        return value;
    }

    private void Close(params int[] fds)
    {
        foreach (int fd in fds)
            Assert.Equal(0, Door.Close(fd));
    }

    [Theory]
    [InlineData("pair")]
    [InlineData("unix")]
    public void Descriptors_arrive_with_their_bytes_as_duplicates(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using Connection first = client, second = server;
        int seven = EventFd(7), nine = EventFd(9);
        byte[] buffer = new byte[100];
        int[] fds = new int[5];
        ValueTask<ReceivedDescriptors> receive = server.ReceiveDescriptorsAsync(buffer, fds);
        await EventLoop.Yield();
        Assert.False(receive.IsCompleted);
        await client.SendDescriptorsAsync(Bytes("two"), new[] { seven, nine });
        Close(seven, nine); // the receiver's are its own
        ReceivedDescriptors received = await receive;
        Assert.Equal(new ReceivedDescriptors(3, 2, false, null), received);
        Assert.Equal(Bytes("two"), buffer[..3]);
        Assert.Equal((7ul, 9ul), (Take(fds[0]), Take(fds[1])));
        Assert.Equal(1, InnerKernel.Fcntl(fds[0], FcntlCommand.GetDescriptorFlags, 0)); // FD_CLOEXEC
        Close(fds[0], fds[1]);

        // The other way, and plain bytes before and after.
        int one = EventFd(1);
        await server.WriteAsync(Bytes("plain"));
        Assert.Equal(new ReceivedDescriptors(5, 0, false, null), await client.ReceiveDescriptorsAsync(buffer, fds));
        await server.SendDescriptorsAsync(Bytes("x"), new[] { one });
        Close(one);
        await server.WriteAsync(Bytes("after"));
        Assert.Equal(1, (await client.ReceiveDescriptorsAsync(buffer, fds)).Descriptors);
        Assert.Equal(1ul, Take(fds[0]));
        Close(fds[0]);
    });

    [Fact]
    public void What_belongs_together_comes_together() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using Connection first = client, second = server;
        byte[] buffer = new byte[100];
        int[] fds = new int[5];
        for (uint i = 1; i <= 3; i++)
        {
            int fd = EventFd(i);
            await client.SendDescriptorsAsync(Pattern((int)i), new[] { fd });
            Close(fd);
        }

        client.Dispose();
        for (int i = 1; i <= 3; i++)
        {
            Assert.Equal(new ReceivedDescriptors(i, 1, false, null), await server.ReceiveDescriptorsAsync(buffer, fds));
            Assert.Equal((ulong)i, Take(fds[0]));
            Close(fds[0]);
        }

        Assert.Equal(default, await server.ReceiveDescriptorsAsync(buffer, fds)); // the end
    });

    [Fact]
    public void Many_bytes_follow_their_descriptors_as_room_comes() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using Connection first = client, second = server;
        byte[] sent = Pattern(1 << 20), received = new byte[sent.Length];
        int fd = EventFd(5);
        await client.WriteAsync(Bytes("before"));
        Task sending = client.SendDescriptorsAsync(sent, new[] { fd }).AsTask();
        await Assert.ThrowsAsync<BusyResourceException>(async () => await client.SendDescriptorsAsync(sent, default));
        int[] fds = new int[2];
        int descriptors = 0, total = 0;
        Assert.Equal(6, (await server.ReceiveDescriptorsAsync(received.AsMemory(0, 6), fds)).Bytes);
        while (total < sent.Length)
        {
            ReceivedDescriptors part = await server.ReceiveDescriptorsAsync(received.AsMemory(total), fds.AsMemory(descriptors));
            total += part.Bytes;
            descriptors += part.Descriptors;
        }

        await sending;
        Assert.Equal(1, descriptors);
        Assert.Equal(sent, received);
        Close(fd, fds[0]);
    });

    [Fact]
    public void A_send_waits_for_room_and_is_cancelled_with_nothing_sent() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using Connection first = client, second = server;
        int filled = Fill(client), fd = EventFd(5);
        using var cancellation = new CancellationTokenSource();
        Task cancelled = client.SendDescriptorsAsync(Bytes("never"), new[] { fd }, cancellation.Token).AsTask();
        await EventLoop.Yield();
        Assert.False(cancelled.IsCompleted);
        cancellation.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Task sending = client.SendDescriptorsAsync(Bytes("late"), new[] { fd }).AsTask();
        byte[] block = new byte[filled];
        int[] fds = new int[2];
        for (int total = 0; total < filled;)
        {
            ReceivedDescriptors part = await server.ReceiveDescriptorsAsync(block.AsMemory(0, filled - total), fds);
            Assert.Equal(0, part.Descriptors);
            total += part.Bytes;
        }

        await sending;
        Assert.Equal(new ReceivedDescriptors(4, 1, false, null), await server.ReceiveDescriptorsAsync(block, fds));
        Close(fd, fds[0]);
    });

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Descriptors_without_a_place_are_closed_and_reported(int places) => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using Connection first = client, second = server;
        int[] sent = [EventFd(), EventFd(), EventFd(), EventFd()], fds = new int[places];
        await client.SendDescriptorsAsync(Bytes("x"), sent);
        Close(sent);
        Assert.Equal(new ReceivedDescriptors(1, places, true, null), await server.ReceiveDescriptorsAsync(new byte[10], fds));
        Close(fds);
    });

    [Fact]
    public void As_many_as_the_kernel_takes_go_in_one_message() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using Connection first = client, second = server;
        int fd = EventFd();
        int[] sent = [.. Enumerable.Repeat(fd, Connection.MostDescriptors)], fds = new int[300];
        await client.SendDescriptorsAsync(Bytes("x"), sent);
        Close(fd);
        Assert.Equal(new ReceivedDescriptors(1, Connection.MostDescriptors, false, null), await server.ReceiveDescriptorsAsync(new byte[10], fds));
        Close(fds[..Connection.MostDescriptors]);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await client.SendDescriptorsAsync(Bytes("x"), new int[254]));
        await Assert.ThrowsAsync<ArgumentException>(async () => await client.SendDescriptorsAsync(default, new int[1]));
        await Assert.ThrowsAsync<ArgumentException>(async () => await client.ReceiveDescriptorsAsync(default, fds));
    });

    [Fact]
    public void A_cancelled_receive_has_taken_nothing() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using Connection first = client, second = server;
        using var cancellation = new CancellationTokenSource();
        int[] fds = new int[1];
        Task<ReceivedDescriptors> cancelled = server.ReceiveDescriptorsAsync(new byte[10], fds, cancellation.Token).AsTask();
        await Assert.ThrowsAsync<BusyResourceException>(async () => await server.ReceiveDescriptorsAsync(new byte[10], fds));
        int fd = EventFd(3);
        await client.SendDescriptorsAsync(Bytes("x"), new[] { fd });
        Close(fd);
        cancellation.Cancel();
        // Whichever came first: the descriptor is there once.
        ReceivedDescriptors received;
        try
        {
            received = await cancelled;
        }
        catch (OperationCanceledException)
        {
            received = await server.ReceiveDescriptorsAsync(new byte[10], fds);
        }

        Assert.Equal(new ReceivedDescriptors(1, 1, false, null), received);
        Close(fds);
    });

    [Fact]
    public void A_plain_read_drops_descriptors_and_leaks_none() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using Connection first = client, second = server;
        (PipeEnd reader, PipeEnd writer) = PipeEnd.CreatePair();
        using PipeEnd kept = reader;
        await client.SendDescriptorsAsync(Bytes("abc"), new[] { writer.FileDescriptor });
        writer.Dispose();
        Assert.Equal("abc", await ReadText(server, 3));
        Assert.Equal(0, await reader.ReadAsync(new byte[1])); // the last writer is gone
    });

    [Fact]
    public void What_was_under_way_when_the_receiver_goes_is_closed() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using Connection first = client;
        (PipeEnd reader, PipeEnd writer) = PipeEnd.CreatePair();
        using PipeEnd kept = reader;
        await client.SendDescriptorsAsync(Bytes("abc"), new[] { writer.FileDescriptor });
        writer.Dispose();
        server.Dispose();
        Assert.Equal(0, await reader.ReadAsync(new byte[1]));
    });

    [Fact]
    public void What_cannot_be_sent_is_an_error_and_nothing_goes() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using Connection first = client, second = server;
        KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await client.SendDescriptorsAsync(Bytes("x"), new[] { 1_000_000 }));
        Assert.Equal(Errno.EBADF, failure.Errno);
        await client.WriteAsync(Bytes("well"));
        Assert.Equal("well", await ReadText(server, 4));

        server.Dispose();
        int fd = EventFd();
        failure = await Assert.ThrowsAsync<KernelException>(async () => await client.SendDescriptorsAsync(Bytes("x"), new[] { fd }));
        Assert.Equal(Errno.EPIPE, failure.Errno);
        Close(fd);
    });

    [Fact]
    public void The_peer_is_known() => Run(async () =>
    {
        (Connection client, Connection server) = await UnixPair();
        using Connection first = client, second = server;
        Assert.True(client.PeerCredentials.ProcessId > 0);
        Assert.Equal(client.PeerCredentials, server.PeerCredentials); // we talk to ourselves
        (Connection tcp, Connection other) = await TcpPair();
        using Connection third = tcp, fourth = other;
        Assert.Throws<InvalidOperationException>(() => tcp.PeerCredentials);
    });

    [Fact]
    public void Credentials_come_with_bytes_and_descriptors_once_asked_for() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using Connection first = client, second = server;
        Assert.False(server.PassCredentials);
        server.PassCredentials = true;
        Assert.True(server.PassCredentials);
        int fd = EventFd(4);
        int[] fds = new int[1];
        await client.SendDescriptorsAsync(Bytes("x"), new[] { fd });
        Assert.Equal(new ReceivedDescriptors(1, 1, false, client.PeerCredentials), await server.ReceiveDescriptorsAsync(new byte[10], fds));
        await client.WriteAsync(Bytes("yz"));
        Assert.Equal(new ReceivedDescriptors(2, 0, false, client.PeerCredentials), await server.ReceiveDescriptorsAsync(new byte[10], default));
        Close(fd, fds[0]);
    });
}
