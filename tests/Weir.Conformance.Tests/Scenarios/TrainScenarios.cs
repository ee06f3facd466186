using Weir.Net;

namespace Weir.Conformance.Scenarios;

/// <summary>Datagrams that were sent as one message and are received as one: UDP_SEGMENT and UDP_GRO.</summary>
public sealed class TrainScenarios : ConformanceTests
{
    private static AncillaryData Cut(ushort segment)
    {
        var ancillary = new AncillaryData();
        ancillary.Add(SocketLevel.Udp, ControlMessageType.UdpSegment, segment);
        return ancillary;
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Who_asks_for_it_gets_the_message_whole_and_is_told_where_to_cut(bool six) => Run(m =>
    {
        Fd sender = six ? m.Udp6() : m.Udp(), receiver = six ? m.Udp6() : m.Udp(), set = m.Epoll();
        m.SetOption(receiver, SocketLevel.Udp, SocketOption.UdpReceiveSegment, 1).Is(0);
        m.GetOption(receiver, SocketLevel.Udp, SocketOption.UdpReceiveSegment).Is(1);
        m.Add(set, receiver, In | EdgeTriggered);
        (int Segment, int Length)[] cases = [(4, 12), (4, 10), (4, 4), (4, 3), (1, 1), (1, 8), (0, 5), (4, 0), (2, 9), (65_535, 9), (500, 32_000)];
        foreach ((int segment, int length) in cases)
        {
            m.SendWith(sender, receiver, Cut((ushort)segment), length).Is(length);
            m.Settle();
            m.Wait(set).Is((receiver, In));
            m.ReceiveTrain(receiver, 33_000).Is(length);
            m.ReceiveTrain(receiver, 33_000).Is(EAGAIN);
        }
    });

    [Fact]
    public void What_was_sent_apart_comes_apart() => Run(m =>
    {
        Fd sender = m.Udp(), receiver = m.Udp();
        m.SetOption(receiver, SocketLevel.Udp, SocketOption.UdpReceiveSegment, 1).Is(0);
        m.SendWith(sender, receiver, Cut(4), 12).Is(12);
        m.SendWith(sender, receiver, Cut(4), 8).Is(8);
        m.SendMessages(sender, receiver, 4, 4).Is(2);
        m.Settle();
        m.ReceiveTrain(receiver, 100).Is(12);
        m.ReceiveTrain(receiver, 6).Is(6); // the end is lost
        m.ReceiveTrain(receiver, 100).Is(4);
        m.ReceiveTrain(receiver, 100).Is(4);
        m.ReceiveTrain(receiver, 100).Is(EAGAIN);
    });

    [Fact]
    public void Other_control_messages_come_once_for_all() => Run(m =>
    {
        Fd sender = m.Udp(), receiver = m.Udp();
        m.SetOption(receiver, SocketLevel.Udp, SocketOption.UdpReceiveSegment, 1).Is(0);
        m.SetOption(receiver, SocketOption.SocketTimestampNanoseconds, 1).Is(0);
        m.SetOption(receiver, SocketLevel.Ip, SocketOption.IpPacketInfo, 1).Is(0);
        m.SendWith(sender, receiver, Cut(4), 12).Is(12);
        m.Settle();
        m.ReceiveTrain(receiver, 100).Is(12);
    });
}
