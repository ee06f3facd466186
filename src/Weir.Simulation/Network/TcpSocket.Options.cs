using System.Buffers.Binary;

namespace Weir.Simulation;

/// <summary>Options of the TCP level: tcp(7).</summary>
internal sealed partial class TcpSocket
{
    // Options that the door has no names for.
    private const SocketOption MaxSegment = (SocketOption)2;
    private const SocketOption SynCount = (SocketOption)7;
    private const SocketOption Linger2 = (SocketOption)8;
    private const SocketOption Information = (SocketOption)11;
    private const SocketOption Congestion = (SocketOption)13;
    private const SocketOption MemoryInformation = (SocketOption)55; // SO_MEMINFO
    private const int MostOption = 46;

    private bool _noDelay;
    private long _keepIdle = 7200 * Second;
    private long _keepInterval = 75 * Second;
    private int _keepCount = 9;
    private int _synRetries = 6; // net.ipv4.tcp_syn_retries
    private long _userTimeout; // ns; 0: none
    private bool _quickAck = true;

    internal override int GetOption(SocketLevel level, SocketOption option, Span<byte> value, out int length)
    {
        length = sizeof(int);
        if (level == SocketLevel.Udp)
            return -(int)Errno.EOPNOTSUPP;
        if (level == SocketLevel.Socket && option == MemoryInformation)
            return DescribeMemory(value, out length);
        if (level != SocketLevel.Tcp)
            return base.GetOption(level, option, value, out length);
        if ((int)option is 0 or > MostOption)
            return -(int)Errno.ENOPROTOOPT;
        if (option == Information)
            throw new NotSupportedException("not emulated: TCP_INFO");
        if (option == Congestion)
        {
            value[..16].Clear();
            "cubic"u8.CopyTo(value);
            length = 16;
            return 0;
        }

        int? number = option switch
        {
            SocketOption.TcpNoDelay => _noDelay ? 1 : 0,
            MaxSegment => _segmentSize,
            SocketOption.TcpKeepIdle => (int)(_keepIdle / Second),
            SocketOption.TcpKeepInterval => (int)(_keepInterval / Second),
            SocketOption.TcpKeepCount => _keepCount,
            SynCount => _synRetries,
            Linger2 => Option(level, option) is not 0 and int seconds ? seconds : 60,
            SocketOption.TcpQuickAck => _quickAck ? 1 : 0,
            SocketOption.TcpUserTimeout => (int)(_userTimeout / 1_000_000),
            _ => null,
        };
        if (number == null)
            return base.GetOption(level, option, value, out length);
        BinaryPrimitives.WriteInt32LittleEndian(value, number.Value);
        return 0;
    }

    // sk_get_meminfo: used for receiving, room for that, in packets on their way, room to send, set aside, used for sending, options, backlog, dropped.
    private int DescribeMemory(Span<byte> value, out int length)
    {
        int received = 0;
        for (Packet? packet = _received.First; packet != null; packet = packet.Next)
            received += packet.Length + PacketOverhead;
        ReadOnlySpan<int> numbers = [received, ReceiveBufferSize, 0, SendBufferSize, 0, _queuedMemory, 0, 0, 0];
        length = sizeof(int) * numbers.Length;
        for (int i = 0; i < numbers.Length; i++)
            BinaryPrimitives.WriteInt32LittleEndian(value[(sizeof(int) * i)..], numbers[i]);
        return 0;
    }

    internal override int SetOption(SocketLevel level, SocketOption option, ReadOnlySpan<byte> value)
    {
        if (level == SocketLevel.Udp)
            return -(int)Errno.ENOPROTOOPT;
        if (level != SocketLevel.Tcp)
            return base.SetOption(level, option, value);
        if ((int)option is 0 or > MostOption || option == Information)
            return -(int)Errno.ENOPROTOOPT;
        if (option == Congestion)
            return 0; // there is none to control
        if (value.Length < sizeof(int))
            return -(int)Errno.EINVAL;
        const int MostSeconds = 32_767, MostProbes = 127; // MAX_TCP_KEEPIDLE, MAX_TCP_KEEPCNT
        int number = BinaryPrimitives.ReadInt32LittleEndian(value);
        switch (option)
        {
            case SocketOption.TcpNoDelay:
                _noDelay = number != 0;
                if (_noDelay)
                    PushHeldBack();
                return 0;
            case SocketOption.TcpKeepIdle or SocketOption.TcpKeepInterval when number is < 1 or > MostSeconds:
            case SocketOption.TcpKeepCount or SynCount when number is < 1 or > MostProbes:
            case SocketOption.TcpUserTimeout when number < 0:
                return -(int)Errno.EINVAL;
            case SocketOption.TcpKeepIdle:
                _keepIdle = number * Second;
                OnKeepAliveChanged();
                return 0;
            case SocketOption.TcpKeepInterval:
                _keepInterval = number * Second;
                return 0;
            case SocketOption.TcpKeepCount:
                _keepCount = number;
                return 0;
            case SynCount:
                _synRetries = number;
                return 0;
            case SocketOption.TcpUserTimeout:
                _userTimeout = number * 1_000_000L;
                return 0;
            case SocketOption.TcpQuickAck:
                _quickAck = (number & 1) != 0;
                return 0;
            default:
                return base.SetOption(level, option, value);
        }
    }

    // What Nagle's algorithm has held back leaves.
    private void PushHeldBack()
    {
        if (_sendHead == null)
            return;
        Own();
        PushPending();
        Disown();
    }

    private void InheritTcpOptions(TcpSocket listener)
    {
        _noDelay = listener._noDelay;
        _keepIdle = listener._keepIdle;
        _keepInterval = listener._keepInterval;
        _keepCount = listener._keepCount;
        _userTimeout = listener._userTimeout;
        _quickAck = listener._quickAck;
        _isReceiveBufferSet = listener._isReceiveBufferSet;
    }
}
