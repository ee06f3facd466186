using System.Net;
using Weir.Net;

namespace Weir.Simulation.Tests;

/// <summary>Groups among the hosts of a simulation.</summary>
public class GroupTests
{
    private const int Port = 6000;

    [Theory]
    [InlineData("239.1.2.3", "10.0.0.2", "10.0.0.3", "10.0.0.4")]
    [InlineData("ff15::123", "fd00::2", "fd00::3", "fd00::4")]
    public void What_is_sent_to_a_group_reaches_its_members_on_other_hosts_alone(string group, string own, string member, string other) => Sim.Run(1, async sim =>
    {
        var address = IPAddress.Parse(group);
        SimHost sender = sim.AddHost("sender", own), joined = sim.AddHost("member", member), stranger = sim.AddHost("stranger", other);
        sim.Network.DefaultLink = new SimLink { Latency = TimeSpan.FromMilliseconds(3) };
        var heard = new List<string>();
        SimLoop one = sim.Loop("member", () => Listen(address, joins: true), joined.Kernel);
        SimLoop two = sim.Loop("stranger", () => Listen(address, joins: false), stranger.Kernel);
        SimLoop three = sim.Loop("sender", async () =>
        {
            await Delay(10);
            using DatagramSocket socket = DatagramSocket.Open(address.GetAddressBytes().Length == 4 ? SocketDomain.Inet : SocketDomain.Inet6);
            await socket.SendToAsync("first"u8.ToArray(), new IPEndPoint(address, Port));
            sim.Network.Partition(sender, joined);
            await socket.SendToAsync("lost"u8.ToArray(), new IPEndPoint(address, Port));
            sim.Network.HealAll();
            socket.MulticastTimeToLive = 0; // no further than this host
            await socket.SendToAsync("here"u8.ToArray(), new IPEndPoint(address, Port));
        }, sender.Kernel);
        await Delay(100);
        Assert.True(one.HasEnded && two.HasEnded && three.HasEnded);
        Assert.Equal([$"member heard 5 bytes from {own} through 2"], heard);

        async Task Listen(IPAddress of, bool joins)
        {
            using DatagramSocket socket = DatagramSocket.Bind(new IPEndPoint(of.GetAddressBytes().Length == 4 ? IPAddress.Any : IPAddress.IPv6Any, Port));
            socket.ReceivesPacketInfo = true;
            if (joins)
                socket.JoinGroup(of);
            byte[] buffer = new byte[16];
            var ancillary = new AncillaryData();
            SocketAddress from = socket.CreateAddress();
            using var end = new CancellationTokenSource(TimeSpan.FromMilliseconds(50), EventLoop.Current!.TimeProvider);
            try
            {
                while (true)
                {
                    int length = await socket.ReceiveMessageAsync(buffer, from, ancillary, end.Token);
                    Assert.True(PacketInfo.TryFind(ancillary.Messages, out PacketInfo info));
                    Assert.Equal(of, info.Address);
                    var source = (IPEndPoint)new IPEndPoint(of, 0).Create(from);
                    heard.Add($"{(joins ? "member" : "stranger")} heard {length} bytes from {source.Address} through {info.InterfaceIndex}");
                }
            }
            catch (OperationCanceledException)
            {
            }
        }

        static async Task Delay(int milliseconds) => await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(milliseconds));
    });

    [Fact]
    public void A_member_on_the_senders_own_host_hears_it_unless_told_otherwise() => Sim.Run(1, async sim =>
    {
        IPAddress group = IPAddress.Parse("239.1.2.3");
        using DatagramSocket member = DatagramSocket.Bind(new IPEndPoint(group, Port)), sender = DatagramSocket.Open(SocketDomain.Inet);
        member.JoinGroup(group);
        await sender.SendToAsync("x"u8.ToArray(), new IPEndPoint(group, Port));
        Assert.True(member.TryReceive(new byte[4], out int length));
        Assert.Equal(1, length);
        sender.MulticastLoopback = false;
        await sender.SendToAsync("x"u8.ToArray(), new IPEndPoint(group, Port));
        Assert.False(member.TryReceive(new byte[4], out _));
    });
}
