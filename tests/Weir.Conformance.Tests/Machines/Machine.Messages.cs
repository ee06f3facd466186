using System.Net;
using System.Text;
using Weir.Net;

namespace Weir.Conformance;

// Messages: sendmmsg(2), recvmmsg(2), control messages.
public abstract unsafe partial class Machine
{
    /// <summary>An address that no buffer has: the first page.</summary>
    private static readonly nint Nowhere = 16;

    /// <summary>A UDP socket of version 6 at a free port of its loopback.</summary>
    public Fd Udp6()
    {
        Fd fd = Socket("u6", SocketDomain.Inet6, SocketKind.Datagram, FdKind.Udp);
        RawSocketAddress address = RawSocketAddress.From(new IPEndPoint(IPAddress.IPv6Loopback, 0));
        Call($"bind({fd})", Kernel.Bind(fd.Number, address.Pointer, address.Length)).Is(0);
        RawSocketAddress bound = RawSocketAddress.Empty;
        Kernel.GetSockName(fd.Number, bound.Pointer, &bound.Length);
        fd.Address = bound;
        return fd;
    }

    /// <summary>
    /// sendmmsg(2) of messages of these sizes, -1 standing for one whose buffer cannot be read. Writes down what the kernel says of each
    /// that was sent.
    /// </summary>
    public Outcome SendMessages(Fd fd, Fd? to, params ReadOnlySpan<int> sizes)
    {
        MessageEntry* entries = stackalloc MessageEntry[sizes.Length];
        IoVector* vectors = stackalloc IoVector[sizes.Length];
        byte[] bytes = GC.AllocateArray<byte>(70_000, pinned: true);
        bytes.AsSpan().Fill((byte)'m');
        RawSocketAddress address = to == null ? default : to.Address;
        fixed (byte* first = bytes)
        {
            for (int i = 0; i < sizes.Length; i++)
            {
                vectors[i] = sizes[i] < 0 ? new IoVector { Base = (void*)Nowhere, Length = 5 } : new IoVector { Base = first, Length = (nuint)sizes[i] };
                entries[i] = new MessageEntry { Length = 77 };
                entries[i].Header.Vectors = &vectors[i];
                entries[i].Header.VectorCount = 1;
                entries[i].Header.Name = to == null ? null : address.Pointer;
                entries[i].Header.NameLength = address.Length;
            }

            int result = Kernel.SendMessages(fd.Number, entries, (uint)sizes.Length, MessageFlags.NoSignal);
            return Call($"sendmmsg({fd}{(to == null ? "" : $" to {to}")}: {string.Join(",", sizes.ToArray())}){Lengths(entries, result)}", result);
        }
    }

    /// <summary>recvmmsg(2) into buffers of these sizes, -1 standing for one that cannot be written. Writes down what came.</summary>
    public Outcome ReceiveMessages(Fd fd, params ReadOnlySpan<int> sizes) => ReceiveMessages(fd, MessageFlags.None, sizes);

    /// <inheritdoc cref="ReceiveMessages(Fd, ReadOnlySpan{int})"/>
    public Outcome ReceiveMessages(Fd fd, MessageFlags flags, params ReadOnlySpan<int> sizes)
    {
        const int room = 32;
        MessageEntry* entries = stackalloc MessageEntry[sizes.Length];
        IoVector* vectors = stackalloc IoVector[sizes.Length];
        byte* bytes = stackalloc byte[room * Math.Max(1, sizes.Length)];
        for (int i = 0; i < sizes.Length; i++)
        {
            vectors[i] = sizes[i] < 0 ? new IoVector { Base = (void*)Nowhere, Length = 5 } : new IoVector { Base = bytes + i * room, Length = (nuint)sizes[i] };
            entries[i] = new MessageEntry { Length = 77 };
            entries[i].Header.Vectors = &vectors[i];
            entries[i].Header.VectorCount = 1;
        }

        int result = Kernel.ReceiveMessages(fd.Number, entries, (uint)sizes.Length, flags);
        return Call($"recvmmsg({fd}, {flags}: {string.Join(",", sizes.ToArray())}){Lengths(entries, result)}", result);
    }

    private static string Lengths(MessageEntry* entries, int count)
    {
        var text = new StringBuilder();
        for (int i = 0; i < count; i++)
            text.Append($" [{entries[i].Length}, {entries[i].Header.Flags}]");
        return text.ToString();
    }

    /// <summary>sendmsg(2) of one letter with control messages.</summary>
    public Outcome SendWith(Fd fd, Fd to, AncillaryData ancillary, int length = 1)
    {
        byte* letters = stackalloc byte[Math.Max(1, length)];
        for (int i = 0; i < length; i++)
            letters[i] = (byte)('c' + i % 20);
        var vector = new IoVector { Base = letters, Length = (nuint)length };
        RawSocketAddress address = to.Address;
        fixed (byte* control = ancillary.Buffer)
        {
            var message = new MessageHeader
            {
                Name = address.Pointer,
                NameLength = address.Length,
                Vectors = &vector,
                VectorCount = 1,
                Control = control,
                ControlLength = (nuint)ancillary.Length,
            };
            return Call($"sendmsg({fd} to {to}, {(length == 1 ? "" : $"{length} bytes, ")}{Shown(ancillary.Messages)})", Kernel.SendMessage(fd.Number, &message, MessageFlags.NoSignal));
        }
    }

    /// <summary>recvmsg(2) with so much room for control messages, which are written down, but for the value of times.</summary>
    public Outcome ReceiveWith(Fd fd, int controlRoom)
    {
        byte letter = 0;
        var vector = new IoVector { Base = &letter, Length = 1 };
        byte* control = stackalloc byte[Math.Max(1, controlRoom)];
        var message = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = controlRoom == 0 ? null : control, ControlLength = (nuint)controlRoom };
        nint result = Kernel.ReceiveMessage(fd.Number, &message, MessageFlags.None);
        var reader = new ControlMessageReader(new ReadOnlySpan<byte>(control, (int)message.ControlLength));
        return Call($"recvmsg({fd}, room {controlRoom}) {message.Flags}, {message.ControlLength} bytes: {Shown(reader)}", result);
    }

    /// <summary>recvmsg(2) of up to so many bytes, with the control messages.</summary>
    public Outcome ReceiveTrain(Fd fd, int length)
    {
        byte[] bytes = GC.AllocateArray<byte>(length, pinned: true);
        byte* control = stackalloc byte[256];
        fixed (byte* first = bytes)
        {
            var vector = new IoVector { Base = first, Length = (nuint)length };
            var message = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = 256 };
            nint result = Kernel.ReceiveMessage(fd.Number, &message, MessageFlags.None);
            var reader = new ControlMessageReader(new ReadOnlySpan<byte>(control, result < 0 ? 0 : (int)message.ControlLength));
            string text = Encoding.ASCII.GetString(bytes, 0, (int)Math.Clamp(result, 0, 40));
            return Call($"recvmsg({fd}, {length}) {(result < 0 ? "" : message.Flags)} '{text}': {Shown(reader)}", result);
        }
    }

    private static string Shown(ControlMessageReader messages)
    {
        var text = new StringBuilder();
        foreach (ControlMessage message in messages)
        {
            bool isTime = message.Is(SocketLevel.Socket, ControlMessageType.SocketTimestampNanoseconds);
            text.Append($"[{(int)message.Level}/{(int)message.Type} {(isTime ? $"{message.Data.Length} bytes" : Convert.ToHexString(message.Data))}]");
        }

        return text.ToString();
    }
}
