using System.Runtime.InteropServices;

namespace Weir.Net;

/// <summary>
/// What travels beside a datagram: control messages, to be sent with it or received with it, in a buffer that is used again and again.
/// </summary>
/// <remarks>For one operation at a time; what a receive has left is valid until the next.</remarks>
public sealed class AncillaryData
{
    private readonly byte[] _buffer;
    private int _length;

    /// <summary>Makes a buffer.</summary>
    /// <param name="capacity">
    /// Bytes; <see cref="ControlMessages.SpaceFor"/> says what a message takes up. Defaults to 256, which holds packet information, times and
    /// hop limits of one datagram. What does not fit is cut off by the kernel.
    /// </param>
    public AncillaryData(int capacity = 256)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        _buffer = GC.AllocateArray<byte>(capacity, pinned: true);
    }

    /// <summary>Bytes it has room for.</summary>
    public int Capacity => _buffer.Length;

    /// <summary>Bytes of control messages in it.</summary>
    public int Length
    {
        get => _length;
        internal set
        {
            _length = value;
            NamesSender = false;
        }
    }

    /// <summary>
    /// Of a received datagram: <see cref="MessageFlags.Truncated"/> if its end was cut off, <see cref="MessageFlags.ControlTruncated"/> if
    /// control messages were.
    /// </summary>
    public MessageFlags Flags { get; internal set; }

    /// <summary>The control messages in it, in order.</summary>
    public ControlMessageReader Messages => new(_buffer.AsSpan(0, _length));

    internal Span<byte> Buffer => _buffer;

    /// <summary>Whether credentials are to be sent with it.</summary>
    internal bool NamesSender { get; private set; }

    /// <summary>Empties it.</summary>
    public void Clear()
    {
        Length = 0;
        Flags = MessageFlags.None;
    }

    /// <summary>Adds a message to be sent.</summary>
    /// <exception cref="ArgumentException">There is no room for it.</exception>
    public void Add(SocketLevel level, ControlMessageType type, ReadOnlySpan<byte> data)
    {
        var writer = new ControlMessageWriter(_buffer, _length);
        Added(writer.TryAdd(level, type, data), writer);
        NamesSender |= (level, type) == (SocketLevel.Socket, ControlMessageType.SocketCredentials);
    }

    /// <summary>Adds a message to be sent whose data is one value.</summary>
    /// <exception cref="ArgumentException">There is no room for it.</exception>
    public void Add<T>(SocketLevel level, ControlMessageType type, T value)
        where T : unmanaged
        => Add(level, type, MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(ref value, 1)));

    /// <summary>Has the datagram leave from an address and an interface.</summary>
    /// <exception cref="ArgumentException">There is no room for it.</exception>
    public void Add(in PacketInfo source)
    {
        var writer = new ControlMessageWriter(_buffer, _length);
        Added(source.TryAddTo(ref writer), writer);
    }

    /// <summary>
    /// Says who sends a datagram over a unix socket (SCM_CREDENTIALS), which the kernel checks as <see cref="Connection.SendCredentialsAsync"/> says.
    /// </summary>
    /// <exception cref="ArgumentException">There is no room for it.</exception>
    public void Add(ProcessCredentials sender) => Add(SocketLevel.Socket, ControlMessageType.SocketCredentials, sender);

    private void Added(bool fits, in ControlMessageWriter writer)
    {
        if (!fits)
            throw new ArgumentException($"The buffer has room for {Capacity} bytes of control messages, and {_length} are in it: make a larger one.");
        _length = writer.Length;
    }
}
