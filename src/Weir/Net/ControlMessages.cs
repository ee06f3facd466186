using System.Runtime.InteropServices;

namespace Weir.Net;

/// <summary>
/// The layout of ancillary data: a row of control messages, each a header (struct cmsghdr: its length with the header, level, type) and its
/// data, aligned to 8 bytes. cmsg(3), on 64-bit systems.
/// </summary>
public static class ControlMessages
{
    /// <summary>Bytes of a header: CMSG_LEN(0).</summary>
    public const int HeaderSize = 16;

    private const int Alignment = 8;

    /// <summary>Bytes that a message with so many bytes of data takes up in a buffer: CMSG_SPACE.</summary>
    public static int SpaceFor(int dataLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(dataLength);
        return Align(HeaderSize + dataLength);
    }

    internal static int Align(int length) => (length + Alignment - 1) & ~(Alignment - 1);
}

/// <summary>
/// Types of control messages, at the level named in front of each: SOL_SOCKET (unix(7), socket(7)), IPPROTO_IP (ip(7)), IPPROTO_IPV6 (ipv6(7)),
/// IPPROTO_UDP (udp(7)).
/// </summary>
public enum ControlMessageType
{
    /// <summary>SCM_RIGHTS: an array of descriptors, of 4 bytes each.</summary>
    SocketRights = 1,

    /// <summary>SCM_CREDENTIALS: struct ucred (process, user, group; 4 bytes each).</summary>
    SocketCredentials = 2,

    /// <summary>SCM_TIMESTAMPNS: when the datagram arrived, as a <see cref="TimeSpec"/> of the real-time clock.</summary>
    SocketTimestampNanoseconds = 35,

    /// <summary>IP_TOS: the type-of-service byte (received: 1 byte, sent: 4).</summary>
    IpTypeOfService = 1,

    /// <summary>IP_TTL: the time to live (4 bytes).</summary>
    IpTimeToLive = 2,

    /// <summary>IP_PKTINFO: struct in_pktinfo; <see cref="PacketInfo"/> reads it.</summary>
    IpPacketInfo = 8,

    /// <summary>IPV6_PKTINFO: struct in6_pktinfo; <see cref="PacketInfo"/> reads it.</summary>
    Ipv6PacketInfo = 50,

    /// <summary>IPV6_HOPLIMIT: the hop limit (4 bytes).</summary>
    Ipv6HopLimit = 52,

    /// <summary>IPV6_TCLASS: the traffic class (4 bytes).</summary>
    Ipv6TrafficClass = 67,

    /// <summary>UDP_SEGMENT: what is sent is to be cut into datagrams of so many bytes (2 bytes).</summary>
    UdpSegment = 103,

    /// <summary>UDP_GRO: what was received are datagrams of so many bytes, the last perhaps shorter (4 bytes).</summary>
    UdpReceiveSegment = 104,
}

/// <summary>One control message in a buffer; valid as long as the buffer is left alone.</summary>
public readonly ref struct ControlMessage
{
    internal ControlMessage(SocketLevel level, ControlMessageType type, ReadOnlySpan<byte> data)
    {
        Level = level;
        Type = type;
        Data = data;
    }

    /// <summary>The protocol it belongs to.</summary>
    public SocketLevel Level { get; }

    /// <summary>What it says; a number that means something together with <see cref="Level"/> only.</summary>
    public ControlMessageType Type { get; }

    /// <summary>Its data. Shorter than its type says if the buffer was too small (<see cref="MessageFlags.ControlTruncated"/>).</summary>
    public ReadOnlySpan<byte> Data { get; }

    /// <summary>Whether it is of this level and type.</summary>
    public bool Is(SocketLevel level, ControlMessageType type) => Level == level && Type == type;

    /// <summary>The data as a value of the kernel's layout. False: there is too little of it.</summary>
    public bool TryRead<T>(out T value)
        where T : unmanaged
        => MemoryMarshal.TryRead(Data, out value);
}

/// <summary>
/// Goes through the control messages in a buffer: what recvmsg(2) has left there, its length being <see cref="MessageHeader.ControlLength"/>
/// after the call. Allocates nothing. A message whose length cannot be ends the row, as with CMSG_NXTHDR.
/// </summary>
public ref struct ControlMessageReader
{
    private ReadOnlySpan<byte> _rest;

    /// <summary>Begins in front of the first message.</summary>
    public ControlMessageReader(ReadOnlySpan<byte> control)
    {
        _rest = control;
    }

    /// <summary>The message that <see cref="MoveNext"/> came to.</summary>
    public ControlMessage Current { get; private set; }

    /// <summary>For foreach.</summary>
    public readonly ControlMessageReader GetEnumerator() => this;

    /// <summary>Goes on to the next message. False: there is none.</summary>
    public bool MoveNext()
    {
        if (_rest.Length < ControlMessages.HeaderSize)
            return false;
        nuint length = MemoryMarshal.Read<nuint>(_rest);
        if (length < ControlMessages.HeaderSize || length > (nuint)_rest.Length)
        {
            _rest = default;
            return false;
        }

        Current = new ControlMessage(
            (SocketLevel)MemoryMarshal.Read<int>(_rest[8..]),
            (ControlMessageType)MemoryMarshal.Read<int>(_rest[12..]),
            _rest[ControlMessages.HeaderSize..(int)length]);
        // The last one need not be padded.
        _rest = _rest[Math.Min(_rest.Length, ControlMessages.Align((int)length))..];
        return true;
    }

    /// <summary>Goes on to the next message of this level and type. False: there is none.</summary>
    public bool MoveTo(SocketLevel level, ControlMessageType type)
    {
        while (MoveNext())
        {
            if (Current.Is(level, type))
                return true;
        }

        return false;
    }
}

/// <summary>
/// Writes control messages into a buffer, for <see cref="MessageHeader.Control"/> of sendmsg(2), with <see cref="Length"/> as its
/// <see cref="MessageHeader.ControlLength"/>. Allocates nothing.
/// </summary>
public ref struct ControlMessageWriter
{
    private readonly Span<byte> _buffer;

    /// <summary>Begins at the start of a buffer.</summary>
    public ControlMessageWriter(Span<byte> buffer)
        : this(buffer, 0)
    {
    }

    /// <summary>Goes on after <paramref name="length"/> bytes that an earlier writer has written.</summary>
    internal ControlMessageWriter(Span<byte> buffer, int length)
    {
        _buffer = buffer;
        Length = length;
    }

    /// <summary>Bytes written so far, padding included.</summary>
    public int Length { get; private set; }

    /// <summary>
    /// Begins a message with so many bytes of data and hands out the place for them, zeroed. False: there is no room for it, and nothing was
    /// written; <see cref="ControlMessages.SpaceFor"/> says how much it takes.
    /// </summary>
    public bool TryAdd(SocketLevel level, ControlMessageType type, int dataLength, out Span<byte> data)
    {
        int space = ControlMessages.SpaceFor(dataLength);
        if (space > _buffer.Length - Length)
        {
            data = default;
            return false;
        }

        Span<byte> place = _buffer.Slice(Length, space);
        place.Clear(); // the padding too: it goes to the kernel
        MemoryMarshal.Write(place, (nuint)(ControlMessages.HeaderSize + dataLength));
        MemoryMarshal.Write(place[8..], (int)level);
        MemoryMarshal.Write(place[12..], (int)type);
        data = place.Slice(ControlMessages.HeaderSize, dataLength);
        Length += space;
        return true;
    }

    /// <summary>Writes a message. False: there is no room for it, and nothing was written.</summary>
    public bool TryAdd(SocketLevel level, ControlMessageType type, scoped ReadOnlySpan<byte> data)
    {
        if (!TryAdd(level, type, data.Length, out Span<byte> place))
            return false;
        data.CopyTo(place);
        return true;
    }

    /// <summary>Writes a message whose data is one value. False: there is no room for it, and nothing was written.</summary>
    public bool TryAdd<T>(SocketLevel level, ControlMessageType type, T value)
        where T : unmanaged
        => TryAdd(level, type, MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(ref value, 1)));
}
