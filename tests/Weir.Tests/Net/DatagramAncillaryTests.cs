using System.Net;
using Weir.Net;

namespace Weir.Tests;

/// <summary>Control messages that IP sends along, and options of IP.</summary>
public class DatagramAncillaryTests : DatagramTestBase
{
    [Theory]
    [InlineData("v4")]
    [InlineData("v6")]
    public void The_receiver_learns_to_which_address_it_was_sent_and_how_far_it_may_go(string family) => Run(async () =>
    {
        using DatagramSocket receiver = Bound(family), sender = Bound(family);
        receiver.ReceivesPacketInfo = true;
        receiver.ReceivesTimeToLive = true;
        Assert.True(receiver.ReceivesPacketInfo && receiver.ReceivesTimeToLive);
        sender.TimeToLive = 17;
        await sender.SendToAsync(Bytes("x"), AddressOf(receiver));
        var ancillary = new AncillaryData();
        SocketAddress from = receiver.CreateAddress();
        Assert.Equal(1, await receiver.ReceiveMessageAsync(new byte[4], from, ancillary));
        AssertIs(sender, from);
        Assert.True(PacketInfo.TryFind(ancillary.Messages, out PacketInfo info));
        Assert.Equal(((IPEndPoint)receiver.LocalEndPoint!).Address, info.Address);
        Assert.Equal(Loopback, info.InterfaceIndex);
        ControlMessageReader messages = ancillary.Messages;
        Assert.True(family == "v4"
            ? messages.MoveTo(SocketLevel.Ip, ControlMessageType.IpTimeToLive)
            : messages.MoveTo(SocketLevel.Ipv6, ControlMessageType.Ipv6HopLimit));
        Assert.True(messages.Current.TryRead(out int hops));
        Assert.Equal(17, hops);
    });

    [Fact]
    public void An_answer_leaves_from_the_address_that_was_asked() => Run(async () =>
    {
        using DatagramSocket server = DatagramSocket.Bind(new IPEndPoint(IPAddress.Any, 0)), client = Bound("v4");
        server.ReceivesPacketInfo = true;
        var asked = new IPEndPoint(OwnAddress.Address, ((IPEndPoint)server.LocalEndPoint!).Port);
        await client.SendToAsync(Bytes("?"), asked);
        var ancillary = new AncillaryData();
        SocketAddress from = server.CreateAddress();
        await server.ReceiveMessageAsync(new byte[4], from, ancillary);
        Assert.True(PacketInfo.TryFind(ancillary.Messages, out PacketInfo info));
        ancillary.Clear();
        ancillary.Add(info);
        await server.SendMessageAsync(Bytes("!"), from, ancillary);
        Assert.Equal(asked, (await client.ReceiveFromAsync(new byte[4])).From);
    });

    [Fact]
    public void Times_of_arrival_are_those_of_the_kernels_clock() => Run(async () =>
    {
        using DatagramSocket receiver = Bound("v4"), sender = Bound("v4");
        receiver.ReceivesTimestamp = true;
        long before = InnerKernel.ClockGetTime(ClockId.Realtime);
        await sender.SendToAsync(Bytes("x"), AddressOf(receiver));
        var ancillary = new AncillaryData();
        await receiver.ReceiveMessageAsync(new byte[4], null, ancillary);
        long after = InnerKernel.ClockGetTime(ClockId.Realtime); // the first ones are stamped only as they are received
        ControlMessageReader messages = ancillary.Messages;
        Assert.True(messages.MoveTo(SocketLevel.Socket, ControlMessageType.SocketTimestampNanoseconds));
        Assert.True(messages.Current.TryRead(out TimeSpec time));
        // The clock may be set between the two readings; on one that runs on they bound it.
        Assert.InRange(time.ToNanoseconds(), before - 1_000_000, after + 1_000_000);
    });

    [Fact]
    public void Control_messages_that_do_not_fit_are_cut_and_said_to_be() => Run(async () =>
    {
        using DatagramSocket receiver = Bound("v4"), sender = Bound("v4");
        receiver.ReceivesPacketInfo = true;
        receiver.ReceivesTimeToLive = true;
        var ancillary = new AncillaryData(ControlMessages.SpaceFor(12));
        await sender.SendToAsync(Bytes("xyz"), AddressOf(receiver));
        Assert.Equal(2, await receiver.ReceiveMessageAsync(new byte[2], null, ancillary));
        Assert.Equal(MessageFlags.Truncated | MessageFlags.ControlTruncated, ancillary.Flags);
        Assert.True(PacketInfo.TryFind(ancillary.Messages, out _));
        ancillary.Clear();
        Assert.Equal((0, MessageFlags.None), (ancillary.Length, ancillary.Flags));
    });

    [Theory]
    [InlineData("v4")]
    [InlineData("v6")]
    public void Options_of_IP_are_kept(string family) => Run(() =>
    {
        using DatagramSocket socket = Bound(family);
        Assert.Equal(64, socket.TimeToLive);
        Assert.Equal(1, socket.MulticastTimeToLive);
        Assert.True(socket.MulticastLoopback);
        socket.TimeToLive = 3;
        socket.TypeOfService = 0x10;
        socket.MulticastTimeToLive = 5;
        socket.MulticastLoopback = false;
        Assert.Equal((3, 0x10, 5, false), (socket.TimeToLive, socket.TypeOfService, socket.MulticastTimeToLive, socket.MulticastLoopback));
        KernelException failure = Assert.Throws<KernelException>(() => socket.TimeToLive = 1000);
        Assert.Equal(Errno.EINVAL, failure.Errno);
        Assert.Equal(family == "v4" ? "setsockopt(IpTimeToLive)" : "setsockopt(Ipv6UnicastHops)", failure.Call);
        return Task.CompletedTask;
    });

    protected static int Loopback => 1;
}
