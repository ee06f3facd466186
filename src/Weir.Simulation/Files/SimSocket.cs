using System.Buffers.Binary;

namespace Weir.Simulation;

/// <summary>What a message carries beside its bytes, on its way into a socket or out of it.</summary>
internal sealed class MessageExtras
{
    /// <summary>The address it goes to or came from; null: none.</summary>
    internal byte[]? Address;

    /// <summary>Descriptors that travel with it (SCM_RIGHTS), each holding a reference.</summary>
    internal List<SimFile>? Files;

    /// <summary>Who sent it (SCM_CREDENTIALS); null: it is not said.</summary>
    internal UnixCredentials? Credentials;

    /// <summary>Control messages of other levels than sockets', to be sent or received, in order; null: none.</summary>
    internal List<ControlEntry>? Controls;

    /// <summary>What the receiver learns in msg_flags.</summary>
    internal MessageFlags Flags;
}

/// <summary>A control message.</summary>
internal readonly record struct ControlEntry(SocketLevel Level, int Type, byte[] Data);

/// <summary>
/// A socket of any family: what the door needs of it. Addresses are the bytes of a sockaddr; derived classes return results or negated
/// errnos.
/// </summary>
internal abstract class SimSocket : SimFile
{
    private const int DefaultBuffer = 212_992; // net.core.[rw]mem_default
    private const int MostBuffer = 4 << 20; // net.core.[rw]mem_max since Linux 6.17

    protected SimSocket(Machine machine, SocketDomain domain, SocketKind type, int protocol)
        : base(machine.World, FileFlags.ReadWrite | FileFlags.NonBlock)
    {
        Machine = machine;
        Domain = domain;
        Type = type;
        Protocol = protocol;
    }

    internal Machine Machine { get; }

    internal SocketDomain Domain { get; }

    internal SocketKind Type { get; }

    internal int Protocol { get; }

    internal override WaitQueue WaitQueue { get; } = new();

    internal override bool IsStream => Type == SocketKind.Stream && !IsListening;

    /// <summary>Breaks an established connection as a reset that comes from outside does. False: there is none, or it cannot be broken so.</summary>
    internal virtual bool TryReset() => false;

    /// <summary>msg_inq: what a read has left, as a ring's receive is told; -1: this kind of socket does not say.</summary>
    internal virtual int UnreadHint => -1;

    /// <summary>SO_ERROR: an error that the next call returns once.</summary>
    internal Errno PendingError { get; set; }

    /// <summary>SO_SNDBUF and SO_RCVBUF as getsockopt(2) returns them: twice what was asked for.</summary>
    internal int SendBufferSize { get; set; } = DefaultBuffer;

    internal int ReceiveBufferSize { get; set; } = DefaultBuffer;

    /// <summary>SO_RCVLOWAT.</summary>
    internal int ReceiveLowWatermark { get; set; } = 1;

    /// <summary>Options that are kept and returned but change nothing here.</summary>
    private readonly Dictionary<(SocketLevel Level, SocketOption Option), int> _options = [];

    internal abstract int Bind(SimThread thread, ReadOnlySpan<byte> address);

    internal abstract int Listen(int backlog);

    /// <summary>Takes a pending connection; the door gives it a number.</summary>
    internal abstract int Accept(SimThread thread, out SimSocket? socket);

    internal abstract int Connect(SimThread thread, ReadOnlySpan<byte> address);

    internal abstract int Shutdown(ShutdownHow how);

    /// <summary>The address as a sockaddr.</summary>
    internal abstract int LocalAddress(out byte[] address);

    internal abstract int PeerAddress(out byte[] address);

    internal abstract nint Receive(SimThread thread, ref UserBuffer buffer, MessageFlags flags, MessageExtras? extras);

    internal abstract nint Send(SimThread thread, ref UserBuffer buffer, MessageFlags flags, MessageExtras? extras);

    /// <summary>Calls this when no packet of the socket's has bytes any more of what was sent up to now; may do so at once. False: it does not know.</summary>
    internal virtual bool TryTellWhenLetGo(Action release) => false;

    /// <summary>Whether it is listening (SO_ACCEPTCONN).</summary>
    internal abstract bool IsListening { get; }

    /// <summary>The buffer sizes or the low watermark were changed: whoever waits may have become ready.</summary>
    protected virtual void OnBufferOptionChanged(SocketOption option)
    {
    }

    // Nothing to read into is nothing read (sock_read_iter); recv(2) asks even so.
    internal override nint Read(SimThread thread, ref UserBuffer buffer) => buffer.Length == 0 ? 0 : Receive(thread, ref buffer, MessageFlags.None, null);

    internal override nint Write(SimThread thread, ref UserBuffer buffer) => Send(thread, ref buffer, MessageFlags.None, null);

    internal override nint SpliceRead(SimThread thread, Pipe pipe, nuint length, SpliceFlags flags)
    {
        // SPLICE_F_NONBLOCK is for the pipe's side, except to a unix socket.
        bool now = Domain == SocketDomain.Unix && (flags & SpliceFlags.NonBlock) != 0;
        return pipe.Fill(thread, this, length, now ? MessageFlags.DontWait : MessageFlags.None);
    }

    internal override nint SpliceWrite(SimThread thread, Pipe pipe, nuint length, SpliceFlags flags) => pipe.Drain(thread, this, length, flags);

    /// <summary>Whether a call may block: the file is blocking and the call does not say otherwise.</summary>
    protected bool MayBlock(MessageFlags flags) => !IsNonBlocking && (flags & MessageFlags.DontWait) == 0;

    /// <summary>As <see cref="World.BlockOn"/>, where a flag of the call may make it non-blocking.</summary>
    protected int BlockOn(SimThread thread, EpollEvents conditions, MessageFlags flags)
        => MayBlock(flags) ? World.BlockOn(thread, this, conditions) : -(int)Errno.EAGAIN;

    internal virtual int GetOption(SocketLevel level, SocketOption option, Span<byte> value, out int length)
    {
        int number;
        length = sizeof(int);
        if (level == SocketLevel.Socket)
        {
            switch (option)
            {
                case SocketOption.SocketType:
                    number = (int)Type;
                    break;
                case SocketOption.SocketError:
                    number = (int)PendingError;
                    PendingError = 0;
                    break;
                case SocketOption.SocketSendBuffer:
                    number = SendBufferSize;
                    break;
                case SocketOption.SocketReceiveBuffer:
                    number = ReceiveBufferSize;
                    break;
                case SocketOption.SocketReceiveLowWatermark:
                    number = ReceiveLowWatermark;
                    break;
                case SocketOption.SocketAcceptConnections:
                    number = IsListening ? 1 : 0;
                    break;
                case SocketOption.SocketProtocol:
                    number = Protocol;
                    break;
                case SocketOption.SocketDomain:
                    number = (int)Domain;
                    break;
                default:
                    number = _options.GetValueOrDefault((level, option));
                    break;
            }
        }
        else
        {
            number = _options.GetValueOrDefault((level, option));
        }

        BinaryPrimitives.WriteInt32LittleEndian(value, number);
        return 0;
    }

    internal virtual int SetOption(SocketLevel level, SocketOption option, ReadOnlySpan<byte> value)
    {
        if (value.Length < sizeof(int))
            return -(int)Errno.EINVAL;
        int number = BinaryPrimitives.ReadInt32LittleEndian(value);
        if (level != SocketLevel.Socket)
        {
            _options[(level, option)] = number;
            return 0;
        }

        const int LeastSend = 4608, LeastReceive = 2304; // SOCK_MIN_SNDBUF, SOCK_MIN_RCVBUF
        switch (option)
        {
            case SocketOption.SocketType or SocketOption.SocketError or SocketOption.SocketProtocol or SocketOption.SocketDomain or SocketOption.SocketAcceptConnections:
                return -(int)Errno.ENOPROTOOPT;
            case SocketOption.SocketSendBuffer:
                SendBufferSize = Math.Max(LeastSend, (int)Math.Min((uint)number, MostBuffer) * 2);
                OnBufferOptionChanged(option);
                return 0;
            case SocketOption.SocketReceiveBuffer:
                ReceiveBufferSize = Math.Max(LeastReceive, (int)Math.Min((uint)number, MostBuffer) * 2);
                OnBufferOptionChanged(option);
                return 0;
            case SocketOption.SocketReceiveLowWatermark:
                ReceiveLowWatermark = number < 0 ? int.MaxValue : Math.Max(1, number);
                OnBufferOptionChanged(option);
                return 0;
            default:
                _options[(level, option)] = number;
                return 0;
        }
    }

    /// <summary>An accepted socket has the options of the listening one.</summary>
    protected void KeepOptionsOf(SimSocket other)
    {
        foreach ((var key, int value) in other._options)
            _options[key] = value;
    }

    /// <summary>The value of an option that is only kept.</summary>
    protected int Option(SocketLevel level, SocketOption option) => _options.GetValueOrDefault((level, option));
}
