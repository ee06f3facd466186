using System.Runtime.CompilerServices;

namespace Weir.Net;

/// <summary>
/// Datagrams of a batch as they are handed to the kernel: those of one length in a row that go to one place as a single message, which the
/// kernel cuts up again as late as it can (UDP_SEGMENT, udp(7)), so that all of them pass through the network's layers as one.
/// </summary>
internal sealed unsafe class DatagramTrains
{
    /// <summary>UDP_MAX_SEGMENTS of the kernels before 6.9; 128 since.</summary>
    private const int MostDatagrams = 64;

    /// <summary>What is left of an IP packet of version 4 for a datagram's bytes.</summary>
    private const int MostBytes = 65_507;

    private static readonly int ControlSize = ControlMessages.SpaceFor(sizeof(ushort));

    // The kernel reads all of it.
    private readonly MessageEntry[] _entries;
    private readonly byte[] _controls;
    private readonly int[] _counts;

    internal DatagramTrains(int capacity)
    {
        _entries = GC.AllocateArray<MessageEntry>(capacity, pinned: true);
        _controls = GC.AllocateArray<byte>(capacity * ControlSize, pinned: true);
        _counts = new int[capacity];
    }

    internal MessageEntry* Entries => (MessageEntry*)Unsafe.AsPointer(ref _entries[0]);

    private byte* ControlAt(int index) => (byte*)Unsafe.AsPointer(ref _controls[0]) + index * ControlSize;

    /// <summary>How many datagrams a message stands for.</summary>
    internal int CountOf(int message) => _counts[message];

    /// <summary>Puts datagrams together; those longer than <paramref name="mostSegment"/> stay by themselves.</summary>
    /// <param name="datagrams">One entry each; entry and vector of the next one follow.</param>
    /// <param name="count">How many.</param>
    /// <param name="mostSegment">The longest that the kernel is known to make of a message.</param>
    /// <returns>How many messages.</returns>
    internal int Compose(MessageEntry* datagrams, int count, int mostSegment)
    {
        int messages = 0;
        for (int first = 0; first < count; messages++)
        {
            int length = Length(datagrams + first), train = 1;
            if (length > 0 && length <= mostSegment)
            {
                int most = Math.Min(Math.Min(count - first, MostDatagrams), MostBytes / length);
                int last = length;
                // The last one of a train, and no other, may be shorter.
                while (train < most && last == length && Length(datagrams + first + train) is > 0 and var next && next <= length && GoTogether(datagrams + first, datagrams + first + train))
                {
                    last = next;
                    train++;
                }
            }

            Put(messages, datagrams + first, train, length);
            first += train;
        }

        return messages;
    }

    private static int Length(MessageEntry* datagram) => (int)datagram->Header.Vectors->Length;

    private static bool GoTogether(MessageEntry* one, MessageEntry* other)
        => one->Header.NameLength == other->Header.NameLength
            && new ReadOnlySpan<byte>(one->Header.Name, (int)one->Header.NameLength).SequenceEqual(new ReadOnlySpan<byte>(other->Header.Name, (int)other->Header.NameLength));

    private void Put(int message, MessageEntry* first, int count, int length)
    {
        MessageEntry* entry = Entries + message;
        *entry = *first;
        _counts[message] = count;
        if (count == 1)
            return;
        entry->Header.VectorCount = (nuint)count;
        entry->Header.Control = ControlAt(message);
        entry->Header.ControlLength = (nuint)ControlSize;
        new ControlMessageWriter(new Span<byte>(ControlAt(message), ControlSize)).TryAdd(SocketLevel.Udp, ControlMessageType.UdpSegment, (ushort)length);
    }
}
