using System.Net;

namespace Weir.Net;

/// <summary>The calls that move one datagram. Memory is pinned for the call alone. Results are counts or negated errnos; never EINTR.</summary>
internal static unsafe class DatagramCalls
{
    private const MessageFlags ReportedFlags = MessageFlags.Truncated | MessageFlags.ControlTruncated | MessageFlags.OutOfBand;

    /// <summary>recv(2), told to return the datagram's own length, from which it is seen whether the buffer was too small.</summary>
    internal static int Receive(Kernel kernel, int fd, Span<byte> buffer, out MessageFlags flags)
    {
        nint count;
        fixed (byte* bytes = buffer)
        {
            do
                count = kernel.Receive(fd, bytes, (nuint)buffer.Length, MessageFlags.DontWait | MessageFlags.Truncated);
            while (count == -(int)Errno.EINTR);
        }

        flags = count > buffer.Length ? MessageFlags.Truncated : MessageFlags.None;
        return (int)Math.Min(count, buffer.Length);
    }

    internal static int ReceiveMessage(Kernel kernel, int fd, Span<byte> buffer, SocketAddress? from, AncillaryData? ancillary, out MessageFlags flags)
    {
        MessageHeader header = default;
        IoVector vector = default;
        Span<byte> name = from == null ? default : from.Buffer.Span, control = ancillary == null ? default : ancillary.Buffer;
        // Descriptors that come along must not be inherited by children.
        MessageFlags asked = ancillary == null ? MessageFlags.DontWait : MessageFlags.DontWait | MessageFlags.CloseOnExec;
        nint count;
        fixed (byte* bytes = buffer, nameBytes = name, controlBytes = control)
        {
            vector.Base = bytes;
            vector.Length = (nuint)buffer.Length;
            header.Name = nameBytes;
            header.NameLength = (uint)name.Length;
            header.Vectors = &vector;
            header.VectorCount = 1;
            header.Control = controlBytes;
            header.ControlLength = (nuint)control.Length;
            do
                count = kernel.ReceiveMessage(fd, &header, asked);
            while (count == -(int)Errno.EINTR);
        }

        flags = header.Flags & ReportedFlags;
        if (count < 0)
            return (int)count;
        if (from != null)
            from.Size = (int)Math.Min(header.NameLength, (uint)name.Length);
        if (ancillary != null)
        {
            ancillary.Length = (int)header.ControlLength;
            ancillary.Flags = flags;
        }

        return (int)count;
    }

    internal static int Send(Kernel kernel, int fd, ReadOnlySpan<byte> buffer)
    {
        nint count;
        fixed (byte* bytes = buffer)
        {
            do
                count = kernel.Send(fd, bytes, (nuint)buffer.Length, MessageFlags.DontWait | MessageFlags.NoSignal);
            while (count == -(int)Errno.EINTR);
        }

        return (int)count;
    }

    internal static int SendMessage(Kernel kernel, int fd, ReadOnlySpan<byte> buffer, SocketAddress? to, AncillaryData? ancillary)
    {
        MessageHeader header = default;
        IoVector vector = default;
        Span<byte> name = to == null ? default : to.Buffer.Span[..to.Size];
        Span<byte> control = ancillary == null ? default : ancillary.Buffer[..ancillary.Length];
        nint count;
        fixed (byte* bytes = buffer, nameBytes = name, controlBytes = control)
        {
            vector.Base = bytes;
            vector.Length = (nuint)buffer.Length;
            header.Name = nameBytes;
            header.NameLength = (uint)name.Length;
            header.Vectors = &vector;
            header.VectorCount = 1;
            header.Control = controlBytes;
            header.ControlLength = (nuint)control.Length;
            do
                count = kernel.SendMessage(fd, &header, MessageFlags.DontWait | MessageFlags.NoSignal);
            while (count == -(int)Errno.EINTR);
        }

        return (int)count;
    }
}
