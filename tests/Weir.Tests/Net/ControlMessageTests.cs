using System.Net;
using System.Runtime.InteropServices;
using Weir.Net;

namespace Weir.Tests;

public sealed class ControlMessageTests
{
    [Fact]
    public void What_was_written_is_read_in_order()
    {
        Span<byte> buffer = stackalloc byte[256];
        var writer = new ControlMessageWriter(buffer);
        Assert.True(writer.TryAdd(SocketLevel.Socket, ControlMessageType.SocketRights, MemoryMarshal.AsBytes<int>([3, 4, 5])));
        Assert.True(writer.TryAdd(SocketLevel.Ip, ControlMessageType.IpTimeToLive, 64));
        Assert.True(writer.TryAdd(SocketLevel.Ip, ControlMessageType.IpTypeOfService, [7]));
        Assert.Equal(32 + 24 + 24, writer.Length);

        var reader = new ControlMessageReader(buffer[..writer.Length]);
        Assert.True(reader.MoveNext());
        Assert.True(reader.Current.Is(SocketLevel.Socket, ControlMessageType.SocketRights));
        Assert.Equal([3, 4, 5], MemoryMarshal.Cast<byte, int>(reader.Current.Data).ToArray());
        Assert.True(reader.MoveNext());
        Assert.True(reader.Current.TryRead(out int hops));
        Assert.Equal(64, hops);
        Assert.True(reader.MoveNext());
        Assert.Equal([7], reader.Current.Data.ToArray());
        Assert.False(reader.Current.TryRead(out int _));
        Assert.False(reader.MoveNext());
    }

    [Fact]
    public void A_message_without_room_is_not_begun()
    {
        Span<byte> buffer = stackalloc byte[47];
        buffer.Fill(0xA5);
        var writer = new ControlMessageWriter(buffer);
        Assert.True(writer.TryAdd(SocketLevel.Ip, ControlMessageType.IpTimeToLive, 1));
        Assert.False(writer.TryAdd(SocketLevel.Ip, ControlMessageType.IpTimeToLive, 2));
        Assert.Equal(24, writer.Length);
        Assert.Equal(-1, buffer[24..].IndexOfAnyExcept((byte)0xA5));
    }

    [Fact]
    public void Padding_is_zeroed()
    {
        Span<byte> buffer = stackalloc byte[24];
        buffer.Fill(0xA5);
        Assert.True(new ControlMessageWriter(buffer).TryAdd(SocketLevel.Ip, ControlMessageType.IpTypeOfService, [7]));
        Assert.Equal(-1, buffer[17..].IndexOfAnyExcept((byte)0));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(15)]
    [InlineData(25)]
    [InlineData(-1)]
    public void A_length_that_cannot_be_ends_the_row(long length)
    {
        Span<byte> buffer = stackalloc byte[24];
        MemoryMarshal.Write(buffer, length);
        Assert.False(new ControlMessageReader(buffer).MoveNext());
    }

    [Fact]
    public void The_last_message_need_not_be_padded()
    {
        Span<byte> buffer = stackalloc byte[32];
        var writer = new ControlMessageWriter(buffer);
        Assert.True(writer.TryAdd(SocketLevel.Ip, ControlMessageType.IpTypeOfService, [7]));
        var reader = new ControlMessageReader(buffer[..17]);
        Assert.True(reader.MoveNext());
        Assert.Equal([7], reader.Current.Data.ToArray());
        Assert.False(reader.MoveNext());
    }

    [Theory]
    [InlineData("10.1.2.3", 2)]
    [InlineData("fe80::1", 7)]
    public void Packet_information_is_laid_out_as_the_kernel_reads_it(string address, int index)
    {
        Span<byte> buffer = stackalloc byte[64];
        var writer = new ControlMessageWriter(buffer);
        IPAddress source = IPAddress.Parse(address);
        Assert.True(new PacketInfo(source, index).TryAddTo(ref writer));
        var reader = new ControlMessageReader(buffer[..writer.Length]);
        Assert.True(reader.MoveNext());
        ReadOnlySpan<byte> data = reader.Current.Data;
        byte[] bytes = source.GetAddressBytes();
        bool isV4 = bytes.Length == 4;
        Assert.Equal(isV4 ? 12 : 20, data.Length);
        Assert.Equal(bytes, data.Slice(isV4 ? 4 : 0, bytes.Length).ToArray()); // ipi_spec_dst, ipi6_addr
        Assert.Equal(index, MemoryMarshal.Read<int>(data[(isV4 ? 0 : 16)..]));
    }

    [Fact]
    public void Ancillary_data_says_when_it_is_full_and_can_be_used_again()
    {
        var ancillary = new AncillaryData(40);
        ancillary.Add(SocketLevel.Ip, ControlMessageType.IpTimeToLive, 9);
        Assert.Throws<ArgumentException>(() => ancillary.Add(SocketLevel.Ip, ControlMessageType.IpTimeToLive, 10));
        Assert.Equal(24, ancillary.Length);
        Assert.True(ancillary.Messages.MoveTo(SocketLevel.Ip, ControlMessageType.IpTimeToLive));
        ancillary.Clear();
        Assert.False(ancillary.Messages.MoveNext());
        Assert.Throws<ArgumentOutOfRangeException>(() => new AncillaryData(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => ControlMessages.SpaceFor(-1));
    }
}
