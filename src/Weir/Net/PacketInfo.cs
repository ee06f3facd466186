using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;

namespace Weir.Net;

/// <summary>
/// To which of this machine's addresses a datagram came, and through which interface; sent along, from which it is to leave. A value, without
/// an allocation until <see cref="Address"/> is asked for. IP_PKTINFO of ip(7), IPV6_PKTINFO of ipv6(7).
/// </summary>
public readonly struct PacketInfo
{
    private const int V4Size = 12; // struct in_pktinfo: int index, in_addr local, in_addr of the header
    private const int V6Size = 20; // struct in6_pktinfo: in6_addr, unsigned index

    private readonly ulong _high;
    private readonly ulong _low;
    private readonly bool _isV4;

    private PacketInfo(bool isV4, ulong high, ulong low, int interfaceIndex)
    {
        _isV4 = isV4;
        _high = high;
        _low = low;
        InterfaceIndex = interfaceIndex;
    }

    /// <summary>For sending: the source address, and the interface (0: as the routes say).</summary>
    public PacketInfo(IPAddress address, int interfaceIndex = 0)
    {
        ArgumentNullException.ThrowIfNull(address);
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int length);
        _isV4 = length == 4;
        _high = _isV4 ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt64BigEndian(bytes);
        _low = _isV4 ? 0 : BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        InterfaceIndex = interfaceIndex;
    }

    /// <summary>The number of the interface: netdevice(7).</summary>
    public int InterfaceIndex { get; }

    /// <summary>The address; a mapped one (::ffff:a.b.c.d) where a dual-mode socket got a datagram of version 4. Allocates.</summary>
    public IPAddress Address
    {
        get
        {
            Span<byte> bytes = stackalloc byte[16];
            if (_isV4)
            {
                BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)_high);
                return new IPAddress(bytes[..4]);
            }

            BinaryPrimitives.WriteUInt64BigEndian(bytes, _high);
            BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], _low);
            return new IPAddress(bytes);
        }
    }

    /// <summary>Reads one from a control message. False: it is another message.</summary>
    public static bool TryRead(in ControlMessage message, out PacketInfo info)
    {
        ReadOnlySpan<byte> data = message.Data;
        if (message.Is(SocketLevel.Ip, ControlMessageType.IpPacketInfo) && data.Length >= V4Size)
        {
            // The address that the sender named, not that of the interface: they differ for broadcasts and groups.
            info = new PacketInfo(true, BinaryPrimitives.ReadUInt32BigEndian(data[8..]), 0, MemoryMarshal.Read<int>(data));
            return true;
        }

        if (message.Is(SocketLevel.Ipv6, ControlMessageType.Ipv6PacketInfo) && data.Length >= V6Size)
        {
            info = new PacketInfo(
                false,
                BinaryPrimitives.ReadUInt64BigEndian(data),
                BinaryPrimitives.ReadUInt64BigEndian(data[8..]),
                MemoryMarshal.Read<int>(data[16..]));
            return true;
        }

        info = default;
        return false;
    }

    /// <summary>Finds one among control messages. False: there is none.</summary>
    public static bool TryFind(ControlMessageReader messages, out PacketInfo info)
    {
        while (messages.MoveNext())
        {
            if (TryRead(messages.Current, out info))
                return true;
        }

        info = default;
        return false;
    }

    /// <summary>Has a datagram leave from this address and interface. False: no room.</summary>
    public bool TryAddTo(ref ControlMessageWriter messages)
    {
        if (_isV4)
        {
            if (!messages.TryAdd(SocketLevel.Ip, ControlMessageType.IpPacketInfo, V4Size, out Span<byte> four))
                return false;
            MemoryMarshal.Write(four, InterfaceIndex);
            BinaryPrimitives.WriteUInt32BigEndian(four[4..], (uint)_high);
            return true;
        }

        if (!messages.TryAdd(SocketLevel.Ipv6, ControlMessageType.Ipv6PacketInfo, V6Size, out Span<byte> six))
            return false;
        BinaryPrimitives.WriteUInt64BigEndian(six, _high);
        BinaryPrimitives.WriteUInt64BigEndian(six[8..], _low);
        MemoryMarshal.Write(six[16..], InterfaceIndex);
        return true;
    }
}
