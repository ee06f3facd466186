using System.Buffers;

namespace Weir.Simulation;

[Flags]
internal enum TcpFlags : byte
{
    None = 0,
    Fin = 1,
    Syn = 2,
    Reset = 4,
    Ack = 16,
    Urgent = 32,
}

/// <summary>What a packet is on the wire.</summary>
internal enum PacketKind : byte
{
    Tcp,
    Udp,

    /// <summary>The answer to a datagram that nobody receives: ICMP port unreachable. Its ends are those of a packet to the sender.</summary>
    PortUnreachable,

    /// <summary>No machine has the address a packet went to.</summary>
    HostUnreachable,
}

/// <summary>
/// A packet: struct sk_buff. The same class stands in a sender's write queue, travels, and stands in a receiver's queue; the bytes are
/// shared between what was sent and what may have to be sent again. Kept in a pool: whoever takes one off a queue frees it.
/// </summary>
internal sealed class Packet
{
    private readonly SimNetwork _network;
    private PacketBytes? _bytes;

    internal Packet(SimNetwork network)
    {
        _network = network;
        Arrive = () => _network.Arrived(this);
    }

    /// <summary>The next one of the queue it stands in.</summary>
    internal Packet? Next;

    /// <summary>Where it arrives, on its way: <see cref="SimNetwork.Arrived"/>. Made once, for the clock.</summary>
    internal Action Arrive { get; }

    internal NetStack? Stack; // that receives it, on the loopback
    internal NetPath? Path; // that it travels on
    internal PacketKind Kind;
    internal InetEndPoint Source;
    internal InetEndPoint Destination;

    /// <summary>Of a datagram: its time to live, and when it arrived.</summary>
    internal int Hops;
    internal long ArrivedAt;

    /// <summary>Of a datagram: the number of the interface that it comes in through.</summary>
    internal int Interface;

    /// <summary>
    /// Of a datagram that was cut from a longer message, or joined from several again: the length of those but the last, and who cut it when. 0: it stands alone.
    /// </summary>
    internal int Segment;
    internal long Train;

    /// <summary>Where its bytes lie in the shared ones.</summary>
    internal int Offset;

    internal int Length;

    // TCP. Sequence numbers have 64 bits and never wrap.
    internal TcpFlags Flags;
    internal long Seq;
    internal long Ack;
    internal long Urgent; // the byte after the urgent one, if Flags says so
    internal int Window;

    // In a write queue
    internal long SentAt;
    internal bool WasRetransmitted;

    /// <summary>The sequence number after it; SYN and FIN count one each.</summary>
    internal long EndSeq => Seq + Length + ((Flags & TcpFlags.Syn) != 0 ? 1 : 0) + ((Flags & TcpFlags.Fin) != 0 ? 1 : 0);

    internal Span<byte> Data => _bytes == null ? default : _bytes.Array.AsSpan(Offset, Length);

    /// <summary>Bytes that fit after those that are there.</summary>
    internal int Room => _bytes == null ? 0 : _bytes.Array.Length - Offset - Length;

    internal Span<byte> FreeSpace => _bytes!.Array.AsSpan(Offset + Length);

    internal void Allocate(int capacity)
    {
        _bytes = _network.RentBytes();
        _bytes.Array = ArrayPool<byte>.Shared.Rent(capacity);
        _bytes.References = 1;
    }

    internal void ShareBytesOf(Packet other)
    {
        _bytes = other._bytes;
        Offset = other.Offset;
        Length = other.Length;
        if (_bytes != null)
            _bytes.References++;
    }

    /// <summary>Adds the bytes of another at the end.</summary>
    internal void Append(Packet other)
    {
        if (Room < other.Length || _bytes!.References > 1)
        {
            PacketBytes larger = _network.RentBytes();
            larger.Array = ArrayPool<byte>.Shared.Rent(2 * (Length + other.Length));
            larger.References = 1;
            Data.CopyTo(larger.Array);
            ReleaseBytes();
            _bytes = larger;
            Offset = 0;
        }

        other.Data.CopyTo(FreeSpace);
        Length += other.Length;
    }

    /// <summary>Cuts bytes off the front, which have come before.</summary>
    internal void TrimFront(int count)
    {
        Offset += count;
        Length -= count;
        Seq += count;
    }

    private void ReleaseBytes()
    {
        if (_bytes == null || --_bytes.References > 0)
            return;
        ArrayPool<byte>.Shared.Return(_bytes.Array);
        _network.ReturnBytes(_bytes);
    }

    internal void Clear()
    {
        ReleaseBytes();
        _bytes = null;
        Next = null;
        Stack = null;
        Path = null;
        Offset = Length = 0;
        Flags = TcpFlags.None;
        Segment = 0;
        WasRetransmitted = false;
    }
}

/// <summary>Bytes that packets share.</summary>
internal sealed class PacketBytes
{
    internal byte[] Array = [];
    internal int References;
}

/// <summary>Packets in order.</summary>
internal struct PacketQueue
{
    internal Packet? First;
    internal Packet? Last;

    internal readonly bool IsEmpty => First == null;

    internal void Add(Packet packet)
    {
        packet.Next = null;
        if (Last == null)
            First = packet;
        else
            Last.Next = packet;
        Last = packet;
    }

    internal Packet? Take()
    {
        Packet? packet = First;
        if (packet == null)
            return null;
        First = packet.Next;
        if (First == null)
            Last = null;
        packet.Next = null;
        return packet;
    }
}
