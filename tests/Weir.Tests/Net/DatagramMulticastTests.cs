using System.Net;
using Weir.Net;

namespace Weir.Tests;

/// <summary>Groups on the loopback interface, which is number 1 on every Linux.</summary>
public class DatagramMulticastTests : DatagramTestBase
{
    private const int Loopback = 1;

    private static int s_groups;

    private static IPAddress NewGroup(string family)
    {
        int number = Interlocked.Increment(ref s_groups);
        return family == "v4" ? new IPAddress([239, 77, (byte)(number >> 8), (byte)number]) : IPAddress.Parse($"ff15::77:{number:x}");
    }

    // Of version 4 alone: the loopback interface has no route to groups of version 6.
    [Fact]
    public void Members_of_a_group_each_get_what_is_sent_to_it() => Run(async () =>
    {
        IPAddress group = NewGroup("v4");
        var shared = new DatagramOptions { ReuseAddress = true };
        using DatagramSocket one = DatagramSocket.Bind(new IPEndPoint(IPAddress.Any, 0), shared);
        var address = (IPEndPoint)one.LocalEndPoint!;
        using DatagramSocket two = DatagramSocket.Bind(address, shared), sender = Bound("v4");
        sender.SetMulticastInterface(Loopback);
        one.JoinGroup(group, Loopback);
        two.JoinGroup(group, Loopback);
        var to = new IPEndPoint(group, address.Port);
        await sender.SendToAsync(Bytes("all"), to);
        byte[] buffer = new byte[8];
        Assert.Equal(3, await one.ReceiveAsync(buffer));
        Assert.Equal(3, await two.ReceiveAsync(buffer));

        // A socket on the any-address gets what others' groups get, unless told otherwise: ip(7), IP_MULTICAST_ALL.
        two.SetOption(SocketLevel.Ip, (SocketOption)49, 0);
        two.LeaveGroup(group, Loopback);
        await sender.SendToAsync(Bytes("one"), to);
        Assert.Equal(3, await one.ReceiveAsync(buffer));
        Assert.False(two.TryReceive(buffer, out _));
    });

    [Theory]
    [InlineData("v4")]
    [InlineData("v6")]
    public void Membership_is_joined_and_left_once(string family) => Run(() =>
    {
        IPAddress group = NewGroup(family);
        using DatagramSocket socket = DatagramSocket.Bind(new IPEndPoint(family == "v4" ? IPAddress.Any : IPAddress.IPv6Any, 0));
        socket.JoinGroup(group, Loopback);
        KernelException failure = Assert.Throws<KernelException>(() => socket.JoinGroup(group, Loopback));
        Assert.Equal((Errno.EADDRINUSE, family == "v4" ? "setsockopt(IpAddMembership)" : "setsockopt(Ipv6AddMembership)"), (failure.Errno, failure.Call));
        socket.LeaveGroup(group, Loopback);
        Assert.Equal(Errno.EADDRNOTAVAIL, Assert.Throws<KernelException>(() => socket.LeaveGroup(group, Loopback)).Errno);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KernelException>(() => socket.JoinGroup(family == "v4" ? IPAddress.Loopback : IPAddress.IPv6Loopback, Loopback)).Errno);
        Assert.Equal(Errno.ENODEV, Assert.Throws<KernelException>(() => socket.JoinGroup(group, 123_456)).Errno);
        return Task.CompletedTask;
    });

    [Fact]
    public virtual void Broadcasts_need_leave() => Run(async () =>
    {
        using DatagramSocket receiver = DatagramSocket.Bind(new IPEndPoint(IPAddress.Any, 0)), sender = Bound("v4");
        var to = new IPEndPoint(IPAddress.Parse("127.255.255.255"), ((IPEndPoint)receiver.LocalEndPoint!).Port);
        KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await sender.SendToAsync(Bytes("x"), to));
        Assert.Equal(Errno.EACCES, failure.Errno);
        Assert.Contains("Broadcast", failure.Message);
        sender.Broadcast = true;
        await sender.SendToAsync(Bytes("x"), to);
        Assert.Equal(1, await receiver.ReceiveAsync(new byte[4]));
    });
}
