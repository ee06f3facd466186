using System.Net;
using System.Runtime.CompilerServices;

namespace Weir.Net;

/// <summary>
/// Datagrams as the kernel hands them over where it may leave several in one message (UDP_GRO, udp(7)): received many at once, kept here, and given
/// out one by one. The other end of <see cref="DatagramTrains"/>.
/// </summary>
internal sealed unsafe class ReceivedTrains
{
    private const int Messages = 16; // with one call
    private const int MessageRoom = 65_536; // no message is longer, so none is cut off; pages that none reaches are never touched
    private const int ControlRoom = 256;
    private const int AddressRoom = RawSocketAddress.Capacity;

    // The kernel writes all of it.
    private readonly MessageEntry[] _entries = GC.AllocateArray<MessageEntry>(Messages, pinned: true);
    private readonly IoVector[] _vectors = GC.AllocateArray<IoVector>(Messages, pinned: true);
    private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(Messages * MessageRoom, pinned: true);
    private readonly byte[] _addresses = GC.AllocateArray<byte>(Messages * AddressRoom, pinned: true);
    private readonly byte[] _controls = GC.AllocateArray<byte>(Messages * ControlRoom, pinned: true);
    private int _count;
    private int _message; // the one that the next datagram comes from
    private int _offset; // and where it begins there
    private int _segment; // and how long it is, unless it is the last

    /// <summary>Nothing is left: the next receive asks the kernel.</summary>
    internal bool IsEmpty => _message == _count;

    private MessageEntry* Entries => (MessageEntry*)Unsafe.AsPointer(ref _entries[0]);

    private Span<byte> ControlOf(int message) => _controls.AsSpan(message * ControlRoom, (int)Entries[message].Header.ControlLength);

    /// <summary>Asks the kernel, if nothing is left. The number of messages, 0: something was left, or a negated errno.</summary>
    internal int Fill(Kernel kernel, int fd)
    {
        if (!IsEmpty)
            return 0;
        for (int i = 0; i < Messages; i++)
        {
            _vectors[i] = new IoVector { Base = Unsafe.AsPointer(ref _bytes[i * MessageRoom]), Length = MessageRoom };
            ref MessageHeader header = ref _entries[i].Header;
            header.Name = Unsafe.AsPointer(ref _addresses[i * AddressRoom]);
            header.NameLength = AddressRoom;
            header.Vectors = (IoVector*)Unsafe.AsPointer(ref _vectors[i]);
            header.VectorCount = 1;
            header.Control = Unsafe.AsPointer(ref _controls[i * ControlRoom]);
            header.ControlLength = ControlRoom;
        }

        _message = _count = 0;
        int result;
        do
            result = kernel.ReceiveMessages(fd, Entries, Messages, MessageFlags.DontWait);
        while (result == -(int)Errno.EINTR);
        _count = Math.Max(0, result);
        Begin(0);
        return result;
    }

    // The first datagram of a message is next.
    private void Begin(int message)
    {
        _message = message;
        _offset = 0;
        if (IsEmpty)
            return;
        _segment = (int)_entries[message].Length;
        var controls = new ControlMessageReader(ControlOf(message));
        if (controls.MoveTo(SocketLevel.Udp, ControlMessageType.UdpReceiveSegment) && controls.Current.TryRead(out int segment) && segment > 0)
            _segment = segment;
    }

    /// <summary>Gives out the next datagram; there is one. Its bytes, and the address that it came from, are valid until more is received.</summary>
    internal ReadOnlySpan<byte> Next(out ReadOnlySpan<byte> address, out int message)
    {
        message = _message;
        int whole = (int)_entries[message].Length, length = Math.Min(_segment, whole - _offset);
        ReadOnlySpan<byte> datagram = _bytes.AsSpan(message * MessageRoom + _offset, length);
        address = _addresses.AsSpan(message * AddressRoom, (int)Math.Min(_entries[message].Header.NameLength, AddressRoom));
        _offset += length;
        if (_offset == whole)
            Begin(message + 1);
        return datagram;
    }

    /// <summary>Receives a datagram as recvmsg(2) would. Its bytes, or a negated errno.</summary>
    internal int Receive(Kernel kernel, int fd, Span<byte> buffer, SocketAddress? from, AncillaryData? ancillary, out MessageFlags flags)
    {
        flags = MessageFlags.None;
        int result = Fill(kernel, fd);
        if (result < 0)
            return result;
        ReadOnlySpan<byte> datagram = Next(out ReadOnlySpan<byte> address, out int message);
        int length = Math.Min(datagram.Length, buffer.Length);
        datagram[..length].CopyTo(buffer);
        if (length < datagram.Length)
            flags |= MessageFlags.Truncated;
        if (from != null)
        {
            address[..Math.Min(address.Length, from.Buffer.Length)].CopyTo(from.Buffer.Span);
            from.Size = Math.Min(address.Length, from.Buffer.Length);
        }

        if (ancillary != null)
            CopyControls(message, ancillary, ref flags);
        return length;
    }

    // What came with the message holds for each of its datagrams; their length does not concern who gets one.
    private void CopyControls(int message, AncillaryData ancillary, ref MessageFlags flags)
    {
        var writer = new ControlMessageWriter(ancillary.Buffer);
        bool fits = (_entries[message].Header.Flags & MessageFlags.ControlTruncated) == 0;
        foreach (ControlMessage control in new ControlMessageReader(ControlOf(message)))
        {
            if (!control.Is(SocketLevel.Udp, ControlMessageType.UdpReceiveSegment))
                fits &= writer.TryAdd(control.Level, control.Type, control.Data);
        }

        if (!fits)
            flags |= MessageFlags.ControlTruncated;
        ancillary.Length = writer.Length;
        ancillary.Flags = flags;
    }
}
