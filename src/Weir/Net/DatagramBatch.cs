using System.Buffers;
using System.Net;
using System.Runtime.CompilerServices;

namespace Weir.Net;

/// <summary>
/// Datagrams that are received or sent with one system call (recvmmsg(2), sendmmsg(2)), in memory that is used again and again. What was
/// received can be sent as it is: each datagram goes back to where it came from.
/// </summary>
/// <remarks>For the loop's thread, and for one operation at a time; while one waits the batch is not to be touched.</remarks>
public sealed unsafe class DatagramBatch : IDisposable
{
    private const int AddressRoom = RawSocketAddress.Capacity;

    // All of it is where the kernel reads and writes: it never moves, and lives as long as the batch.
    private readonly MessageEntry[] _entries;
    private readonly IoVector[] _vectors;
    private readonly byte[] _addresses;
    private readonly Memory<byte> _memory;
    private readonly byte* _bytes;
    private DatagramTrains? _trains;
    private MemoryHandle _pin;
    private int _count;
    private int _used; // entries whose lengths are not those of an empty one
    private bool _isDisposed;

    /// <summary>Makes a batch with memory of its own.</summary>
    /// <param name="capacity">The most datagrams; the kernel takes no more than 1024 with one call.</param>
    /// <param name="datagramSize">Bytes of room for each.</param>
    public DatagramBatch(int capacity, int datagramSize)
        : this(Allocate(capacity, datagramSize), datagramSize)
    {
    }

    /// <summary>
    /// Makes a batch in the caller's memory, cut into parts of <paramref name="datagramSize"/> bytes. The memory is pinned until
    /// <see cref="Dispose"/>.
    /// </summary>
    public DatagramBatch(Memory<byte> memory, int datagramSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(datagramSize);
        Capacity = memory.Length / datagramSize;
        if (Capacity is 0 or > MostDatagrams)
            throw new ArgumentException($"{memory.Length} bytes are room for {Capacity} datagrams of {datagramSize} bytes; a batch has 1 to {MostDatagrams}.", nameof(memory));
        DatagramSize = datagramSize;
        _memory = memory;
        _pin = memory.Pin();
        _bytes = (byte*)_pin.Pointer;
        _entries = GC.AllocateArray<MessageEntry>(Capacity, pinned: true);
        _vectors = GC.AllocateArray<IoVector>(Capacity, pinned: true);
        _addresses = GC.AllocateArray<byte>(Capacity * AddressRoom, pinned: true);
        for (int i = 0; i < Capacity; i++)
        {
            Vectors[i] = new IoVector { Base = _bytes + (nint)i * datagramSize, Length = (nuint)datagramSize };
            Entries[i].Header.Vectors = Vectors + i;
            Entries[i].Header.VectorCount = 1;
        }

        _used = Capacity;
    }

    /// <summary>UIO_MAXIOV: what recvmmsg(2) and sendmmsg(2) take at most.</summary>
    public const int MostDatagrams = 1024;

    /// <summary>The most datagrams it holds.</summary>
    public int Capacity { get; }

    /// <summary>Bytes of room for each.</summary>
    public int DatagramSize { get; }

    /// <summary>How many datagrams are in it: received, or to be sent. To be set to fewer, so that the last ones are not sent.</summary>
    public int Count
    {
        get => _count;
        set
        {
            ThrowIfInUse();
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, _count);
            _count = value;
        }
    }

    /// <summary>How many of them the last send has handed to the kernel: all, unless it failed or was cancelled.</summary>
    public int Sent { get; private set; }

    /// <summary>One of the datagrams.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are not so many.</exception>
    public DatagramInBatch this[int index]
    {
        get
        {
            if ((uint)index >= (uint)_count)
                throw new ArgumentOutOfRangeException(nameof(index), index, $"There are {_count} datagrams in the batch.");
            return new DatagramInBatch(this, index);
        }
    }

    internal bool IsInUse { get; set; }

    /// <summary>Bytes that the last call has moved.</summary>
    internal int Bytes { get; private set; }

    internal bool HasAddresses
    {
        get
        {
            for (int i = 0; i < _count; i++)
            {
                if (Entries[i].Header.NameLength != 0)
                    return true;
            }

            return false;
        }
    }

    private MessageEntry* Entries => (MessageEntry*)Unsafe.AsPointer(ref _entries[0]);

    private IoVector* Vectors => (IoVector*)Unsafe.AsPointer(ref _vectors[0]);

    private byte* AddressAt(int index) => (byte*)Unsafe.AsPointer(ref _addresses[0]) + index * AddressRoom;

    private static byte[] Allocate(int capacity, int datagramSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capacity, MostDatagrams);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(datagramSize);
        return GC.AllocateUninitializedArray<byte>(checked(capacity * datagramSize), pinned: true);
    }

    /// <summary>Empties it.</summary>
    public void Clear() => Count = 0;

    /// <summary>Adds a datagram to be sent, with its bytes yet to be written: into <see cref="DatagramInBatch.Memory"/> of the last one.</summary>
    /// <param name="length">Its bytes, 0 to <see cref="DatagramSize"/>.</param>
    /// <param name="to">Where it goes; null: to the peer that the socket is connected to.</param>
    /// <exception cref="InvalidOperationException">The batch is full.</exception>
    public DatagramInBatch Add(int length, SocketAddress? to = null)
    {
        ThrowIfInUse();
        if (_count == Capacity)
            throw new InvalidOperationException($"The batch is full: it has room for {Capacity} datagrams.");
        int index = _count++;
        _used = Math.Max(_used, _count);
        try
        {
            SetLength(index, length);
            SetAddress(index, to);
        }
        catch
        {
            _count--;
            throw;
        }

        return new DatagramInBatch(this, index);
    }

    /// <summary>Adds a datagram to be sent.</summary>
    /// <exception cref="ArgumentException">It is longer than <see cref="DatagramSize"/>.</exception>
    /// <exception cref="InvalidOperationException">The batch is full.</exception>
    public DatagramInBatch Add(ReadOnlySpan<byte> data, SocketAddress? to = null)
    {
        DatagramInBatch added = Add(data.Length, to);
        data.CopyTo(added.Memory.Span);
        return added;
    }

    /// <summary>Lets go of the caller's memory. What the batch still holds is not to be used any more.</summary>
    /// <exception cref="InvalidOperationException">An operation waits with it.</exception>
    public void Dispose()
    {
        if (_isDisposed)
            return;
        ThrowIfInUse();
        _isDisposed = true;
        _count = 0;
        _pin.Dispose();
    }

    internal void ThrowIfInUse()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (IsInUse)
            throw new BusyResourceException("The batch is in use by an operation that waits; one at a time.");
    }

    // One datagram

    internal Memory<byte> RoomOf(int index) => _memory.Slice(index * DatagramSize, DatagramSize);

    internal int LengthOf(int index) => (int)Vectors[index].Length;

    internal MessageFlags FlagsOf(int index) => Entries[index].Header.Flags;

    internal ReadOnlySpan<byte> AddressOf(int index)
        => Entries[index].Header.Name == null ? default : new ReadOnlySpan<byte>(AddressAt(index), (int)Math.Min(Entries[index].Header.NameLength, AddressRoom));

    internal void SetLength(int index, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, DatagramSize);
        Vectors[index].Length = (nuint)length;
        Entries[index].Header.Flags = MessageFlags.None;
    }

    internal void SetAddress(int index, SocketAddress? to)
    {
        ref MessageHeader header = ref Entries[index].Header;
        header.Name = null;
        header.NameLength = 0;
        if (to == null)
            return;
        ReadOnlySpan<byte> bytes = to.Buffer.Span[..to.Size];
        if (bytes.Length > AddressRoom)
            throw new ArgumentException($"A socket address has at most {AddressRoom} bytes; this one has {bytes.Length}.", nameof(to));
        bytes.CopyTo(new Span<byte>(AddressAt(index), AddressRoom));
        header.Name = AddressAt(index);
        header.NameLength = (uint)bytes.Length;
    }

    // Calls

    /// <summary>Takes what is there with one call. The number of datagrams, or a negated errno.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="fd">The socket.</param>
    /// <param name="trains">Where several datagrams may come as one message: what is received goes there first. Null: each comes by itself.</param>
    internal int Receive(Kernel kernel, int fd, ReceivedTrains? trains = null)
    {
        MessageEntry* entries = Entries;
        IoVector* vectors = Vectors;
        for (int i = 0; i < _used; i++)
        {
            entries[i].Header.Name = AddressAt(i);
            entries[i].Header.NameLength = AddressRoom;
            vectors[i].Length = (nuint)DatagramSize;
        }

        _used = _count = 0;
        if (trains != null)
            return TakeFrom(trains, kernel, fd);
        int result;
        do
            result = kernel.ReceiveMessages(fd, entries, (uint)Capacity, MessageFlags.DontWait);
        while (result == -(int)Errno.EINTR);
        int bytes = 0;
        for (int i = 0; i < result; i++)
        {
            int length = (int)Math.Min(entries[i].Length, (uint)DatagramSize);
            vectors[i].Length = (nuint)length;
            if (entries[i].Header.NameLength == 0)
                entries[i].Header.Name = null; // an unnamed unix socket, or a peer of a pair
            bytes += length;
        }

        Bytes = bytes;
        _used = _count = Math.Max(0, result);
        return result;
    }

    // What is there of messages received before, else of those that one call receives now.
    private int TakeFrom(ReceivedTrains trains, Kernel kernel, int fd)
    {
        Bytes = 0;
        int result = trains.Fill(kernel, fd);
        if (result < 0)
            return result;
        while (_count < Capacity && !trains.IsEmpty)
        {
            ReadOnlySpan<byte> datagram = trains.Next(out ReadOnlySpan<byte> address, out _);
            int length = Math.Min(datagram.Length, DatagramSize);
            datagram[..length].CopyTo(new Span<byte>(Vectors[_count].Base, DatagramSize));
            SetLength(_count, length);
            ref MessageHeader header = ref Entries[_count].Header;
            if (length < datagram.Length)
                header.Flags = MessageFlags.Truncated;
            address.CopyTo(new Span<byte>(AddressAt(_count), AddressRoom));
            header.NameLength = (uint)address.Length;
            header.Name = address.IsEmpty ? null : AddressAt(_count);
            Bytes += length;
            _count++;
        }

        return _used = _count;
    }

    /// <summary>To be sent from the first on.</summary>
    internal void BeginSend()
    {
        Sent = 0;
        Bytes = 0;
    }

    /// <summary>Sends what is left until all is sent, the kernel has no room, or one fails. The number of datagrams, or a negated errno.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="fd">The socket.</param>
    /// <param name="mostSegment">
    /// Datagrams up to this length may go to the kernel as one message that it cuts up; 0: none. Lowered when the kernel, or the device on the way, cannot.
    /// </param>
    internal int Send(Kernel kernel, int fd, ref int mostSegment)
    {
        int bytes = 0;
        while (Sent < _count)
        {
            MessageEntry* entries = Entries + Sent;
            int messages = _count - Sent;
            // Where nothing is to be put together (unix sockets never), the entries go as they are.
            DatagramTrains? trains = mostSegment > 0 ? _trains ??= new DatagramTrains(Capacity) : null;
            if (trains != null)
            {
                messages = trains.Compose(entries, messages, mostSegment);
                entries = trains.Entries;
            }

            int result = kernel.SendMessages(fd, entries, (uint)messages, MessageFlags.DontWait | MessageFlags.NoSignal);
            if (result == -(int)Errno.EINTR)
                continue;
            if (result < 0 && trains?.CountOf(0) > 1 && IsAboutSegments((Errno)(-result)))
            {
                mostSegment = LengthOf(Sent) - 1;
                continue;
            }

            if (result < 0)
                return result;
            for (int i = 0; i < result; i++)
            {
                bytes += (int)entries[i].Length;
                Sent += trains?.CountOf(i) ?? 1;
            }
        }

        Bytes = bytes;
        return Sent;
    }

    // Longer than a packet of that device (EMSGSIZE, EINVAL before), no checksums by the device (EIO); or what each of them would fail with alone.
    private static bool IsAboutSegments(Errno errno) => errno is Errno.EINVAL or Errno.EMSGSIZE or Errno.EIO or Errno.EOPNOTSUPP or Errno.ENOPROTOOPT;
}
