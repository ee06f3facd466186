using System.Buffers.Binary;
using System.Net;

namespace Weir.Simulation;

/// <summary>An address of either version: one of version 4 is kept as its mapped form (::ffff:a.b.c.d), as dual sockets see it.</summary>
internal readonly record struct IpAddress(ulong High, ulong Low)
{
    private const ulong Mapped = 0x0000FFFF_00000000;

    internal static IpAddress Any6 => default;

    internal static IpAddress Any4 => new(0, Mapped);

    internal static IpAddress Loopback6 => new(0, 1);

    internal static IpAddress Loopback4 => new(0, Mapped | 0x7F000001);

    internal bool IsV4 => High == 0 && Low >> 32 == 0xFFFF;

    internal bool IsAny => High == 0 && Low is 0 or Mapped;

    internal bool IsLoopback => IsV4 ? (Low >> 24 & 0xFF) == 0x7F : this == Loopback6;

    internal bool IsMulticast => IsV4 ? (Low >> 28 & 0xF) == 0xE : High >> 56 == 0xFF;

    /// <summary>From network order: 4 bytes or 16.</summary>
    internal static IpAddress From(ReadOnlySpan<byte> bytes) => bytes.Length == 4
        ? new(0, Mapped | BinaryPrimitives.ReadUInt32BigEndian(bytes))
        : new(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]));

    internal static IpAddress From(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int length);
        return From(bytes[..length]);
    }

    /// <summary>16 bytes in network order.</summary>
    internal void WriteTo(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64BigEndian(bytes, High);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], Low);
    }

    internal IPAddress ToFramework()
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, High);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], Low);
        return new IPAddress(IsV4 ? bytes[12..] : bytes);
    }

    public override int GetHashCode() => HashCode.Combine(High, Low);

    public override string ToString() => ToFramework().ToString();
}

/// <summary>An address and a port, with their translation from and to sockaddr_in and sockaddr_in6.</summary>
internal readonly record struct InetEndPoint(IpAddress Address, ushort Port)
{
    private const int Inet4Length = 16;
    private const int Inet6Length = 28;
    private const int LeastInet6Length = 24; // SIN6_LEN_RFC2133

    internal static SocketDomain Family(ReadOnlySpan<byte> address)
        => address.Length < 2 ? SocketDomain.Unspecified : (SocketDomain)BinaryPrimitives.ReadUInt16LittleEndian(address);

    /// <summary>The end point that an address names for a socket of a family; else the negated errno.</summary>
    internal static int TryRead(SocketDomain domain, ReadOnlySpan<byte> address, out InetEndPoint endPoint)
    {
        endPoint = default;
        if (address.Length < (domain == SocketDomain.Inet ? Inet4Length : LeastInet6Length))
            return -(int)Errno.EINVAL;
        if (Family(address) != domain)
            return -(int)Errno.EAFNOSUPPORT;
        endPoint = Read(address);
        return 0;
    }

    /// <summary>The end point in an address of known family and sufficient length.</summary>
    internal static InetEndPoint Read(ReadOnlySpan<byte> address)
    {
        ReadOnlySpan<byte> bytes = Family(address) == SocketDomain.Inet ? address.Slice(4, 4) : address.Slice(8, 16);
        return new(IpAddress.From(bytes), BinaryPrimitives.ReadUInt16BigEndian(address[2..]));
    }

    /// <summary>As a socket of a family shows it.</summary>
    internal byte[] Write(SocketDomain domain)
    {
        var bytes = new byte[domain == SocketDomain.Inet ? Inet4Length : Inet6Length];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)domain);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), Port);
        if (domain == SocketDomain.Inet)
        {
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), (uint)Address.Low);
        }
        else
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(8), Address.High);
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(16), Address.Low);
        }

        return bytes;
    }

    public override string ToString() => Address.IsV4 ? $"{Address}:{Port}" : $"[{Address}]:{Port}";
}
