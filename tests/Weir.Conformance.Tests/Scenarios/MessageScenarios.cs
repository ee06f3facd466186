using System.Net;
using Weir.Net;

namespace Weir.Conformance.Scenarios;

/// <summary>Batches of messages, and what comes along with one.</summary>
public sealed class MessageScenarios : ConformanceTests
{
    [Fact]
    public void What_was_sent_at_once_is_received_at_once_each_by_itself() => Run(m =>
    {
        Fd sender = m.Udp(), receiver = m.Udp(), set = m.Epoll();
        m.Add(set, receiver, In | EdgeTriggered);
        m.SendMessages(sender, receiver, 3, 0, 12, 1).Is(4);
        m.Settle();
        m.Wait(set).Is((receiver, In));
        m.ReceiveMessages(receiver, 8, 8).Is(2);
        m.Wait(set).IsEmpty();
        m.ReceiveMessages(receiver, 8, 8, 8, 8).Is(2); // the third is cut
        m.ReceiveMessages(receiver, 8, 8).Is(EAGAIN);
        m.SendMessages(sender, receiver, 9).Is(1);
        m.Settle();
        m.Wait(set).Is((receiver, In));
    });

    [Fact]
    public void Packets_of_a_unix_pair_too() => Run(m =>
    {
        (Fd a, Fd b) = m.SocketPair(SocketKind.Datagram);
        m.SendMessages(a, null, 3, 0, 12).Is(3);
        m.ReceiveMessages(b, 8, 8, 8, 8).Is(3);
        m.ReceiveMessages(b, 8).Is(EAGAIN);
        (a, b) = m.SocketPair(SocketKind.SeqPacket);
        m.SendMessages(a, null, 3, 12).Is(2);
        m.Close(a);
        m.ReceiveMessages(b, 8, 8, 8, 8).Is(4); // the end as often as there is room for it
    });

    [Fact]
    public void A_stream_is_taken_in_parts_and_its_end_fills_the_rest() => Run(m =>
    {
        (Fd a, Fd b) = m.SocketPair();
        m.SendMessages(a, null, 6, 6).Is(2);
        m.ReceiveMessages(b, 8, 8, 8).Is(2);
        m.ReceiveMessages(b, 8, 8, 8).Is(EAGAIN);
        m.Send(a, 4);
        m.Shutdown(a, ShutdownHow.Write);
        m.ReceiveMessages(b, 8, 8, 8).Is(3);
    });

    [Fact]
    public void None_asked_for_is_none() => Run(m =>
    {
        (Fd a, Fd b) = m.UdpPair();
        m.SendMessages(a, null).Is(0);
        m.ReceiveMessages(b).Is(0);
        Fd pipe = m.Pipe().Read;
        m.SendMessages(pipe, null, 1).Is(ENOTSOCK);
        m.ReceiveMessages(pipe, 1).Is(ENOTSOCK);
        m.Close(a);
        m.SendMessages(a, null, 1).Is(EBADF);
        m.ReceiveMessages(a, 1).Is(EBADF);
    });

    [Fact]
    public void A_failure_ends_a_batch_and_is_told_only_by_the_next_call() => Run(m =>
    {
        Fd sender = m.Udp(), receiver = m.Udp();
        m.SendMessages(sender, receiver, 5, 66_000, 5).Is(1);
        m.SendMessages(sender, receiver, 66_000, 5).Is(EMSGSIZE);
        m.SendMessages(sender, receiver, 6, -1, 5).Is(1);
        m.SendMessages(sender, receiver, -1).Is(EFAULT);
        m.SendMessages(sender, null, 5).Is(EDESTADDRREQ);
        m.Settle();
        m.ReceiveMessages(receiver, 8, 8, 8).Is(2);
    });

    [Fact]
    public void A_failure_after_messages_is_kept_as_the_sockets_error() => Run(m =>
    {
        Fd sender = m.Udp(), receiver = m.Udp(), set = m.Epoll();
        m.SendMessages(sender, receiver, 5, 5, 5, 5).Is(4);
        m.Settle();
        m.Add(set, receiver, In | EdgeTriggered);
        m.Wait(set).Is((receiver, In));
        m.ReceiveMessages(receiver, 8, -1, 8).Is(1);
        m.Wait(set).IsEmpty(); // nobody is woken for it
        m.Poll(receiver, In).Is(In | Err);
        m.ReceiveMessages(receiver, 8, 8).Is(EFAULT);
        m.ReceiveMessages(receiver, 8, 8).Is(2); // of the one that failed nothing is left
        m.SendMessages(sender, receiver, 5).Is(1);
        m.Settle();
        m.ReceiveMessages(receiver, -1).Is(EFAULT);
        m.ExpectError(receiver, Errno.None); // told at once, it is not kept
    });

    [Fact]
    public void An_error_that_is_pending_comes_before_the_messages() => Run(m =>
    {
        Fd peer = m.Udp(), sender = m.Udp();
        m.Connect(sender, peer).Is(0);
        m.SendMessages(peer, sender, 4).Is(1);
        m.Close(peer);
        m.Send(sender, 1).Is(1);
        m.Settle();
        m.ReceiveMessages(sender, 8, 8).Is(ECONNREFUSED);
        m.ReceiveMessages(sender, 8, 8).Is(1);
        m.Send(sender, 1).Is(1);
        m.Settle();
        m.SendMessages(sender, null, 1, 1).Is(ECONNREFUSED);
        m.Settle();
    });

    [Fact]
    public void The_first_may_be_waited_for_and_the_rest_not() => Run(m =>
    {
        Fd sender = m.Udp(), receiver = m.Udp();
        m.SendMessages(sender, receiver, 1, 2).Is(2);
        m.Settle();
        m.ReceiveMessages(receiver, (MessageFlags)0x10000, 8, 8, 8).Is(2);
        m.ReceiveMessages(receiver, MessageFlags.DontWait, 8).Is(EAGAIN);
    });

    [Theory, InlineData(false), InlineData(true)]
    public void A_datagram_tells_where_it_went_and_how_far_it_may_go(bool six) => Run(m =>
    {
        Fd sender = six ? m.Udp6() : m.Udp(), receiver = six ? m.Udp6() : m.Udp();
        SocketLevel level = six ? SocketLevel.Ipv6 : SocketLevel.Ip;
        m.SetOption(receiver, level, six ? SocketOption.Ipv6ReceivePacketInfo : SocketOption.IpPacketInfo, 1).Is(0);
        m.SetOption(receiver, level, six ? SocketOption.Ipv6ReceiveHopLimit : SocketOption.IpReceiveTimeToLive, 1).Is(0);
        m.SetOption(receiver, SocketOption.SocketTimestampNanoseconds, 1).Is(0);
        m.SetOption(sender, level, six ? SocketOption.Ipv6UnicastHops : SocketOption.IpTimeToLive, 9).Is(0);
        int[] rooms = [256, 0, 8, 16, 20, 32, 40, 48, 60, 72, 88, 96];
        foreach (int room in rooms)
        {
            m.SendMessages(sender, receiver, 1).Is(1);
            m.Settle();
            m.ReceiveWith(receiver, room).Is(1);
        }

        var ancillary = new AncillaryData();
        ancillary.Add(level, six ? ControlMessageType.Ipv6HopLimit : ControlMessageType.IpTimeToLive, 33);
        ancillary.Add(new PacketInfo(six ? IPAddress.IPv6Loopback : IPAddress.Parse("127.0.0.1")));
        m.SendWith(sender, receiver, ancillary).Is(1);
        m.Settle();
        m.ReceiveWith(receiver, 256).Is(1);
    });

    [Theory, InlineData(false), InlineData(true)]
    public void A_message_that_is_to_be_cut_up_arrives_as_so_many_datagrams(bool six) => Run(m =>
    {
        Fd sender = six ? m.Udp6() : m.Udp(), receiver = six ? m.Udp6() : m.Udp(), set = m.Epoll();
        m.Add(set, receiver, In | EdgeTriggered);
        (int Segment, int Length)[] cases = [(4, 12), (4, 10), (4, 4), (4, 3), (1, 1), (1, 8), (0, 5), (4, 0), (2, 9), (65_535, 9)];
        foreach ((int segment, int length) in cases)
        {
            m.SendWith(sender, receiver, Cut((ushort)segment), length).Is(length);
            m.Settle();
            m.Wait(set).Is((receiver, In));
            m.ReceiveMessages(receiver, 16, 16, 16, 16, 16, 16, 16, 16, 16);
            m.ReceiveMessages(receiver, 16).Is(EAGAIN);
        }

        m.SendWith(sender, receiver, Cut((ushort)10), 640).Is(640);
        m.SendWith(sender, receiver, Cut((ushort)1), 129).Is(EINVAL); // more than 128 parts; 64 before 6.9
        m.SendWith(sender, receiver, Cut(4), 8).Is(EINVAL); // an int
        m.Settle();
        for (int i = 0; i < 64; i += 8)
            m.ReceiveMessages(receiver, 16, 16, 16, 16, 16, 16, 16, 16).Is(8);
        m.ReceiveMessages(receiver, 16).Is(EAGAIN);

        static AncillaryData Cut<T>(T segment)
            where T : unmanaged
        {
            var ancillary = new AncillaryData();
            ancillary.Add(SocketLevel.Udp, ControlMessageType.UdpSegment, segment);
            return ancillary;
        }
    });

    [Theory, InlineData(false), InlineData(true)]
    public void Control_messages_that_say_nonsense_are_refused(bool six) => Run(m =>
    {
        Fd sender = six ? m.Udp6() : m.Udp(), receiver = six ? m.Udp6() : m.Udp();
        SocketLevel level = six ? SocketLevel.Ipv6 : SocketLevel.Ip;
        ControlMessageType hops = six ? ControlMessageType.Ipv6HopLimit : ControlMessageType.IpTimeToLive;
        foreach (int value in (int[])[255, 256, 1, 0, -1, -2])
        {
            if (!six || value != 0)
                Try(ancillary => ancillary.Add(level, hops, value));
        }

        Try(ancillary => ancillary.Add(level, hops, (short)1));
        Try(ancillary => ancillary.Add(level, (ControlMessageType)99, 1));
        Try(ancillary => ancillary.Add(level, six ? ControlMessageType.Ipv6PacketInfo : ControlMessageType.IpPacketInfo, 1));
        Try(ancillary => ancillary.Add((SocketLevel)200, hops, 1)); // another protocol's, and not looked at

        void Try(Action<AncillaryData> fill)
        {
            var ancillary = new AncillaryData();
            fill(ancillary);
            m.SendWith(sender, receiver, ancillary);
            m.Settle();
            m.ReceiveMessages(receiver, 8);
        }
    });

    [Theory, InlineData(false), InlineData(true)]
    public void Options_of_IP_have_their_bounds(bool six) => Run(m =>
    {
        Fd fd = six ? m.Udp6() : m.Udp();
        SocketLevel level = six ? SocketLevel.Ipv6 : SocketLevel.Ip;
        SocketOption[] options = six
            ? [SocketOption.Ipv6UnicastHops, SocketOption.Ipv6MulticastHops, SocketOption.Ipv6MulticastLoopback]
            : [SocketOption.IpTimeToLive, SocketOption.IpMulticastTimeToLive, SocketOption.IpMulticastLoopback];
        foreach (SocketOption option in options)
        {
            foreach (int value in (int[])[-2, -1, 0, 1, 2, 255, 256])
            {
                m.SetOption(fd, level, option, value);
                m.GetOption(fd, level, option);
            }
        }
    });
}
