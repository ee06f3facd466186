using System.Buffers;

namespace Weir.Simulation;

/// <summary>
/// One buffer on its way: struct sk_buff, as far as unix sockets need it. It is charged to its sender until it is freed, and carries the
/// descriptors and the credentials of the message that it begins.
/// </summary>
internal sealed class UnixMessage
{
    internal UnixMessage? Next;
    internal UnixMessage? Previous;

    /// <summary>The socket that sent it and is charged for it; on a listener, the connection that waits to be accepted.</summary>
    internal UnixSocket Sender = null!;

    internal byte[] Data = [];
    internal int Length;

    /// <summary>Bytes at the front that a stream has read already.</summary>
    internal int Consumed;

    /// <summary>What it costs the sender, in bytes of kernel memory.</summary>
    internal int TrueSize;

    /// <summary>Descriptors on their way, each holding a reference.</summary>
    internal List<SimFile>? Files;

    internal UnixCredentials Credentials;

    internal int Unread => Length - Consumed;

    internal ReadOnlySpan<byte> Bytes(int skip, int count) => Data.AsSpan(Consumed + skip, count);
}

/// <summary>Who sent a message or made a connection: struct ucred. No process: nobody has said.</summary>
internal readonly record struct UnixCredentials(int Process, uint User, uint Group)
{
    internal const int Size = 12;

    // What a user namespace shows where there is no user: the overflow ids.
    internal static readonly UnixCredentials None = new(0, 65534, 65534);

    internal static readonly UnixCredentials NoPeer = new(0, uint.MaxValue, uint.MaxValue);

    internal static UnixCredentials Of(SimKernel process) => new(process.ProcessId, process.UserId, process.GroupId);
}

/// <summary>sk_receive_queue.</summary>
internal sealed class UnixQueue
{
    internal UnixMessage? First { get; private set; }

    internal UnixMessage? Last { get; private set; }

    internal int Count { get; private set; }

    internal void Add(UnixMessage message)
    {
        message.Previous = Last;
        if (Last != null)
            Last.Next = message;
        else
            First = message;
        Last = message;
        Count++;
    }

    internal void Remove(UnixMessage message)
    {
        if (message.Previous != null)
            message.Previous.Next = message.Next;
        else
            First = message.Next;
        if (message.Next != null)
            message.Next.Previous = message.Previous;
        else
            Last = message.Previous;
        message.Next = message.Previous = null;
        Count--;
    }
}

/// <summary>Messages that are used again and again: a write and a read in the steady state allocate nothing.</summary>
internal sealed class UnixMessagePool
{
    private const int MostKept = 1024;
    private const int LargestKept = 4096; // a larger array goes back to the shared pool

    private UnixMessage? _free;
    private int _count;

    internal UnixMessage Rent(UnixSocket sender, int length, int trueSize)
    {
        UnixMessage? message = _free;
        if (message != null)
        {
            _free = message.Next;
            message.Next = null;
            _count--;
        }
        else
        {
            message = new UnixMessage();
        }

        if (message.Data.Length < length)
            message.Data = ArrayPool<byte>.Shared.Rent(Math.Max(length, 256));
        message.Sender = sender;
        message.Length = length;
        message.Consumed = 0;
        message.TrueSize = trueSize;
        message.Credentials = UnixCredentials.None;
        return message;
    }

    internal void Return(UnixMessage message)
    {
        if (message.Data.Length > LargestKept)
        {
            ArrayPool<byte>.Shared.Return(message.Data);
            message.Data = [];
        }

        message.Sender = null!;
        message.Files = null;
        if (_count == MostKept)
            return;
        message.Next = _free;
        _free = message;
        _count++;
    }
}
