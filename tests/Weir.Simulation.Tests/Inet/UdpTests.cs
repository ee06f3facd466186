namespace Weir.Simulation.Tests;

public class UdpTests
{
    private const MessageFlags Truncated = (MessageFlags)0x20;

    [Fact]
    public void Every_message_is_an_edge_for_both_sides() => SocketUser.SameOnBothKernels(user =>
    {
        int receiver = user.Udp(), sender = user.Udp();
        user.Bind(receiver);
        user.Watch(receiver);
        user.Watch(sender);
        user.Note("fresh", user.Mask(sender));
        user.Note("edge", user.Edge(sender));
        user.Note("edge", user.Edge(receiver));
        for (int i = 1; i < 3; i++)
        {
            user.Note("send", user.SendTo(sender, i, user.Port(receiver)));
            user.Note("sender", user.Edge(sender));
            user.Note("receiver", user.Edge(receiver));
        }

        user.Note("queued", user.Queued(receiver));
        (string count, int flags, var from) = user.ReceiveFrom(receiver, 10);
        user.Note("recv", (count, flags, from!.Equals(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, user.Port(sender)))));
        user.Note("receiver", user.Edge(receiver));
        user.Note("recv", user.Receive(receiver, 10));
        user.Note("recv", user.Receive(receiver, 10));
        user.Note("sender's name", user.LocalEnd(sender).Address);
    });

    [Fact]
    public void Messages_keep_their_bounds_and_are_cut_to_the_buffer() => SocketUser.SameOnBothKernels(user =>
    {
        int receiver = user.Udp(), sender = user.Udp();
        user.Bind(receiver);
        int port = user.Port(receiver);
        foreach (int size in (int[])[5, 0, 7, 8, 3])
            user.SendTo(sender, size, port);
        user.Await(receiver, EpollEvents.In);
        user.Note("peek", user.Receive(receiver, 3, MessageFlags.Peek));
        user.Note("whole length", user.ReceiveFrom(receiver, 3, MessageFlags.Peek | Truncated).Count);
        (string count, int flags, _) = user.ReceiveFrom(receiver, 3);
        user.Note("cut", (count, flags));
        user.Note("empty", user.Receive(receiver, 3));
        user.Note("next", user.Receive(receiver, 3));
        user.Note("into nothing", user.Receive(receiver, 0));
        user.Note("last", user.Receive(receiver, 9));
        user.Note("none", user.Receive(receiver, 9));
    });

    [Fact]
    public void A_connected_socket_hears_of_an_unreachable_port() => SocketUser.SameOnBothKernels(user =>
    {
        int closed = user.Tcp(), sender = user.Udp();
        user.Bind(closed);
        user.Watch(sender);
        user.Note("connect", user.Connect(sender, user.Port(closed)));
        user.Edge(sender);
        user.Note("send", user.Send(sender, 1));
        user.Note("edge", user.Edge(sender));
        user.Note("mask", user.Mask(sender));
        user.Note("recv", user.Receive(sender, 1));
        user.Note("mask", user.Mask(sender));
        user.Send(sender, 1);
        user.Settled(sender);
        user.Note("error", user.Error(sender));
        user.Send(sender, 1);
        user.Settled(sender);
        user.Note("the next send", SocketUser.Name(user.Send(sender, 1)));
        int other = user.Udp();
        user.Note("send", user.SendTo(other, 1, user.Port(closed)));
        user.Note("not connected", user.Settled(other));
    });

    [Fact]
    public void A_connected_socket_hears_its_peer_only() => SocketUser.SameOnBothKernels(user =>
    {
        int one = user.Udp(), peer = user.Udp(), stranger = user.Udp();
        user.Bind(peer);
        user.Bind(one);
        user.Connect(one, user.Port(peer));
        user.SendTo(stranger, 5, user.Port(one));
        user.SendTo(peer, 6, user.Port(one));
        user.Await(one, EpollEvents.In);
        user.Note("recv", user.Receive(one, 9));
        user.Note("recv", user.Receive(one, 9));
        user.Note("send to another", user.SendTo(one, 1, user.Port(stranger)));
        user.Note("recv", user.Receive(stranger, 9));
        user.Note("dissolve", user.Disconnect(one));
        user.Note("peer", user.RemoteEnd(one));
        user.Note("send", SocketUser.Name(user.Send(one, 1)));
        user.SendTo(stranger, 3, user.Port(one));
        user.Note("recv", user.Settled(one));
    });

    [Fact]
    public void Errors_are_those_of_linux() => SocketUser.SameOnBothKernels(user =>
    {
        int fd = user.Udp();
        user.Note("send", SocketUser.Name(user.Send(fd, 1)));
        user.Note("too long", SocketUser.Name(user.SendTo(fd, 65_508, 9)));
        user.Note("far too long", SocketUser.Name(user.SendTo(fd, 70_000, 9)));
        user.Note("port 0", SocketUser.Name(user.SendTo(fd, 1, 0)));
        user.Note("listen", SocketUser.Name(user.Kernel.Listen(fd, 1)));
        user.Note("accept", SocketUser.Name(user.Accept(fd)));
        user.Note("shutdown", SocketUser.Name(user.Kernel.Shutdown(fd, ShutdownHow.Both)));
        user.Note("mask", user.Mask(fd));
        user.Note("recv", user.Receive(fd, 1));
        user.Note("send", SocketUser.Name(user.SendTo(fd, 1, 9)));
        user.Note("version 6", SocketUser.Name(user.SendTo(fd, 1, 9, "::1")));
        user.Note("tcp option", SocketUser.Name(user.SetOption(fd, SocketLevel.Tcp, SocketOption.TcpNoDelay, 1)));
        user.Note("tcp option", SocketUser.Name(user.Option(fd, SocketLevel.Tcp, SocketOption.TcpNoDelay)));
    });

    [Fact]
    public void A_socket_of_version_6_speaks_to_version_4() => SocketUser.SameOnBothKernels(user =>
    {
        int six = user.Udp(SocketDomain.Inet6), four = user.Udp();
        user.Bind(six, "::");
        user.Bind(four);
        user.SendTo(four, 1, user.Port(six));
        user.Await(six, EpollEvents.In);
        user.Note("from", ((System.Net.IPEndPoint)user.ReceiveFrom(six, 1).From!).Address);
        user.Note("back", user.SendTo(six, 2, user.Port(four), "::ffff:127.0.0.1"));
        user.Await(four, EpollEvents.In);
        user.Note("back", user.SendTo(six, 2, user.Port(four), "127.0.0.1"));
        user.Note("from", ((System.Net.IPEndPoint)user.ReceiveFrom(four, 1).From!).Address);
    });

    [Theory]
    [InlineData(1)]
    [InlineData(1000)]
    public void A_full_receive_buffer_drops_what_comes(int size) => SocketUser.SameOnBothKernels(user =>
    {
        int receiver = user.Udp(), sender = user.Udp();
        user.SetOption(receiver, SocketLevel.Socket, SocketOption.SocketReceiveBuffer, 40_000);
        user.Bind(receiver);
        for (int i = 0; i < 300; i++)
            user.SendTo(sender, size, user.Port(receiver));
        user.Settled(receiver);
        int count = 0;
        while (!user.Receive(receiver, 1).StartsWith('E'))
            count++;
        user.Note("kept", count);
    });
}
