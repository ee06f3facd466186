using System.Buffers.Binary;

namespace Weir.Simulation;

internal abstract partial class UnixSocket
{
    private const SocketOption OutOfBandInline = (SocketOption)10;
    private const SocketOption PassCredentials = (SocketOption)16;
    private const SocketOption PeerCredentials = (SocketOption)17;
    private const uint OutQueueRequest = 0x5411; // TIOCOUTQ, SIOCOUTQ
    private const uint AtMarkRequest = 0x8905; // SIOCATMARK

    /// <summary>SO_PASSCRED: every message received says who sent it.</summary>
    protected bool PassesCredentials { get; private set; }

    /// <summary>SO_OOBINLINE.</summary>
    protected bool IsUrgentInline => Option(SocketLevel.Socket, OutOfBandInline) != 0;

    private protected virtual bool IsAtMark => false;

    private UnixCredentials _peerCredentials = UnixCredentials.NoPeer;

    internal override int GetOption(SocketLevel level, SocketOption option, Span<byte> value, out int length)
    {
        length = sizeof(int);
        if (level != SocketLevel.Socket)
            return -(int)Errno.EOPNOTSUPP;
        switch (option)
        {
            case PassCredentials:
                BinaryPrimitives.WriteInt32LittleEndian(value, PassesCredentials ? 1 : 0);
                return 0;
            case PeerCredentials:
                length = UnixCredentials.Size;
                BinaryPrimitives.WriteInt32LittleEndian(value, _peerCredentials.Process);
                BinaryPrimitives.WriteUInt32LittleEndian(value[4..], _peerCredentials.User);
                BinaryPrimitives.WriteUInt32LittleEndian(value[8..], _peerCredentials.Group);
                return 0;
            default:
                return base.GetOption(level, option, value, out length);
        }
    }

    internal override int SetOption(SocketLevel level, SocketOption option, ReadOnlySpan<byte> value)
    {
        if (level != SocketLevel.Socket)
            return -(int)Errno.EOPNOTSUPP;
        if (value.Length < sizeof(int))
            return -(int)Errno.EINVAL;
        bool on = BinaryPrimitives.ReadInt32LittleEndian(value) != 0;
        switch (option)
        {
            case PassCredentials:
                PassesCredentials = on;
                return 0;
            case PeerCredentials:
                return -(int)Errno.ENOPROTOOPT;
            case SocketOption.SocketReusePort when on:
                return -(int)Errno.EOPNOTSUPP;
            default:
                return base.SetOption(level, option, value);
        }
    }

    protected override void OnBufferOptionChanged(SocketOption option)
    {
        if (option == SocketOption.SocketSendBuffer)
            OnWriteSpace(held: 1);
    }

    internal override unsafe int Ioctl(uint request, void* argument)
    {
        int answer;
        switch (request)
        {
            case OutQueueRequest:
                answer = _writeMemory;
                break;
            case FileRead:
                if (IsListening)
                    return -(int)Errno.EINVAL;
                answer = UnreadLength;
                break;
            case AtMarkRequest:
                if (Type != SocketKind.Stream)
                    return -(int)Errno.EOPNOTSUPP;
                answer = IsAtMark ? 1 : 0;
                break;
            default:
                return -(int)Errno.ENOTTY;
        }

        return PutInt(argument, answer);
    }

    /// <summary>unix_inq_len.</summary>
    private protected abstract int UnreadLength { get; }
}
