namespace Weir.Simulation;

/// <summary>A UDP socket: net/ipv4/udp.c.</summary>
internal sealed partial class UdpSocket : InetSocket
{
    private const int LargestV4 = 65_507; // what an IP packet holds besides the headers
    private const int LargestV6 = 65_527;
    private const int MostSegments = 128; // UDP_MAX_SEGMENTS; 64 before 6.9

    private PacketQueue _received;
    private int _receivedMemory; // sk_rmem_alloc
    private int _shutdown; // bit 0: receiving, bit 1: sending

    internal UdpSocket(NetStack stack, SocketDomain domain)
        : base(stack, domain, SocketKind.Datagram, 17)
    {
    }

    internal override string Kind => "udp";

    internal override bool IsListening => false;

    internal bool IsConnected => RemoteEnd.Port != 0;

    protected override PortTable Ports => Stack.UdpPorts;

    protected override bool CanBind => !IsConnected;

    // datagram_poll. Nothing is ever queued for sending: what is sent is on the wire at once.
    internal override EpollEvents Poll()
    {
        EpollEvents mask = Writable;
        if (PendingError != Errno.None)
            mask |= EpollEvents.Err;
        if ((_shutdown & 1) != 0)
            mask |= EpollEvents.RdHup | EpollEvents.In | EpollEvents.RdNorm;
        if (_shutdown == 3)
            mask |= EpollEvents.Hup;
        if (!_received.IsEmpty)
            mask |= EpollEvents.In | EpollEvents.RdNorm;
        return mask;
    }

    internal override int Listen(int backlog) => -(int)Errno.EOPNOTSUPP;

    internal override int Accept(SimThread thread, out SimSocket? socket)
    {
        socket = null;
        return -(int)Errno.EOPNOTSUPP;
    }

    // __ip4_datagram_connect
    internal override int Connect(SimThread thread, ReadOnlySpan<byte> address)
    {
        if (address.Length < 2)
            return -(int)Errno.EINVAL;
        if (InetEndPoint.Family(address) == SocketDomain.Unspecified)
        {
            Disconnect();
            return 0;
        }

        int error = BindToAny();
        if (error == 0)
            error = ReadTarget(address, out InetEndPoint target) is int bad and < 0 ? bad : ConnectTo(target);
        return error;
    }

    private int ConnectTo(InetEndPoint target)
    {
        if (IsConnected && !IsAddressBound)
            LocalEnd = LocalEnd with { Address = AnyAddress };
        int error = Resolve(ref target, out IpAddress source);
        if (error < 0)
            return error;
        LocalEnd = LocalEnd with { Address = source };
        RemoteEnd = target;
        return 0;
    }

    // __udp_disconnect
    private void Disconnect()
    {
        RemoteEnd = default;
        if (!IsAddressBound)
            LocalEnd = LocalEnd with { Address = AnyAddress };
        if (!IsPortBound)
        {
            ReleasePort();
            LocalEnd = LocalEnd with { Port = 0 };
        }
    }

    // A socket of version 6 takes addresses of both.
    private int ReadTarget(ReadOnlySpan<byte> address, out InetEndPoint target)
    {
        if (Domain == SocketDomain.Inet6 && InetEndPoint.Family(address) == SocketDomain.Inet)
        {
            int error = InetEndPoint.TryRead(SocketDomain.Inet, address, out target);
            return error == 0 && IsVersion6Only ? -(int)Errno.ENETUNREACH : error;
        }

        return InetEndPoint.TryRead(Domain, address, out target);
    }

    internal override int Shutdown(ShutdownHow how)
    {
        _shutdown |= (int)how + 1;
        WaitQueue.Wake(EpollEvents.None, exclusive: 0);
        return IsConnected ? 0 : -(int)Errno.ENOTCONN;
    }

    internal override int PeerAddress(out byte[] address)
    {
        address = RemoteEnd.Write(Domain);
        return IsConnected ? 0 : -(int)Errno.ENOTCONN;
    }

    // Sending

    // udp_sendmsg
    internal override nint Send(SimThread thread, ref UserBuffer buffer, MessageFlags flags, MessageExtras? extras)
    {
        int error = BindToAny();
        if (error < 0)
            return error;
        if (buffer.Length > 0xFFFF)
            return Error(Errno.EMSGSIZE);
        if ((flags & MessageFlags.OutOfBand) != 0)
            return Error(Errno.EOPNOTSUPP);
        if (extras?.Files != null)
            return Error(Errno.EINVAL);
        InetEndPoint target = RemoteEnd;
        IpAddress source = LocalEnd.Address;
        int group = 0; // the interface, if it goes to one
        if (extras?.Address is { } address)
        {
            error = ReadTarget(address, out target);
            if (error < 0)
                return error;
            if (target.Port == 0)
                return Error(Errno.EINVAL);
            error = target.Address.IsMulticast ? ResolveGroup(target.Address, out group, out source) : Resolve(ref target, out source);
            if (error < 0)
                return error;
        }
        else if (!IsConnected)
        {
            return Error(Errno.EDESTADDRREQ);
        }

        int hops = group != 0 ? MulticastHopsFor(target.Address) : HopsFor(target.Address);
        int segment = 0;
        error = TakeControls(extras?.Controls, target, ref source, ref hops, ref segment);
        if (error < 0)
            return error;
        int length = (int)buffer.Length;
        if (length > (target.Address.IsV4 ? LargestV4 : LargestV6))
            return Error(Errno.EMSGSIZE);
        if (PendingError != Errno.None)
            return TakeError();
        if ((_shutdown & 2) != 0)
            return Error(Errno.EPIPE);
        int device = group != 0 ? group : Stack.IsLocal(target.Address) ? NetStack.LoopbackIndex : NetStack.NetworkIndex;
        if (segment != 0)
        {
            int headers = target.Address.IsV4 ? 28 : 48, unit = device == NetStack.LoopbackIndex ? 65_536 : 1_500;
            if (headers + Math.Min(segment, length) > unit)
                return Error(Errno.EMSGSIZE);
            if (length > segment * MostSegments)
                return Error(Errno.EINVAL);
        }

        // __udp_gso_segment
        PacketQueue packets = default;
        int left = length;
        long train = segment == 0 ? 0 : Network.NextTrain();
        do
        {
            int part = segment == 0 ? left : Math.Min(segment, left);
            Packet packet = Network.Rent();
            packet.Kind = PacketKind.Udp;
            packet.Source = LocalEnd with { Address = source };
            packet.Destination = target;
            packet.Hops = hops;
            packet.Interface = device;
            (packet.Segment, packet.Train) = (segment, train);
            packet.Allocate(Math.Max(1, part));
            packets.Add(packet);
            if (!buffer.Take(packet.FreeSpace[..part]))
            {
                Network.Free(ref packets);
                return Error(Errno.EFAULT);
            }

            packet.Length = part;
            left -= part;
        }
        while (left > 0);

        // The device has them, and with that they are no longer the socket's: sock_wfree.
        WaitQueue.Wake(Writable);
        while (packets.Take() is { } packet)
        {
            if (group != 0)
                Stack.TransmitToGroup(packet, Loops(target.Address));
            else
                Stack.Transmit(packet);
        }

        return length;
    }

    // Receiving

    /// <summary>How well it fits a packet; 0: it is not for it.</summary>
    internal int ScoreFor(InetEndPoint local, InetEndPoint remote)
    {
        if (LocalEnd.Address.IsMulticast)
            return 0;
        int score = ScoreForAddress(local.Address);
        if (score == 0 || !IsConnected)
            return score;
        return RemoteEnd == remote ? score + 4 : 0;
    }

    // What a datagram occupies: struct sk_buff, and its bytes with headers and struct skb_shared_info in a slab of the allocator's sizes.
    private static int TrueSize(int length)
    {
        const int SkBuff = 256, SmallHead = 576, Headers = 52, SharedInfo = 320;
        int head = length + Headers + SharedInfo;
        return SkBuff + (head <= SmallHead ? SmallHead : (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)head));
    }

    /// <summary>A datagram has arrived: __udp_enqueue_schedule_skb.</summary>
    internal void Receive(Packet packet)
    {
        if (_takesTrains && _received.Last is { } last && Joins(last, packet))
            return;
        int size = TrueSize(packet.Length);
        if (_receivedMemory > 0 && _receivedMemory + size > ReceiveBufferSize)
        {
            World.Log.Note($"{this}: receive buffer full, a datagram is dropped");
            Network.Free(packet);
            return;
        }

        _receivedMemory += size;
        packet.ArrivedAt = World.Now;
        _received.Add(packet);
        WaitQueue.Wake(Readable);
    }

    // Those that were cut from one message and come one after the other are one again. On Linux the whole message travels over the loopback in one piece, and
    // devices join what they get (udp_gro_receive); here each travels by itself.
    private bool Joins(Packet last, Packet packet)
    {
        if (packet.Segment == 0 || packet.Train != last.Train || last.Length % last.Segment != 0 || last.Length == 0 || packet.Length == 0)
            return false;
        int size = TrueSize(last.Length + packet.Length) - TrueSize(last.Length);
        if (last.Length + packet.Length > LargestV4 || _receivedMemory + size > ReceiveBufferSize)
            return false;
        _receivedMemory += size;
        last.Append(packet);
        Network.Free(packet);
        WaitQueue.Wake(Readable);
        return true;
    }

    /// <summary>Nobody receives where a datagram went. Only a connected socket is told: udp_err.</summary>
    internal void OnPortUnreachable(InetEndPoint from)
    {
        if (!IsConnected || RemoteEnd != from)
            return;
        PendingError = Errno.ECONNREFUSED;
        WaitQueue.Wake(EpollEvents.Err);
    }

    // udp_recvmsg
    internal override nint Receive(SimThread thread, ref UserBuffer buffer, MessageFlags flags, MessageExtras? extras)
    {
        while (true)
        {
            if (PendingError != Errno.None)
                return TakeError();
            if (_received.First is { } packet)
                return Take(packet, ref buffer, flags, extras);
            if (!MayBlock(flags))
                return Error(Errno.EAGAIN);
            if ((_shutdown & 1) != 0)
                return 0;
            int error = BlockOn(thread, EpollEvents.In | EpollEvents.Err, flags);
            if (error < 0)
                return error;
        }
    }

    private nint Take(Packet packet, ref UserBuffer buffer, MessageFlags flags, MessageExtras? extras)
    {
        int copied = (int)Math.Min(buffer.Length, (nuint)packet.Length);
        bool fits = copied == packet.Length;
        nint result = (flags & Truncated) != 0 ? packet.Length : copied;
        if (!buffer.Put(packet.Data[..copied]))
            result = Error(Errno.EFAULT);
        if (extras != null)
        {
            extras.Address = packet.Source.Write(Domain);
            if (!fits)
                extras.Flags |= Truncated;
            extras.Controls = ControlsOf(packet);
        }

        if ((flags & MessageFlags.Peek) == 0)
        {
            _received.Take();
            _receivedMemory -= TrueSize(packet.Length);
            Network.Free(packet);
        }

        return result;
    }

    internal override unsafe int Ioctl(uint request, void* argument)
    {
        if (request is not (InputQueued or OutputQueued))
            return base.Ioctl(request, argument);
        return PutInt(argument, request == InputQueued ? _received.First?.Length ?? 0 : 0);
    }

    protected override void Release()
    {
        ReleasePort();
        LeaveGroups();
        Network.Free(ref _received);
    }
}
