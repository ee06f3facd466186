using System.Net;

namespace Weir.Simulation.Tests;

public class DatagramNetworkTests
{
    private const int Port = 5000;

    private static unsafe int Open(Kernel kernel, IPAddress address, int port)
    {
        int fd = kernel.Socket(SocketDomain.Inet, SocketKind.Datagram, 0);
        RawSocketAddress raw = RawSocketAddress.From(new IPEndPoint(address, port));
        Assert.Equal(0, kernel.Bind(fd, raw.Pointer, raw.Length));
        return fd;
    }

    private static unsafe void Connect(Kernel kernel, int fd, IPAddress address)
    {
        RawSocketAddress raw = RawSocketAddress.From(new IPEndPoint(address, Port));
        Assert.Equal(0, kernel.Connect(fd, raw.Pointer, raw.Length));
    }

    private static unsafe void Send(Kernel kernel, int fd, byte value) => Assert.Equal(1, kernel.Send(fd, &value, 1, MessageFlags.None));

    private static unsafe List<byte> Drain(Kernel kernel, int fd)
    {
        var got = new List<byte>();
        byte value;
        while (kernel.Receive(fd, &value, 1, MessageFlags.None) == 1)
            got.Add(value);
        return got;
    }

    private static List<byte> Receive(ulong seed, SimLink link)
    {
        List<byte> got = [];
        Sim.Run(
            seed,
            async sim =>
            {
                SimHost peer = sim.AddHost("peer", "10.0.0.2");
                sim.Network.Link(sim.Host, peer, link);
                int receiver = Open(peer.Kernel, peer.Addresses[0], Port);
                int sender = Open(sim.Kernel, IPAddress.Any, 0);
                Connect(sim.Kernel, sender, peer.Addresses[0]);
                for (byte i = 0; i < 50; i++)
                    Send(sim.Kernel, sender, i);
                Assert.Empty(Drain(peer.Kernel, receiver));
                await EventLoop.Current!.Delay(TimeSpan.FromSeconds(1));
                got = Drain(peer.Kernel, receiver);
                peer.Kernel.Close(receiver);
                sim.Kernel.Close(sender);
            });
        return got;
    }

    [Fact]
    public void Datagrams_keep_their_order_on_a_plain_link()
        => Assert.Equal(Enumerable.Range(0, 50).Select(i => (byte)i), Receive(1, new SimLink()));

    [Fact]
    public void Datagrams_overtake_one_another_where_the_delay_varies()
    {
        List<byte> got = Receive(1, new SimLink { Jitter = TimeSpan.FromMilliseconds(5) });
        Assert.Equal(50, got.Count);
        Assert.NotEqual(got.Order(), got);
    }

    [Fact]
    public void Lost_datagrams_do_not_come()
    {
        List<byte> got = Receive(1, new SimLink { Loss = 0.3 });
        Assert.InRange(got.Count, 20, 48);
        Assert.Equal(got.Order(), got);
    }

    [Fact]
    public void The_seed_decides_what_is_lost()
    {
        var link = new SimLink { Loss = 0.3, Jitter = TimeSpan.FromMilliseconds(5) };
        Assert.Equal(Receive(7, link), Receive(7, link));
        Assert.NotEqual(Receive(7, link), Receive(8, link));
    }

    [Fact]
    public void An_unreachable_port_is_heard_of_a_round_trip_later() => Sim.Run(
        1,
        async sim =>
        {
            SimHost peer = sim.AddHost("peer", "10.0.0.2");
            sim.Network.Link(sim.Host, peer, new SimLink { Latency = TimeSpan.FromMilliseconds(10) });
            int sender = Open(sim.Kernel, IPAddress.Any, 0);
            Connect(sim.Kernel, sender, peer.Addresses[0]);
            Send(sim.Kernel, sender, 1);
            await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(19));
            Assert.Equal(0, Error(sim.Kernel, sender));
            await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(2));
            Assert.Equal((int)Errno.ECONNREFUSED, Error(sim.Kernel, sender));
            sim.Kernel.Close(sender);
        });

    private static unsafe int Error(Kernel kernel, int fd)
    {
        int value;
        uint length = sizeof(int);
        Assert.Equal(0, kernel.GetSockOpt(fd, SocketLevel.Socket, SocketOption.SocketError, &value, &length));
        return value;
    }
}
