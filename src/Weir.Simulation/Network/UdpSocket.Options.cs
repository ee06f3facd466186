using System.Buffers.Binary;

namespace Weir.Simulation;

// Options of IP, and the control messages that they ask for: net/ipv4/ip_sockglue.c, net/ipv6/ipv6_sockglue.c, net/ipv6/datagram.c.
internal sealed partial class UdpSocket
{
    private const int DefaultHops = 64; // net.ipv4.ip_default_ttl
    private const int V4InfoSize = 12, V6InfoSize = 20;

    private int _hopsV4 = -1; // -1: the default
    private int _hopsV6 = -1;
    private int _multicastHopsV4 = 1;
    private int _multicastHopsV6 = 1;
    private bool _multicastLoopV4 = true;
    private bool _multicastLoopV6 = true;
    private bool _tellsInfoV4;
    private bool _tellsHopsV4;
    private bool _tellsInfoV6;
    private bool _tellsHopsV6;
    private bool _tellsTime;
    private bool _takesTrains; // UDP_GRO

    internal override int GetOption(SocketLevel level, SocketOption option, Span<byte> value, out int length)
    {
        length = 0;
        if (level == SocketLevel.Tcp)
            return -(int)Errno.EOPNOTSUPP;
        if (level == SocketLevel.Ipv6 && Domain != SocketDomain.Inet6)
            return base.GetOption(level, option, value, out length);
        int? number = (level, option) switch
        {
            (SocketLevel.Socket, SocketOption.SocketTimestampNanoseconds) => Flag(_tellsTime),
            (SocketLevel.Udp, SocketOption.UdpReceiveSegment) => Flag(_takesTrains),
            (SocketLevel.Ip, SocketOption.IpTimeToLive) => OrDefault(_hopsV4),
            (SocketLevel.Ip, SocketOption.IpMulticastTimeToLive) => _multicastHopsV4,
            (SocketLevel.Ip, SocketOption.IpMulticastLoopback) => Flag(_multicastLoopV4),
            (SocketLevel.Ip, SocketOption.IpPacketInfo) => Flag(_tellsInfoV4),
            (SocketLevel.Ip, SocketOption.IpReceiveTimeToLive) => Flag(_tellsHopsV4),
            (SocketLevel.Ipv6, SocketOption.Ipv6UnicastHops) => OrDefault(_hopsV6),
            (SocketLevel.Ipv6, SocketOption.Ipv6MulticastHops) => _multicastHopsV6,
            (SocketLevel.Ipv6, SocketOption.Ipv6MulticastLoopback) => Flag(_multicastLoopV6),
            (SocketLevel.Ipv6, SocketOption.Ipv6ReceivePacketInfo) => Flag(_tellsInfoV6),
            (SocketLevel.Ipv6, SocketOption.Ipv6ReceiveHopLimit) => Flag(_tellsHopsV6),
            _ => null,
        };
        if (number == null)
            return base.GetOption(level, option, value, out length);
        BinaryPrimitives.WriteInt32LittleEndian(value, number.Value);
        length = sizeof(int);
        return 0;

        static int Flag(bool on) => on ? 1 : 0;

        static int OrDefault(int hops) => hops < 0 ? DefaultHops : hops;
    }

    internal override int SetOption(SocketLevel level, SocketOption option, ReadOnlySpan<byte> value)
    {
        if (level == SocketLevel.Tcp)
            return -(int)Errno.ENOPROTOOPT;
        if (value.Length < sizeof(int) || (level == SocketLevel.Ipv6 && Domain != SocketDomain.Inet6))
            return base.SetOption(level, option, value);
        int number = BinaryPrimitives.ReadInt32LittleEndian(value);
        if (SetGroupOption(level, option, value) is { } result)
            return result;
        switch (level, option)
        {
            case (SocketLevel.Socket, SocketOption.SocketTimestampNanoseconds):
                _tellsTime = number != 0;
                return 0;
            case (SocketLevel.Ip, SocketOption.IpTimeToLive):
                return Set(ref _hopsV4, number, number is -1 or (>= 1 and <= 255));
            case (SocketLevel.Ip, SocketOption.IpMulticastTimeToLive):
                return Set(ref _multicastHopsV4, number == -1 ? 1 : number, number is >= -1 and <= 255);
            case (SocketLevel.Ip, SocketOption.IpMulticastLoopback):
                _multicastLoopV4 = number != 0;
                return 0;
            case (SocketLevel.Ip, SocketOption.IpPacketInfo):
                _tellsInfoV4 = number != 0;
                return 0;
            case (SocketLevel.Ip, SocketOption.IpReceiveTimeToLive):
                _tellsHopsV4 = number != 0;
                return 0;
            case (SocketLevel.Ipv6, SocketOption.Ipv6UnicastHops):
                return Set(ref _hopsV6, number, number is >= -1 and <= 255);
            case (SocketLevel.Ipv6, SocketOption.Ipv6MulticastHops):
                return Set(ref _multicastHopsV6, number == -1 ? 1 : number, number is >= -1 and <= 255);
            case (SocketLevel.Ipv6, SocketOption.Ipv6MulticastLoopback):
                if (number is not (0 or 1))
                    return -(int)Errno.EINVAL;
                _multicastLoopV6 = number != 0;
                return 0;
            case (SocketLevel.Ipv6, SocketOption.Ipv6ReceivePacketInfo):
                _tellsInfoV6 = number != 0;
                return 0;
            case (SocketLevel.Ipv6, SocketOption.Ipv6ReceiveHopLimit):
                _tellsHopsV6 = number != 0;
                return 0;
            case (SocketLevel.Ip, SocketOption.IpReceiveTypeOfService) or (SocketLevel.Ipv6, SocketOption.Ipv6ReceiveTrafficClass) when number != 0:
                throw new NotSupportedException("not emulated: IP_RECVTOS, IPV6_RECVTCLASS");
            case (SocketLevel.Udp, SocketOption.UdpReceiveSegment):
                _takesTrains = number != 0;
                return 0;
            case (SocketLevel.Udp, SocketOption.UdpSegment) when number != 0:
                throw new NotSupportedException("not emulated: UDP_SEGMENT as an option");
            default:
                return base.SetOption(level, option, value);
        }
    }

    private static int Set(ref int kept, int number, bool isValid)
    {
        if (!isValid)
            return -(int)Errno.EINVAL;
        kept = number;
        return 0;
    }

    protected override void OnBufferOptionChanged(SocketOption option)
    {
        base.OnBufferOptionChanged(option);
        if (option == SocketOption.SocketSendBuffer)
            WaitQueue.Wake(Writable);
    }

    private int MulticastHopsFor(IpAddress group) => group.IsV4 ? _multicastHopsV4 : _multicastHopsV6;

    private bool Loops(IpAddress group) => group.IsV4 ? _multicastLoopV4 : _multicastLoopV6;

    private int HopsFor(IpAddress target) => (target.IsV4 ? _hopsV4 : _hopsV6) is var hops && hops < 0 ? DefaultHops : hops;

    // ip_cmsg_send, ip6_datagram_send_ctl
    private int TakeControls(List<ControlEntry>? controls, InetEndPoint target, ref IpAddress source, ref int hops, ref int segment)
    {
        foreach (ControlEntry entry in controls ?? [])
        {
            bool isV4 = target.Address.IsV4;
            IpAddress wanted;
            switch (entry.Level, entry.Type)
            {
                case (SocketLevel.Ip, (int)SocketOption.IpPacketInfo) when isV4:
                    if (entry.Data.Length != V4InfoSize)
                        return -(int)Errno.EINVAL;
                    wanted = IpAddress.From(entry.Data.AsSpan(4, 4));
                    break;
                case (SocketLevel.Ipv6, (int)SocketOption.Ipv6PacketInfo) when Domain == SocketDomain.Inet6:
                    if (entry.Data.Length < V6InfoSize)
                        return -(int)Errno.EINVAL;
                    wanted = IpAddress.From(entry.Data.AsSpan(0, 16));
                    if (!wanted.IsAny && wanted.IsV4 != isV4)
                        return -(int)Errno.EINVAL;
                    break;
                case (SocketLevel.Ip, (int)SocketOption.IpTimeToLive) when isV4:
                case (SocketLevel.Ipv6, (int)SocketOption.Ipv6HopLimit) when !isV4:
                    if (entry.Data.Length != sizeof(int))
                        return -(int)Errno.EINVAL;
                    int number = BinaryPrimitives.ReadInt32LittleEndian(entry.Data);
                    if (number > 255 || number < (isV4 ? 1 : -1))
                        return -(int)Errno.EINVAL;
                    hops = number < 0 ? DefaultHops : number;
                    continue;
                case (SocketLevel.Ip, (int)SocketOption.IpTypeOfService) when isV4:
                case (SocketLevel.Ipv6, (int)SocketOption.Ipv6TrafficClass) when !isV4:
                    continue; // nobody looks at it
                case (SocketLevel.Udp, (int)SocketOption.UdpSegment):
                    if (entry.Data.Length != sizeof(ushort))
                        return -(int)Errno.EINVAL;
                    segment = BinaryPrimitives.ReadUInt16LittleEndian(entry.Data);
                    continue;
                case (SocketLevel.Ip, _) when isV4:
                case (SocketLevel.Ipv6, _) when !isV4 && Domain == SocketDomain.Inet6:
                    return -(int)Errno.EINVAL;
                default:
                    continue;
            }

            if (wanted.IsAny)
                continue;
            if (!Stack.IsLocal(wanted))
                return isV4 ? -(int)Errno.ENETUNREACH : -(int)Errno.EINVAL;
            source = wanted;
        }

        return 0;
    }

    // sock_recv_timestamp, then ip_cmsg_recv_offset or ip6_datagram_recv_ctl.
    private List<ControlEntry>? ControlsOf(Packet packet)
    {
        bool isTrain = _takesTrains && packet.Length > packet.Segment && packet.Segment != 0;
        if (!(isTrain || _tellsTime || _tellsInfoV4 || _tellsHopsV4 || _tellsInfoV6 || _tellsHopsV6))
            return null;
        var controls = new List<ControlEntry>();
        IpAddress to = packet.Destination.Address;
        int index = packet.Interface;
        if (_tellsTime)
        {
            byte[] time = new byte[16];
            TimeSpec arrived = TimeSpec.FromNanoseconds(SimClock.WallClockAtStart + packet.ArrivedAt - SimClock.Start);
            BinaryPrimitives.WriteInt64LittleEndian(time, arrived.Seconds);
            BinaryPrimitives.WriteInt64LittleEndian(time.AsSpan(8), arrived.Nanoseconds);
            controls.Add(new ControlEntry(SocketLevel.Socket, (int)SocketOption.SocketTimestampNanoseconds, time));
        }

        if (isTrain) // udp_cmsg_recv
            controls.Add(new ControlEntry(SocketLevel.Udp, (int)SocketOption.UdpReceiveSegment, BitConverter.GetBytes(packet.Segment)));

        if (_tellsInfoV6)
        {
            byte[] info = new byte[V6InfoSize];
            to.WriteTo(info);
            BinaryPrimitives.WriteInt32LittleEndian(info.AsSpan(16), index);
            controls.Add(new ControlEntry(SocketLevel.Ipv6, (int)SocketOption.Ipv6PacketInfo, info));
        }

        if (!to.IsV4)
        {
            if (_tellsHopsV6)
                controls.Add(new ControlEntry(SocketLevel.Ipv6, (int)SocketOption.Ipv6HopLimit, BitConverter.GetBytes(packet.Hops)));
            return controls;
        }

        if (_tellsInfoV4)
        {
            byte[] info = new byte[V4InfoSize], address = new byte[16];
            to.WriteTo(address);
            BinaryPrimitives.WriteInt32LittleEndian(info, index);
            address.AsSpan(12).CopyTo(info.AsSpan(4)); // for one machine alone the local address is that of the header
            address.AsSpan(12).CopyTo(info.AsSpan(8));
            controls.Add(new ControlEntry(SocketLevel.Ip, (int)SocketOption.IpPacketInfo, info));
        }

        if (_tellsHopsV4)
            controls.Add(new ControlEntry(SocketLevel.Ip, (int)SocketOption.IpTimeToLive, BitConverter.GetBytes(packet.Hops)));
        return controls;
    }
}
