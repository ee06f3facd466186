using System.Buffers.Binary;

namespace Weir.Simulation;

/// <summary>What TCP and UDP sockets share: addresses, ports and the options that say how they may be shared (net/ipv4/af_inet.c).</summary>
internal abstract class InetSocket : SimSocket, IPortOwner
{
    // Keys of the wakes, as the kernel's sk_data_ready and sk_write_space give them.
    protected const EpollEvents Readable = EpollEvents.In | EpollEvents.Pri | EpollEvents.RdNorm | EpollEvents.RdBand;
    protected const EpollEvents Writable = EpollEvents.Out | EpollEvents.WrNorm | EpollEvents.WrBand;

    // Message flags and ioctls that the door has no names for.
    protected const MessageFlags Truncated = (MessageFlags)0x20;
    protected const uint InputQueued = 0x541B; // SIOCINQ, FIONREAD
    protected const uint OutputQueued = 0x5411; // SIOCOUTQ, TIOCOUTQ

    // Options that the door has no names for.
    private const SocketOption OobInline = (SocketOption)10;
    private const SocketOption BindToDevice = (SocketOption)25;

    private bool _reusesAddress;
    private bool _reusesPort;
    private bool _isVersion6Only;

    protected InetSocket(NetStack stack, SocketDomain domain, SocketKind type, int protocol)
        : base(stack.Machine, domain, type, protocol)
    {
        Stack = stack;
        LocalEnd = new InetEndPoint(AnyAddress, 0);
    }

    internal NetStack Stack { get; }

    protected SimNetwork Network => Stack.Network;

    /// <summary>Its address (wildcard while it has none) and port.</summary>
    public InetEndPoint LocalEnd { get; protected set; }

    internal InetEndPoint RemoteEnd { get; private protected set; }

    public bool ReusesAddress => _reusesAddress;

    public bool ReusesPort => _reusesPort;

    public bool IsVersion6Only => _isVersion6Only;

    bool IPortOwner.IsListening => IsListening;

    public bool IsTimeWait => false;

    public LinkedListNode<IPortOwner>? PortNode { get; set; }

    protected IpAddress AnyAddress => Domain == SocketDomain.Inet ? IpAddress.Any4 : IpAddress.Any6;

    protected abstract PortTable Ports { get; }

    /// <summary>Address and port were asked for by bind(2): disconnecting leaves them.</summary>
    protected bool IsAddressBound { get; private protected set; }

    protected bool IsPortBound { get; private protected set; }

    protected bool IsLingering { get; private set; }

    protected int LingerSeconds { get; private set; }

    protected bool KeepsUrgentInline { get; private set; }

    internal bool KeepsAlive { get; private set; }

    /// <summary>Buffer sizes set by the program are not adapted any more (SOCK_SNDBUF_LOCK).</summary>
    protected bool IsSendBufferSet { get; private set; }

    // Names

    /// <summary>Whether bind(2) may be called: not bound yet, and doing nothing.</summary>
    protected abstract bool CanBind { get; }

    internal override int Bind(SimThread thread, ReadOnlySpan<byte> address)
    {
        int error = InetEndPoint.TryRead(Domain, address, out InetEndPoint wanted);
        // An old program that leaves the family out means the wildcard.
        if (error == -(int)Errno.EAFNOSUPPORT && Domain == SocketDomain.Inet && InetEndPoint.Family(address) == SocketDomain.Unspecified
            && address.Slice(4, 4).IndexOfAnyExcept((byte)0) < 0)
        {
            wanted = new InetEndPoint(IpAddress.Any4, BinaryPrimitives.ReadUInt16BigEndian(address[2..]));
            error = 0;
        }

        if (error < 0)
            return error;
        if (Domain == SocketDomain.Inet6 && wanted.Address.IsV4 && IsVersion6Only)
            return -(int)Errno.EINVAL;
        if (!wanted.Address.IsAny && !Stack.IsLocal(wanted.Address) && !(wanted.Address.IsMulticast && Type == SocketKind.Datagram))
            return -(int)Errno.EADDRNOTAVAIL;

        if (!CanBind || PortNode != null)
            return -(int)Errno.EINVAL;
        int port = Ports.Choose(this, wanted.Address, wanted.Port);
        if (port < 0)
            return port;
        IsAddressBound = !wanted.Address.IsAny;
        IsPortBound = wanted.Port != 0;
        HoldPort(wanted.Address, (ushort)port);
        return 0;
    }

    /// <summary>inet_autobind: any port, for a socket that begins without having asked for one.</summary>
    protected int BindToAny()
    {
        if (PortNode != null)
            return 0;
        int port = Ports.Choose(this, LocalEnd.Address, 0);
        if (port < 0)
            return -(int)Errno.EAGAIN;
        HoldPort(LocalEnd.Address, (ushort)port);
        return 0;
    }

    protected void HoldPort(IpAddress address, ushort port)
    {
        LocalEnd = new InetEndPoint(address, port);
        Ports.Add(port, this);
    }

    protected void ReleasePort()
    {
        Ports.Remove(LocalEnd.Port, this);
    }

    /// <summary>Where a connect leads: its target, with the wildcard taken as the loopback, and the local address for it.</summary>
    protected int Resolve(ref InetEndPoint target, out IpAddress source)
    {
        source = default;
        if (target.Address.IsAny)
            target = target with { Address = target.Address.IsV4 ? IpAddress.Loopback4 : IpAddress.Loopback6 };
        if (target.Address.IsV4 && Domain == SocketDomain.Inet6 && IsVersion6Only)
            return -(int)Errno.ENETUNREACH;
        // Who is bound to a group sends from the address of the interface.
        IpAddress bound = LocalEnd.Address.IsMulticast ? AnyAddress : LocalEnd.Address;
        return Stack.Route(target.Address, bound, out source);
    }

    internal override int LocalAddress(out byte[] address)
    {
        address = LocalEnd.Write(Domain);
        return 0;
    }

    /// <summary>How well its own address fits a packet to <paramref name="local"/>; 0: not at all. compute_score.</summary>
    protected int ScoreForAddress(IpAddress local)
    {
        IpAddress own = LocalEnd.Address;
        if (!own.IsAny)
            return own == local ? 3 : 0;
        if (local.IsV4)
            return own.IsV4 ? 2 : IsVersion6Only ? 0 : 1;
        return own.IsV4 ? 0 : 2;
    }

    // Options

    internal override int GetOption(SocketLevel level, SocketOption option, Span<byte> value, out int length)
    {
        length = sizeof(int);
        if (level == SocketLevel.Socket && option == SocketOption.SocketLinger)
        {
            BinaryPrimitives.WriteInt32LittleEndian(value, IsLingering ? 1 : 0);
            BinaryPrimitives.WriteInt32LittleEndian(value[4..], LingerSeconds);
            length = 8;
            return 0;
        }

        if (level == SocketLevel.Ipv6 && Domain != SocketDomain.Inet6)
            return -(int)Errno.EOPNOTSUPP;
        bool? flag = (level, option) switch
        {
            (SocketLevel.Socket, SocketOption.SocketReuseAddress) => _reusesAddress,
            (SocketLevel.Socket, SocketOption.SocketReusePort) => _reusesPort,
            (SocketLevel.Socket, SocketOption.SocketKeepAlive) => KeepsAlive,
            (SocketLevel.Socket, OobInline) => KeepsUrgentInline,
            (SocketLevel.Ipv6, SocketOption.Ipv6Only) => _isVersion6Only,
            _ => null,
        };
        if (flag == null)
            return base.GetOption(level, option, value, out length);
        BinaryPrimitives.WriteInt32LittleEndian(value, flag.Value ? 1 : 0);
        return 0;
    }

    internal override int SetOption(SocketLevel level, SocketOption option, ReadOnlySpan<byte> value)
    {
        if (level == SocketLevel.Socket && (int)option is 20 or 21 or 66 or 67)
            throw new NotSupportedException("not emulated: SO_RCVTIMEO, SO_SNDTIMEO");
        if (level == SocketLevel.Socket && option == BindToDevice)
            throw new NotSupportedException("not emulated: SO_BINDTODEVICE");
        if (level == SocketLevel.Ipv6 && Domain != SocketDomain.Inet6)
            return -(int)Errno.ENOPROTOOPT;
        if (value.Length < sizeof(int))
            return -(int)Errno.EINVAL;
        int number = BinaryPrimitives.ReadInt32LittleEndian(value);
        switch (level, option)
        {
            case (SocketLevel.Socket, SocketOption.SocketReuseAddress):
                _reusesAddress = number != 0;
                return 0;
            case (SocketLevel.Socket, SocketOption.SocketReusePort):
                _reusesPort = number != 0;
                return 0;
            case (SocketLevel.Socket, SocketOption.SocketKeepAlive):
                KeepsAlive = number != 0;
                OnKeepAliveChanged();
                return 0;
            case (SocketLevel.Socket, OobInline):
                KeepsUrgentInline = number != 0;
                return 0;
            case (SocketLevel.Socket, SocketOption.SocketLinger):
                if (value.Length < 8)
                    return -(int)Errno.EINVAL;
                IsLingering = number != 0;
                if (IsLingering)
                    LingerSeconds = BinaryPrimitives.ReadInt32LittleEndian(value[4..]);
                return 0;
            case (SocketLevel.Ipv6, SocketOption.Ipv6Only):
                if (PortNode != null)
                    return -(int)Errno.EINVAL;
                _isVersion6Only = number != 0;
                return 0;
            default:
                return base.SetOption(level, option, value);
        }
    }

    protected virtual void OnKeepAliveChanged()
    {
    }

    protected override void OnBufferOptionChanged(SocketOption option)
    {
        if (option == SocketOption.SocketSendBuffer)
            IsSendBufferSet = true;
    }

    /// <summary>What an accepted socket has from the listening one (sk_clone).</summary>
    protected void InheritFrom(InetSocket listener)
    {
        _reusesAddress = listener._reusesAddress;
        _reusesPort = listener._reusesPort;
        _isVersion6Only = listener._isVersion6Only;
        KeepsAlive = listener.KeepsAlive;
        KeepsUrgentInline = listener.KeepsUrgentInline;
        IsLingering = listener.IsLingering;
        LingerSeconds = listener.LingerSeconds;
        IsSendBufferSet = listener.IsSendBufferSet;
        SendBufferSize = listener.SendBufferSize;
        ReceiveBufferSize = listener.ReceiveBufferSize;
        ReceiveLowWatermark = listener.ReceiveLowWatermark;
        KeepOptionsOf(listener);
    }

    /// <summary>sock_error: the pending error, once; 0 if there is none.</summary>
    protected int TakeError()
    {
        int error = -(int)PendingError;
        PendingError = Errno.None;
        return error;
    }
}
