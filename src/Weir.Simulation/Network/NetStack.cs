namespace Weir.Simulation;

/// <summary>What a connection is known by on one of its machines.</summary>
internal readonly record struct ConnectionKey(InetEndPoint Local, InetEndPoint Remote)
{
    public override int GetHashCode()
    {
        // Of addresses the low half is where those of one network differ.
        ulong mixed = (Local.Address.Low * 31 + Remote.Address.Low) ^ ((ulong)Local.Port << 16 | Remote.Port) * 0x9E3779B97F4A7C15;
        return (int)(mixed ^ mixed >> 32);
    }
}

/// <summary>The network stack of one machine: addresses and routes, ports, and who gets an arriving packet (net/ipv4, net/ipv6).</summary>
internal sealed partial class NetStack
{
    // net.ipv4.ip_local_port_range
    internal const int FirstEphemeralPort = 32768;
    internal const int EphemeralPorts = 60999 - FirstEphemeralPort + 1;

    private readonly List<IpAddress> _addresses = [];
    private readonly Dictionary<ConnectionKey, TcpSocket> _connections = [];
    private readonly Dictionary<ConnectionKey, TcpTimeWait> _timeWaits = [];
    private readonly Queue<TcpTimeWait> _expiring = new();
    private readonly Dictionary<ushort, List<TcpSocket>> _listeners = [];

    internal NetStack(Machine machine)
    {
        Machine = machine;
        World = machine.World;
        TcpPorts = new PortTable(this);
        UdpPorts = new PortTable(this);
    }

    internal Machine Machine { get; }

    internal World World { get; }

    internal SimNetwork Network => World.Network;

    /// <summary>Its place in the network; null: it has a loopback and nothing else.</summary>
    internal SimHost? Host { get; private set; }

    /// <summary>The machine has crashed: nothing leaves and nothing arrives.</summary>
    internal bool IsDown { get; private set; }

    internal PortTable TcpPorts { get; }

    internal PortTable UdpPorts { get; }

    internal int NextEphemeralPort { get; set; } = FirstEphemeralPort;

    internal void Join(SimHost host)
    {
        Host = host;
        _addresses.AddRange(host.RawAddresses);
    }

    internal void GoDown() => IsDown = true;

    /// <summary>Linux draws ports at random; here they count up, so that one seed gives one run.</summary>
    internal ushort TakeEphemeralPort()
    {
        int port = NextEphemeralPort++;
        if (NextEphemeralPort == FirstEphemeralPort + EphemeralPorts)
            NextEphemeralPort = FirstEphemeralPort;
        return (ushort)port;
    }

    // Routes

    internal bool IsLocal(IpAddress address) => address.IsLoopback || _addresses.Contains(address);

    /// <summary>The local address for packets to <paramref name="to"/>; <paramref name="bound"/> is the socket's own, if it has one.</summary>
    internal int Route(IpAddress to, IpAddress bound, out IpAddress source)
    {
        source = bound;
        if (to.IsMulticast)
            throw new NotSupportedException("not emulated: connecting to a group, and TCP to one");
        if (!bound.IsAny && bound.IsV4 != to.IsV4)
            return -(int)Errno.ENETUNREACH;
        if (IsLocal(to))
        {
            if (bound.IsAny)
                source = !to.IsLoopback ? to : to.IsV4 ? IpAddress.Loopback4 : IpAddress.Loopback6;
            return 0;
        }

        if (!bound.IsAny)
            return bound.IsLoopback ? -(int)Errno.EINVAL : 0;
        foreach (IpAddress address in _addresses)
        {
            if (address.IsV4 != to.IsV4)
                continue;
            source = address;
            return 0;
        }

        return -(int)Errno.ENETUNREACH;
    }

    // Packets

    /// <summary>Sends a packet, which is the network's from here on. When it arrives; 0: it did at once; -1: never.</summary>
    internal long Transmit(Packet packet, long notBefore = 0)
    {
        if (IsDown)
        {
            Network.Free(packet);
            return -1;
        }

        if (packet.Destination.Address.IsMulticast)
            throw new InvalidOperationException("A datagram to a group goes by TransmitToGroup.");
        if (!IsLocal(packet.Destination.Address))
            return Network.Send(this, packet, notBefore);
        Network.Deliver(this, packet);
        return 0;
    }

    /// <summary>A packet has arrived.</summary>
    internal void Receive(Packet packet)
    {
        if (IsDown)
        {
            Network.Free(packet);
            return;
        }

        switch (packet.Kind)
        {
            case PacketKind.Tcp:
                ReceiveTcp(packet);
                return;
            case PacketKind.Udp when packet.Destination.Address.IsMulticast:
                ReceiveForGroup(packet);
                return;
            case PacketKind.Udp:
                ReceiveUdp(packet);
                return;
            case PacketKind.PortUnreachable:
                (FindUdp(packet.Destination, packet.Source) as UdpSocket)?.OnPortUnreachable(packet.Source);
                break;
            case PacketKind.HostUnreachable:
                if (_connections.TryGetValue(new ConnectionKey(packet.Destination, packet.Source), out TcpSocket? socket))
                    socket.OnHostUnreachable();
                break;
        }

        Network.Free(packet);
    }

    // tcp_v4_rcv
    private void ReceiveTcp(Packet packet)
    {
        var key = new ConnectionKey(packet.Destination, packet.Source);
        if (_connections.TryGetValue(key, out TcpSocket? connection))
        {
            connection.Receive(packet);
            return;
        }

        if (_timeWaits.TryGetValue(key, out TcpTimeWait? left) && !ReceiveInTimeWait(left, packet))
        {
            Network.Free(packet);
            return;
        }

        if (FindListener(packet) is { } listener)
        {
            listener.Receive(packet);
            return;
        }

        SendReset(packet);
        Network.Free(packet);
    }

    /// <summary>
    /// Answers a segment that belongs to nothing, unless it is a reset itself: tcp_v4_send_reset. The segment stays the caller's.
    /// </summary>
    internal void SendReset(Packet to)
    {
        if ((to.Flags & TcpFlags.Reset) != 0)
            return;
        bool hasAck = (to.Flags & TcpFlags.Ack) != 0;
        SendControl(
            to,
            hasAck ? TcpFlags.Reset : TcpFlags.Reset | TcpFlags.Ack,
            hasAck ? to.Ack : 0,
            hasAck ? 0 : to.EndSeq);
    }

    private void SendControl(Packet to, TcpFlags flags, long seq, long ack)
    {
        Packet answer = Network.Rent();
        answer.Kind = PacketKind.Tcp;
        answer.Source = to.Destination;
        answer.Destination = to.Source;
        answer.Flags = flags;
        answer.Seq = seq;
        answer.Ack = ack;
        answer.Window = 0;
        Transmit(answer);
    }

    // Connections

    internal bool IsConnected(ConnectionKey key) => _connections.ContainsKey(key) || _timeWaits.ContainsKey(key);

    internal void Add(TcpSocket socket) => _connections.Add(socket.Key, socket);

    internal void Remove(TcpSocket socket)
    {
        if (_connections.TryGetValue(socket.Key, out TcpSocket? known) && known == socket)
            _connections.Remove(socket.Key);
    }

    /// <summary>tcp_time_wait.</summary>
    internal void Add(TcpTimeWait left)
    {
        if (IsDown)
            return;
        _timeWaits[left.Key] = left;
        _expiring.Enqueue(left);
        TcpPorts.Add(left.Key.Local.Port, left);
        DropExpired();
    }

    private void Remove(TcpTimeWait left)
    {
        if (left.IsGone)
            return;
        left.IsGone = true;
        _timeWaits.Remove(left.Key);
        TcpPorts.Remove(left.Key.Local.Port, left);
    }

    internal void DropExpired()
    {
        while (_expiring.TryPeek(out TcpTimeWait? left) && (left.IsGone || left.ExpiresAt <= World.Now))
            Remove(_expiring.Dequeue());
    }

    // tcp_timewait_state_process. True: it is for whoever listens.
    private bool ReceiveInTimeWait(TcpTimeWait left, Packet packet)
    {
        if (left.ExpiresAt <= World.Now)
        {
            Remove(left);
            return true;
        }

        if ((packet.Flags & TcpFlags.Reset) != 0)
        {
            if (packet.Seq == left.ReceiveNext)
                Remove(left);
            return false;
        }

        if ((packet.Flags & TcpFlags.Syn) != 0 && packet.Seq > left.ReceiveNext)
        {
            Remove(left);
            return true;
        }

        if (left.AwaitsFin && packet.EndSeq > left.ReceiveNext)
        {
            if (packet.Length > 0)
            {
                // Data that nobody will ever read.
                Remove(left);
                SendReset(packet);
                return false;
            }

            left.ReceiveNext = packet.EndSeq;
            left.AwaitsFin = false;
        }

        if (packet.EndSeq != packet.Seq)
            SendControl(packet, TcpFlags.Ack, left.SendNext, left.ReceiveNext);
        return false;
    }

    /// <summary>Packets may get lost from now on.</summary>
    internal void OnTrouble()
    {
        foreach (TcpSocket socket in _connections.Values)
            socket.OnTrouble();
    }

    // Listeners

    internal void AddListener(TcpSocket socket)
    {
        if (!_listeners.TryGetValue(socket.LocalEnd.Port, out List<TcpSocket>? listeners))
            _listeners.Add(socket.LocalEnd.Port, listeners = []);
        listeners.Add(socket);
    }

    internal void RemoveListener(TcpSocket socket)
    {
        if (_listeners.TryGetValue(socket.LocalEnd.Port, out List<TcpSocket>? listeners) && listeners.Remove(socket) && listeners.Count == 0)
            _listeners.Remove(socket.LocalEnd.Port);
    }

    // __inet_lookup_listener: the one whose address says most; among those that share a port, one by the connection's numbers.
    private TcpSocket? FindListener(Packet packet)
    {
        if (!_listeners.TryGetValue(packet.Destination.Port, out List<TcpSocket>? listeners))
            return null;
        TcpSocket? best = null;
        int bestScore = 0, equals = 0;
        foreach (TcpSocket listener in listeners)
        {
            int score = listener.ScoreFor(packet.Destination);
            if (score == 0 || score < bestScore)
                continue;
            equals = score > bestScore ? 1 : equals + 1;
            if (score > bestScore)
                best = listener;
            bestScore = score;
        }

        if (best is not { ReusesPort: true } || equals == 1)
            return best;
        int pick = Spread(packet.Source, equals);
        foreach (TcpSocket listener in listeners)
        {
            if (listener.ScoreFor(packet.Destination) == bestScore && pick-- == 0)
                return listener;
        }

        return best;
    }

    // inet_ehashfn and reciprocal_scale: which of several sockets gets what a peer sends. Linux salts it at boot; here it is the same always.
    private static int Spread(InetEndPoint peer, int count)
    {
        var mixed = new SeededRandom(peer.Address.Low ^ peer.Address.High ^ (ulong)peer.Port << 48);
        return mixed.Next(count);
    }

    // Datagrams

    private void ReceiveUdp(Packet packet)
    {
        if (FindUdp(packet.Destination, packet.Source) is { } socket)
        {
            socket.Receive(packet);
            return;
        }

        (packet.Source, packet.Destination) = (packet.Destination, packet.Source);
        packet.Kind = PacketKind.PortUnreachable;
        packet.Path = null;
        Transmit(packet);
    }

    // __udp4_lib_lookup
    private UdpSocket? FindUdp(InetEndPoint local, InetEndPoint remote)
    {
        if (UdpPorts.Owners(local.Port) is not { } owners)
            return null;
        UdpSocket? best = null;
        int bestScore = 0, equals = 0;
        foreach (IPortOwner owner in owners)
        {
            var socket = (UdpSocket)owner;
            int score = socket.ScoreFor(local, remote);
            if (score == 0 || score < bestScore)
                continue;
            equals = score > bestScore ? 1 : equals + 1;
            if (score > bestScore)
                best = socket;
            bestScore = score;
        }

        // A connected socket is chosen for itself, the others of a group by the sender.
        if (best is not { ReusesPort: true, IsConnected: false } || equals == 1)
            return best;
        int pick = Spread(remote, equals);
        for (LinkedListNode<IPortOwner>? node = owners.Last; node != null; node = node.Previous)
        {
            if (((UdpSocket)node.Value).ScoreFor(local, remote) == bestScore && pick-- == 0)
                return (UdpSocket)node.Value;
        }

        return best;
    }
}
