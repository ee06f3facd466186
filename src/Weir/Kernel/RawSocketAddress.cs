using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Weir;

/// <summary>
/// A socket address as the kernel lays it out (sockaddr_in, sockaddr_in6, sockaddr_un), and its translation to and from the
/// framework's end points. A value: 128 bytes on the stack, no allocation until an end point is asked for.
/// </summary>
public unsafe struct RawSocketAddress
{
    /// <summary>The capacity in bytes: that of struct sockaddr_storage, which holds every kind of address.</summary>
    public const int Capacity = 128;

    private const int PathOffset = 2;
    private const int PathCapacity = 108;

    private Storage _bytes;

    /// <summary>How many bytes of the address are meaningful; before a call that fills it in, the capacity.</summary>
    public uint Length;

    [InlineArray(Capacity)]
    private struct Storage
    {
        private byte _first;
    }

    /// <summary>An address to be filled in by the kernel.</summary>
    public static RawSocketAddress Empty => new() { Length = Capacity };

    /// <summary>The bytes; valid while the value stays where it is (a local, or pinned).</summary>
    public void* Pointer => Unsafe.AsPointer(ref _bytes);

    /// <summary>The address family.</summary>
    public readonly SocketDomain Domain => Length < 2 ? SocketDomain.Unspecified : (SocketDomain)MemoryMarshal.Read<ushort>(Bytes);

    /// <summary>The meaningful bytes.</summary>
    public readonly ReadOnlySpan<byte> Bytes => MemoryMarshal.CreateReadOnlySpan(in Unsafe.As<Storage, byte>(ref Unsafe.AsRef(in _bytes)), (int)Math.Min(Length, Capacity));

    /// <summary>
    /// The address of an <see cref="IPEndPoint"/> or <see cref="UnixDomainSocketEndPoint"/> (a path, or an abstract name that begins with
    /// a zero character).
    /// </summary>
    /// <exception cref="ArgumentException">Another kind of end point (resolve names first), or a path too long.</exception>
    public static RawSocketAddress From(EndPoint endPoint)
    {
        ArgumentNullException.ThrowIfNull(endPoint);
        RawSocketAddress address = default;
        switch (endPoint)
        {
            case IPEndPoint { AddressFamily: AddressFamily.InterNetwork } ip:
                address.WriteFamily(SocketDomain.Inet);
                BinaryPrimitives.WriteUInt16BigEndian(address._bytes[2..], (ushort)ip.Port);
                ip.Address.TryWriteBytes(address._bytes[4..], out _);
                address.Length = 16;
                return address;
            case IPEndPoint ip:
                address.WriteFamily(SocketDomain.Inet6);
                BinaryPrimitives.WriteUInt16BigEndian(address._bytes[2..], (ushort)ip.Port);
                ip.Address.TryWriteBytes(address._bytes[8..], out _);
                MemoryMarshal.Write(address._bytes[24..], (uint)ip.Address.ScopeId);
                address.Length = 28;
                return address;
            case UnixDomainSocketEndPoint unix:
                address.WriteUnix(UnixPath(unix));
                return address;
            default:
                throw new ArgumentException($"{endPoint.GetType().Name} '{endPoint}' is no address: resolve it to an IPEndPoint or use a UnixDomainSocketEndPoint.", nameof(endPoint));
        }
    }

    /// <summary>The address that these bytes are; more than the capacity is cut off.</summary>
    internal static RawSocketAddress FromBytes(ReadOnlySpan<byte> bytes)
    {
        RawSocketAddress address = default;
        address.Length = (uint)Math.Min(bytes.Length, Capacity);
        bytes[..(int)address.Length].CopyTo(address._bytes);
        return address;
    }

    /// <summary>The end point, or null for an unnamed unix socket and for families this type does not know.</summary>
    public readonly EndPoint? ToEndPoint()
    {
        ReadOnlySpan<byte> bytes = Bytes;
        switch (Domain)
        {
            case SocketDomain.Inet when bytes.Length >= 8:
                return new IPEndPoint(new IPAddress(bytes.Slice(4, 4)), BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]));
            case SocketDomain.Inet6 when bytes.Length >= 28:
                return new IPEndPoint(new IPAddress(bytes.Slice(8, 16), MemoryMarshal.Read<uint>(bytes[24..])), BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]));
            case SocketDomain.Unix when bytes.Length > PathOffset:
                ReadOnlySpan<byte> path = bytes[PathOffset..];
                if (path[0] != 0 && path.IndexOf((byte)0) is int end and >= 0)
                    path = path[..end];
                string text = Encoding.UTF8.GetString(path);
                return new UnixDomainSocketEndPoint(text);
            default:
                return null;
        }
    }

    private void WriteFamily(SocketDomain domain) => MemoryMarshal.Write(_bytes[..], (ushort)domain);

    // The framework shows the name of an abstract socket with '@' for the leading zero; the serialized form has the real bytes.
    private static ReadOnlySpan<byte> UnixPath(UnixDomainSocketEndPoint endPoint)
    {
        SocketAddress serialized = endPoint.Serialize();
        ReadOnlySpan<byte> bytes = serialized.Buffer.Span[PathOffset..serialized.Size];
        if (bytes.Length > 1 && bytes[0] != 0 && bytes[^1] == 0)
            bytes = bytes[..^1];
        return bytes;
    }

    private void WriteUnix(ReadOnlySpan<byte> path)
    {
        bool isAbstract = path.Length > 0 && path[0] == 0;
        if (path.Length + (isAbstract ? 0 : 1) > PathCapacity)
            throw new ArgumentException($"A unix socket path has at most {PathCapacity - 1} bytes; this one has {path.Length}.");
        WriteFamily(SocketDomain.Unix);
        path.CopyTo(_bytes[PathOffset..]);
        // A path counts with its terminating zero; an abstract name is exactly as long as it says (unix(7)).
        Length = (uint)(PathOffset + path.Length + (isAbstract ? 0 : 1));
    }
}
