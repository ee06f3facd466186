using System.Net;
using System.Net.Sockets;
using Weir.Net;

namespace Weir.Tests;

public class DatagramSocketTests : DatagramTestBase
{
    [Theory]
    [MemberData(nameof(Families))]
    public void A_datagram_arrives_with_its_senders_address(string family) => Run(async () =>
    {
        using DatagramSocket receiver = Bound(family), sender = Bound(family);
        await sender.SendToAsync(Bytes("hello"), AddressOf(receiver));
        byte[] buffer = new byte[16];
        SocketAddress from = receiver.CreateAddress();
        int count = await receiver.ReceiveFromAsync(buffer, from);
        Assert.Equal("hello"u8.ToArray(), buffer[..count]);
        AssertIs(sender, from);
        Assert.Equal(MessageFlags.None, receiver.ReceivedFlags);
    });

    [Theory]
    [MemberData(nameof(Families))]
    public void A_receive_waits_for_a_datagram(string family) => Run(async () =>
    {
        using DatagramSocket receiver = Bound(family), sender = Bound(family);
        byte[] buffer = new byte[16];
        SocketAddress from = receiver.CreateAddress();
        for (int i = 1; i < 5; i++)
        {
            ValueTask<int> receive = receiver.ReceiveFromAsync(buffer, from);
            Assert.False(receive.IsCompleted);
            await sender.SendToAsync(new byte[i], AddressOf(receiver));
            Assert.Equal(i, await receive);
            AssertIs(sender, from);
        }
    });

    [Theory]
    [MemberData(nameof(Families))]
    public void End_points_name_both_sides(string family) => Run(async () =>
    {
        using DatagramSocket receiver = Bound(family), sender = Bound(family);
        await sender.SendToAsync(Bytes("hello"), receiver.LocalEndPoint!);
        byte[] buffer = new byte[3];
        ReceivedDatagram received = await receiver.ReceiveFromAsync(buffer);
        Assert.Equal(new ReceivedDatagram(3, sender.LocalEndPoint, true), received);
    });

    [Theory]
    [MemberData(nameof(Families))]
    public void An_empty_datagram_is_one_like_any_other(string family) => Run(async () =>
    {
        using DatagramSocket receiver = Bound(family), sender = Bound(family);
        byte[] buffer = new byte[16];
        SocketAddress from = receiver.CreateAddress();
        await sender.SendToAsync(default, AddressOf(receiver));
        await sender.SendToAsync(Bytes("x"), AddressOf(receiver));
        Assert.Equal(0, await receiver.ReceiveFromAsync(buffer, from));
        AssertIs(sender, from);
        Assert.Equal(1, await receiver.ReceiveFromAsync(buffer, from));
        Assert.False(receiver.TryReceiveFrom(buffer, from, out int none));
        Assert.Equal(0, none);
    });

    [Theory]
    [InlineData("v4")]
    [InlineData("v6")]
    [InlineData("unix")]
    [InlineData("pair")]
    public void What_does_not_fit_is_lost_and_said_to_be(string family) => Run(async () =>
    {
        (DatagramSocket first, DatagramSocket second) = ConnectedPair(family);
        using DatagramSocket receiver = first, sender = second;
        byte[] buffer = new byte[4];
        SocketAddress from = receiver.CreateAddress();
        for (int way = 0; way < 5; way++)
        {
            await sender.SendAsync(Bytes("12345"));
            await sender.SendAsync(Bytes("1234"));
            Assert.Equal(4, await Receive(way));
            Assert.Equal(MessageFlags.Truncated, receiver.ReceivedFlags);
            Assert.Equal(4, await Receive(way));
            Assert.Equal(MessageFlags.None, receiver.ReceivedFlags);
        }

        async ValueTask<int> Receive(int way)
        {
            int count;
            switch (way)
            {
                case 0:
                    return await receiver.ReceiveFromAsync(buffer, from);
                case 1:
                    return await receiver.ReceiveAsync(buffer);
                case 2:
                    Assert.True(receiver.TryReceive(buffer, out count));
                    return count;
                case 3:
                    Assert.True(receiver.TryReceiveFrom(buffer, from, out count));
                    return count;
                default:
                    var ancillary = new AncillaryData();
                    count = await receiver.ReceiveMessageAsync(buffer, null, ancillary);
                    Assert.Equal(receiver.ReceivedFlags, ancillary.Flags);
                    return count;
            }
        }
    });

    [Theory]
    [InlineData("v4")]
    [InlineData("v6")]
    [InlineData("unix")]
    [InlineData("pair")]
    public void Connected_sockets_exchange_datagrams_without_addresses(string family) => Run(async () =>
    {
        (DatagramSocket first, DatagramSocket second) = ConnectedPair(family);
        using DatagramSocket a = first, b = second;
        byte[] buffer = new byte[16];
        ValueTask<int> receive = b.ReceiveAsync(buffer);
        Assert.False(receive.IsCompleted);
        await a.SendAsync(Bytes("ping"));
        Assert.Equal(4, await receive);
        Assert.True(b.TrySend("pong!"u8));
        Assert.Equal(5, await a.ReceiveAsync(buffer));
        Assert.False(a.TryReceive(buffer, out _));
    });

    [Fact]
    public void An_unnamed_sender_has_no_address() => Run(async () =>
    {
        (DatagramSocket first, DatagramSocket second) = DatagramSocket.CreatePair();
        using DatagramSocket a = first, b = second;
        await a.SendAsync(Bytes("x"));
        SocketAddress from = b.CreateAddress();
        Assert.Equal(1, await b.ReceiveFromAsync(new byte[4], from));
        Assert.Equal(0, from.Size);
        await a.SendAsync(Bytes("x"));
        Assert.Null((await b.ReceiveFromAsync(new byte[4])).From);
        Assert.Null(a.LocalEndPoint);
    });

    [Fact]
    public void A_connected_socket_hears_its_peer_alone_until_it_is_disconnected() => Run(async () =>
    {
        // A port of the kernel's choice would be given back at the disconnect.
        using DatagramSocket receiver = DatagramSocket.Bind(new IPEndPoint(OwnAddress.Address, 7000)), peer = Bound("v4"), stranger = Bound("v4");
        receiver.Connect(peer.LocalEndPoint!);
        Assert.Equal(peer.LocalEndPoint, receiver.RemoteEndPoint);
        byte[] buffer = new byte[16];
        SocketAddress from = receiver.CreateAddress();
        await stranger.SendToAsync(Bytes("lost"), AddressOf(receiver));
        await peer.SendToAsync(Bytes("heard"), AddressOf(receiver));
        Assert.Equal(5, await receiver.ReceiveFromAsync(buffer, from));
        receiver.Disconnect();
        Assert.Equal(Errno.ENOTCONN, Assert.Throws<KernelException>(() => receiver.RemoteEndPoint).Errno);
        await stranger.SendToAsync(Bytes("stranger"), AddressOf(receiver));
        Assert.Equal(8, await receiver.ReceiveFromAsync(buffer, from));
        AssertIs(stranger, from);
    });

    [Theory]
    [InlineData("v4")]
    [InlineData("v6")]
    public void A_connected_socket_is_told_that_nobody_listens_and_lives_on(string family) => Run(async () =>
    {
        using DatagramSocket sender = Bound(family);
        DatagramSocket gone = Bound(family);
        EndPoint address = gone.LocalEndPoint!;
        sender.Connect(address);
        gone.Dispose();
        ValueTask<int> receive = sender.ReceiveAsync(new byte[4]);
        int fd = sender.FileDescriptor;
        await sender.SendAsync(Bytes("?"));
        KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await receive);
        Assert.Equal((Errno.ECONNREFUSED, fd, "recv"), (failure.Errno, failure.FileDescriptor, failure.Call));

        using DatagramSocket next = DatagramSocket.Bind(address);
        await sender.SendAsync(Bytes("!"));
        Assert.Equal(1, await next.ReceiveAsync(new byte[4]));
        ValueTask<int> again = sender.ReceiveAsync(new byte[4]);
        await Settle();
        Assert.False(again.IsCompleted);
        await next.SendToAsync(Bytes("ok"), AddressOf(sender));
        Assert.Equal(2, await again);
    });

    [Fact]
    public void A_dual_mode_socket_hears_both_versions_and_answers() => Run(async () =>
    {
        using DatagramSocket both = Bound("dual"), four = Bound("v4"), six = Bound("v6");
        int port = ((IPEndPoint)both.LocalEndPoint!).Port;
        byte[] buffer = new byte[4];
        SocketAddress from = both.CreateAddress();
        foreach ((DatagramSocket peer, IPAddress address) in (ReadOnlySpan<(DatagramSocket, IPAddress)>)[(four, IPAddress.Loopback), (six, IPAddress.IPv6Loopback)])
            Assert.True(peer.TrySendTo("?"u8, new IPEndPoint(address, port).Serialize()));
        for (int i = 0; i < 2; i++)
        {
            Assert.Equal(1, await both.ReceiveFromAsync(buffer, from));
            await both.SendToAsync(Bytes("!!"), from);
        }

        Assert.Equal(2, await four.ReceiveAsync(buffer));
        Assert.Equal(2, await six.ReceiveAsync(buffer));
        // Of either version, named as it is.
        await both.SendToAsync(Bytes("4"), four.LocalEndPoint!);
        Assert.Equal(1, await four.ReceiveAsync(buffer));
    });

    [Fact]
    public void Without_dual_mode_version_4_has_the_port_for_itself() => Run(async () =>
    {
        using DatagramSocket six = Bound("dual", new DatagramOptions { DualMode = false });
        int port = ((IPEndPoint)six.LocalEndPoint!).Port;
        using DatagramSocket four = DatagramSocket.Bind(new IPEndPoint(IPAddress.Any, port));
        using DatagramSocket sender = Bound("v4");
        await sender.SendToAsync(Bytes("4"), new IPEndPoint(IPAddress.Loopback, port));
        Assert.Equal(1, await four.ReceiveAsync(new byte[4]));
        Assert.False(six.TryReceive(new byte[4], out _));
    });

    [Fact]
    public void An_unbound_socket_gets_a_port_as_it_sends() => Run(async () =>
    {
        using DatagramSocket receiver = Bound("v4"), sender = DatagramSocket.Open(SocketDomain.Inet);
        Assert.Equal(0, ((IPEndPoint)sender.LocalEndPoint!).Port);
        await sender.SendToAsync(Bytes("x"), AddressOf(receiver));
        int port = ((IPEndPoint)sender.LocalEndPoint!).Port;
        Assert.NotEqual(0, port);
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, port), (await receiver.ReceiveFromAsync(new byte[4])).From);
    });

    [Fact]
    public void Options_are_set_as_asked() => Run(() =>
    {
        using DatagramSocket socket = Bound("v4", new DatagramOptions { ReuseAddress = true, Broadcast = true, ReceiveBufferSize = 30_000, SendBufferSize = 20_000 });
        Assert.True(socket.Broadcast);
        Assert.Equal(1, socket.GetOption(SocketLevel.Socket, SocketOption.SocketReuseAddress));
        Assert.Equal(60_000, socket.ReceiveBufferSize);
        Assert.Equal(40_000, socket.SendBufferSize);
        using DatagramSocket shared = Bound("v6", new DatagramOptions { ReusePort = true });
        using DatagramSocket second = DatagramSocket.Bind(shared.LocalEndPoint!, new DatagramOptions { ReusePort = true });
        Assert.Equal(shared.LocalEndPoint, second.LocalEndPoint);
        Assert.False(second.Broadcast);
        return Task.CompletedTask;
    });

    [Fact]
    public void A_taken_address_is_refused_by_name() => Run(() =>
    {
        using DatagramSocket first = Bound("v4");
        var failure = Assert.Throws<KernelException>(() => DatagramSocket.Bind(first.LocalEndPoint!));
        Assert.Equal(Errno.EADDRINUSE, failure.Errno);
        Assert.Contains($"bind({first.LocalEndPoint})", failure.Message);
        return Task.CompletedTask;
    });

    [Fact]
    public void A_path_is_removed_at_the_end() => Run(() =>
    {
        EndPoint address = AddressOf("unix");
        DatagramSocket first = DatagramSocket.Bind(address);
        Assert.Throws<KernelException>(() => DatagramSocket.Bind(address));
        Assert.Throws<KernelException>(() => DatagramSocket.Bind(address, new DatagramOptions { ReuseAddress = true }));
        first.Dispose();
        using DatagramSocket second = DatagramSocket.Bind(address);
        return Task.CompletedTask;
    });

    [Fact]
    public unsafe void A_path_that_nobody_has_open_is_taken_over_where_asked() => Run(() =>
    {
        EndPoint address = AddressOf("unix");
        RawSocketAddress raw = RawSocketAddress.From(address);
        int left = Door.Socket(SocketDomain.Unix, SocketKind.Datagram, 0);
        Assert.Equal(0, Door.Bind(left, raw.Pointer, raw.Length));
        Door.Close(left);
        Assert.Equal(Errno.EADDRINUSE, Assert.Throws<KernelException>(() => DatagramSocket.Bind(address)).Errno);
        using DatagramSocket taken = DatagramSocket.Bind(address, new DatagramOptions { ReuseAddress = true });
        return Task.CompletedTask;
    });

    [Fact]
    public void A_send_to_a_full_unix_receiver_waits_until_it_reads() => Run(async () =>
    {
        using DatagramSocket receiver = Bound("unix"), connected = Bound("unix"), free = Bound("abstract");
        SocketAddress to = AddressOf(receiver);
        connected.Connect(receiver.LocalEndPoint!);
        int queued = 0;
        while (connected.TrySend("x"u8))
            queued++;
        Assert.False(free.TrySendTo("x"u8, to));
        Task first = connected.SendAsync(Bytes("connected")).AsTask(), second = free.SendToAsync(Bytes("free"), to).AsTask();
        await Settle();
        Assert.False(first.IsCompleted || second.IsCompleted);
        await Assert.ThrowsAsync<BusyResourceException>(async () => await free.SendToAsync(Bytes("x"), to));
        byte[] buffer = new byte[16];
        var texts = new List<int>();
        for (int i = 0; i < queued + 2; i++)
            texts.Add(await receiver.ReceiveAsync(buffer));
        await Task.WhenAll(first, second);
        Assert.Equal(["free".Length, "connected".Length], texts.Where(length => length > 1).Order());
    });

    private static async Task Settle()
    {
        for (int i = 0; i < 5; i++)
            await EventLoop.Yield();
    }
}
