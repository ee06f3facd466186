using System.Net;

namespace Weir.Simulation.Tests;

public class InetAddressTests
{
    private static void Reuse(SocketUser user, int fd, bool address = false, bool port = false)
    {
        user.SetOption(fd, SocketLevel.Socket, SocketOption.SocketReuseAddress, address ? 1 : 0);
        user.SetOption(fd, SocketLevel.Socket, SocketOption.SocketReusePort, port ? 1 : 0);
    }

    [Theory]
    [InlineData(false, false, false, false)]
    [InlineData(true, false, false, false)]
    [InlineData(true, false, true, false)]
    [InlineData(false, true, false, true)]
    [InlineData(false, true, false, false)]
    public void A_port_is_shared_only_by_those_who_both_agree(bool firstAddress, bool firstPort, bool secondAddress, bool secondPort)
        => SocketUser.SameOnBothKernels(user =>
        {
            foreach (string address in (string[])["127.0.0.1", "127.0.0.2", "0.0.0.0"])
            {
                int first = user.Tcp(), second = user.Tcp();
                Reuse(user, first, firstAddress, firstPort);
                Reuse(user, second, secondAddress, secondPort);
                user.Bind(first);
                user.Note($"second at {address}", SocketUser.Name(user.Bind(second, address, user.Port(first))));
                user.Note("first listens", SocketUser.Name(user.Kernel.Listen(first, 1)));
                user.Note("second listens", SocketUser.Name(user.Kernel.Listen(second, 1)));
                int third = user.Tcp();
                Reuse(user, third, secondAddress, secondPort);
                user.Note("third", SocketUser.Name(user.Bind(third, address, user.Port(first))));
                int udp = user.Udp();
                user.Note("udp", SocketUser.Name(user.Bind(udp, address, user.Port(first))));
            }
        });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_was_closed_first_holds_the_port_for_a_while(bool reuses) => SocketUser.SameOnBothKernels(user =>
    {
        int listener = user.Tcp();
        Reuse(user, listener, reuses);
        user.Bind(listener);
        user.Kernel.Listen(listener, 1);
        int port = user.Port(listener);
        int client = user.Tcp();
        user.Connect(client, port);
        user.Await(listener, EpollEvents.In);
        int server = user.Accept(listener);
        user.Close(listener);
        int again = user.Tcp();
        Reuse(user, again, reuses);
        user.Note("with a connection", SocketUser.Name(user.Bind(again, port: port)));
        user.Close(again);
        user.Close(server);
        user.Settled(client);
        user.Close(client);
        again = user.Tcp();
        Reuse(user, again, reuses);
        user.Note("after it", SocketUser.Name(user.Bind(again, port: port)));
        user.Note("listen", SocketUser.Name(user.Kernel.Listen(again, 1)));
    });

    [Fact]
    public void Only_own_addresses_can_be_bound() => SocketUser.SameOnBothKernels(user =>
    {
        user.Note("foreign", SocketUser.Name(user.Bind(user.Tcp(), "203.0.113.7")));
        user.Note("foreign udp", SocketUser.Name(user.Bind(user.Udp(), "203.0.113.7")));
        user.Note("foreign v6", SocketUser.Name(user.Bind(user.Tcp(SocketDomain.Inet6), "2001:db8::7")));
        user.Note("v4 socket, v6 address", SocketUser.Name(user.Bind(user.Tcp(), "::1")));
        user.Note("v6 socket, v4 address", SocketUser.Name(user.Bind(user.Tcp(SocketDomain.Inet6), "127.0.0.1")));
        user.Note("another loopback", SocketUser.Name(user.Bind(user.Tcp(), "127.9.8.7")));
        user.Note("connect v4 to v6", SocketUser.Name(user.Connect(user.Tcp(), 1, "::1")));
        user.Note("connect v6 to v4", SocketUser.Name(user.Connect(user.Tcp(SocketDomain.Inet6), 1, "127.0.0.1")));
    });

    [Fact]
    public void A_dual_socket_serves_both_versions() => SocketUser.SameOnBothKernels(user =>
    {
        int listener = user.Listener(address: "::");
        int port = user.Port(listener);
        int four = user.Tcp(), six = user.Tcp(SocketDomain.Inet6), mapped = user.Tcp(SocketDomain.Inet6);
        user.Connect(four, port);
        user.Connect(six, port, "::1");
        user.Connect(mapped, port, "::ffff:127.0.0.1");
        foreach (int client in (int[])[four, six, mapped])
        {
            user.Await(client, EpollEvents.Out);
            user.Note("client", user.LocalEnd(client).Address);
            user.Note("to", ((IPEndPoint)user.RemoteEnd(client)).Address);
            int server = user.Accept(listener);
            user.Note("server", user.LocalEnd(server).Address);
            user.Note("from", ((IPEndPoint)user.RemoteEnd(server)).Address);
        }

        int other = user.Tcp();
        user.Note("the port is taken in version 4 too", SocketUser.Name(user.Bind(other, "127.0.0.1", port)));
    });

    [Fact]
    public void A_socket_of_version_6_only_leaves_version_4_alone() => SocketUser.SameOnBothKernels(user =>
    {
        // The port is taken in version 4, where nobody else can have it then.
        int holder = user.Tcp();
        user.Bind(holder, "0.0.0.0");
        int listener = user.Tcp(SocketDomain.Inet6);
        user.Note("only", user.SetOption(listener, SocketLevel.Ipv6, SocketOption.Ipv6Only, 1));
        user.Note("mapped", SocketUser.Name(user.Bind(listener, "::ffff:127.0.0.1")));
        user.Note("the port is free in version 6", SocketUser.Name(user.Bind(listener, "::", user.Port(holder))));
        user.Note("too late", SocketUser.Name(user.SetOption(listener, SocketLevel.Ipv6, SocketOption.Ipv6Only, 0)));
        user.Kernel.Listen(listener, 1);
        int client = user.Tcp();
        user.Connect(client, user.Port(listener));
        user.Settled(client);
        user.Note("version 4", user.Error(client));
        int six = user.Tcp(SocketDomain.Inet6);
        user.SetOption(six, SocketLevel.Ipv6, SocketOption.Ipv6Only, 1);
        user.Note("connect to mapped", SocketUser.Name(user.Connect(six, user.Port(listener), "::ffff:127.0.0.1")));
    });

    [Fact]
    public void The_wildcard_as_a_target_is_the_loopback() => SocketUser.SameOnBothKernels(user =>
    {
        int listener = user.Listener();
        int client = user.Tcp();
        user.Connect(client, user.Port(listener), "0.0.0.0");
        user.Await(client, EpollEvents.Out);
        user.Note("to", ((IPEndPoint)user.RemoteEnd(client)).Address);
    });

    [Fact]
    public void Sockets_that_share_a_port_share_its_connections()
    {
        using var user = new SocketUser(SimKernel.Live());
        int first = user.Tcp(), second = user.Tcp();
        Reuse(user, first, port: true);
        Reuse(user, second, port: true);
        user.Bind(first);
        Assert.Equal(0, user.Bind(second, port: user.Port(first)));
        user.Kernel.Listen(first, 100);
        user.Kernel.Listen(second, 100);
        for (int i = 0; i < 60; i++)
            Assert.Equal(-(int)Errno.EINPROGRESS, user.Connect(user.Tcp(), user.Port(first)));
        int got = 0;
        while (user.Accept(first) >= 0)
            got++;
        Assert.InRange(got, 15, 45);
        user.Close(first);
        Assert.Equal(-(int)Errno.EINPROGRESS, user.Connect(user.Tcp(), user.Port(second)));
        while (user.Accept(second) >= 0)
            got++;
        Assert.Equal(61, got);
    }

    [Fact]
    public void A_socket_that_names_its_address_is_preferred_to_one_that_does_not() => SocketUser.SameOnBothKernels(user =>
    {
        int wide = user.Udp(), narrow = user.Udp(), sender = user.Udp();
        Reuse(user, wide, address: true);
        Reuse(user, narrow, address: true);
        user.Bind(wide, "0.0.0.0");
        user.Note("bind", user.Bind(narrow, "127.0.0.2", user.Port(wide)));
        user.SendTo(sender, 1, user.Port(wide), "127.0.0.2");
        user.SendTo(sender, 2, user.Port(wide), "127.0.0.1");
        user.Settled(wide);
        user.Note("narrow", user.Receive(narrow, 9));
        user.Note("narrow", user.Receive(narrow, 9));
        user.Note("wide", user.Receive(wide, 9));
        user.Note("wide", user.Receive(wide, 9));
    });
}
