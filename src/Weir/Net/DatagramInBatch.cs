using System.Net;

namespace Weir.Net;

/// <summary>One datagram of a <see cref="DatagramBatch"/>; valid until the batch is used for the next call.</summary>
public readonly struct DatagramInBatch
{
    private readonly DatagramBatch _batch;
    private readonly int _index;

    internal DatagramInBatch(DatagramBatch batch, int index)
    {
        _batch = batch;
        _index = index;
    }

    /// <summary>Its bytes.</summary>
    public Memory<byte> Memory => _batch.RoomOf(_index)[..Length];

    /// <summary>The room it has, whatever its length.</summary>
    public Memory<byte> Room => _batch.RoomOf(_index);

    /// <summary>Its bytes' number; 0 is an empty datagram.</summary>
    public int Length => _batch.LengthOf(_index);

    /// <summary>Of a received one: <see cref="MessageFlags.Truncated"/> if its end was cut off.</summary>
    public MessageFlags Flags => _batch.FlagsOf(_index) & (MessageFlags.Truncated | MessageFlags.ControlTruncated | MessageFlags.OutOfBand);

    /// <summary>The datagram was longer than its room, and its end is lost.</summary>
    public bool IsTruncated => (Flags & MessageFlags.Truncated) != 0;

    /// <summary>The bytes of the address it came from or goes to, as the kernel lays them out; empty: none.</summary>
    public ReadOnlySpan<byte> Address => _batch.AddressOf(_index);

    /// <summary>The address it came from or goes to; null: none. Allocates.</summary>
    public EndPoint? EndPoint
    {
        get
        {
            RawSocketAddress address = RawSocketAddress.FromBytes(Address);
            return address.ToEndPoint();
        }
    }

    /// <summary>Copies the address it came from or goes to.</summary>
    /// <exception cref="ArgumentException">The address does not fit.</exception>
    public void CopyAddressTo(SocketAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        ReadOnlySpan<byte> bytes = Address;
        if (!bytes.TryCopyTo(address.Buffer.Span))
            throw new ArgumentException($"The address has {bytes.Length} bytes, and there is room for {address.Buffer.Length}.", nameof(address));
        address.Size = bytes.Length;
    }

    /// <summary>Says how many bytes are to be sent, 0 to <see cref="DatagramBatch.DatagramSize"/>.</summary>
    public void SetLength(int length)
    {
        _batch.ThrowIfInUse();
        _batch.SetLength(_index, length);
    }

    /// <summary>Says where it goes; null: to the peer that the socket is connected to.</summary>
    public void SetAddress(SocketAddress? to)
    {
        _batch.ThrowIfInUse();
        _batch.SetAddress(_index, to);
    }
}
