using System.Buffers.Binary;
using System.Text;
using Weir.Net;

namespace ReplicatedStore;

/// <summary>
/// Messages as bytes, little-endian: the length of what follows (4 bytes), kind (1), id (8), key, counter (8), writer (8), whether there is a value (1), value.
/// Strings are UTF-8 with their length before them, as <see cref="BinaryWriter"/> writes them.
/// </summary>
public static class Wire
{
    private const int HeaderLength = sizeof(int), LargestMessage = 1 << 20;

    public static async ValueTask SendAsync(Connection connection, Message message, CancellationToken cancellationToken)
        => await connection.WriteAsync(Encode(message), cancellationToken);

    /// <summary>The next message.</summary>
    /// <exception cref="EndOfStreamException">The peer has ended the connection.</exception>
    /// <exception cref="IOException">What came is no message.</exception>
    public static async ValueTask<Message> ReceiveAsync(Connection connection, CancellationToken cancellationToken)
    {
        byte[] header = new byte[HeaderLength];
        await connection.ReadExactlyAsync(header, cancellationToken);
        int length = BinaryPrimitives.ReadInt32LittleEndian(header);
        if (length is <= 0 or > LargestMessage)
            throw new IOException($"A message of {length} bytes: that is none.");
        byte[] body = new byte[length];
        await connection.ReadExactlyAsync(body, cancellationToken);
        return Decode(body);
    }

    /// <summary>A message with its length before it.</summary>
    public static byte[] Encode(Message message)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes, Encoding.UTF8);
        writer.Write(0); // the length, once it is known
        writer.Write((byte)message.Kind);
        writer.Write(message.Id);
        writer.Write(message.Key);
        writer.Write(message.Versioned.Timestamp.Counter);
        writer.Write(message.Versioned.Timestamp.Writer);
        writer.Write(message.Versioned.Value != null);
        if (message.Versioned.Value != null)
            writer.Write(message.Versioned.Value);
        byte[] encoded = bytes.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(encoded, encoded.Length - HeaderLength);
        return encoded;
    }

    /// <summary>Takes a message from the front of <paramref name="bytes"/>. False: there is no whole one.</summary>
    public static bool TryTake(ref ReadOnlySpan<byte> bytes, out Message? message)
    {
        message = null;
        if (bytes.Length < HeaderLength || BinaryPrimitives.ReadInt32LittleEndian(bytes) is var length && bytes.Length - HeaderLength < length)
            return false;
        message = Decode(bytes.Slice(HeaderLength, length).ToArray());
        bytes = bytes[(HeaderLength + length)..];
        return true;
    }

    private static Message Decode(byte[] body)
    {
        try
        {
            using var reader = new BinaryReader(new MemoryStream(body), Encoding.UTF8);
            var kind = (MessageKind)reader.ReadByte();
            long id = reader.ReadInt64();
            string key = reader.ReadString();
            var timestamp = new Timestamp(reader.ReadInt64(), reader.ReadInt64());
            string? value = reader.ReadBoolean() ? reader.ReadString() : null;
            return new Message(kind, id, key, new Versioned(timestamp, value));
        }
        catch (Exception exception) when (exception is EndOfStreamException or FormatException)
        {
            throw new IOException("What came is no message.", exception);
        }
    }
}
