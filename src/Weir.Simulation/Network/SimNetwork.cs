namespace Weir.Simulation;

/// <summary>
/// The network between the hosts of a simulation: what travels takes the time that its link says, gets lost, is cut off and held back as a
/// program asks. Traffic inside a host is immediate and never lost.
/// </summary>
/// <remarks>
/// Members may be called by code that the simulation runs, and by no other. A change holds for packets sent from then on, but for
/// partitions: what is on the way when one begins is lost.
/// </remarks>
public sealed class SimNetwork
{
    // How long a machine asks for a neighbour that does not exist: three requests, a second apart.
    private const long NeighbourTimeout = 3_000_000_000;

    private readonly World _world;
    private readonly List<SimHost> _hosts = [];
    private readonly Dictionary<IpAddress, SimHost> _byAddress = [];
    private readonly Dictionary<(SimHost From, SimHost To), NetPath> _paths = [];
    private readonly Stack<PacketBytes> _freeBytes = new();
    private Packet? _freePackets;

    // What was sent on a loopback and not yet received: the packets that the network's soft interrupt works off.
    private PacketQueue _pending;
    private bool _inSoftInterrupt;
    private long _connections;
    private SimLink _defaultLink = new();

    internal SimNetwork(World world) => _world = world;

    /// <summary>How packets travel where <see cref="Link(SimHost, SimHost, SimLink?)"/> has said nothing else.</summary>
    public SimLink DefaultLink
    {
        get => _defaultLink;
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            using Entry entry = Enter();
            _defaultLink = value;
            TellOfTrouble();
        }
    }

    /// <summary>The hosts, in the order in which they were added.</summary>
    public IReadOnlyList<SimHost> Hosts => _hosts;

    /// <summary>Sets how packets travel between two hosts, both ways; null: as <see cref="DefaultLink"/> says.</summary>
    public void Link(SimHost a, SimHost b, SimLink? link)
    {
        LinkOneWay(a, b, link);
        LinkOneWay(b, a, link);
    }

    /// <summary>Sets how packets travel from one host to another; null: as <see cref="DefaultLink"/> says.</summary>
    public void LinkOneWay(SimHost from, SimHost to, SimLink? link)
    {
        using Entry entry = Enter();
        Path(from, to).Link = link;
        TellOfTrouble(from, to);
    }

    /// <summary>Cuts two hosts off from each other: everything between them is lost, what is on its way too, and nobody is told.</summary>
    public void Partition(SimHost a, SimHost b)
    {
        PartitionOneWay(a, b);
        PartitionOneWay(b, a);
    }

    /// <summary>As <see cref="Partition"/>, in one direction only.</summary>
    public void PartitionOneWay(SimHost from, SimHost to)
    {
        using Entry entry = Enter();
        Path(from, to).IsPartitioned = true;
        _world.Log.Note($"partition: {from} to {to}");
        TellOfTrouble(from, to);
    }

    /// <summary>Ends partitions between two hosts.</summary>
    public void Heal(SimHost a, SimHost b)
    {
        using Entry entry = Enter();
        Path(a, b).IsPartitioned = false;
        Path(b, a).IsPartitioned = false;
        _world.Log.Note($"healed: {a} and {b}");
    }

    /// <summary>Ends all partitions.</summary>
    public void HealAll()
    {
        using Entry entry = Enter();
        foreach (NetPath path in _paths.Values)
            path.IsPartitioned = false;
        _world.Log.Note("healed");
    }

    /// <summary>Keeps back what would arrive from one host at another, until <see cref="Release"/>.</summary>
    public void Hold(SimHost from, SimHost to)
    {
        using Entry entry = Enter();
        Path(from, to).IsHeld = true;
        TellOfTrouble(from, to);
    }

    /// <summary>Lets what was held back arrive now, in order, and what follows as usual.</summary>
    public void Release(SimHost from, SimHost to)
    {
        using Entry entry = Enter();
        Path(from, to).Release(_world);
    }

    // In live mode who changes the network must hold the kernel's lock; otherwise he is the one who runs.

    internal Entry Enter() => new(_world.IsLive ? _world : null);

    internal readonly ref struct Entry
    {
        private readonly World? _world;
        private readonly SimThread? _thread;

        internal Entry(World? world)
        {
            _world = world;
            _thread = world?.Scheduler.Enter(SimThread.Current?.Process is { } process && process.World == world ? process : world.Machines[0].Processes[0]);
        }

        public void Dispose()
        {
            if (_thread != null)
                _world!.Scheduler.Leave(_thread);
        }
    }

    // Hosts

    internal void Add(SimHost host)
    {
        foreach (IpAddress address in host.RawAddresses)
        {
            if (address.IsAny || address.IsLoopback || address.IsMulticast)
                throw new ArgumentException($"{address} cannot be the address of a host.");
            if (_byAddress.TryGetValue(address, out SimHost? other))
                throw new ArgumentException($"{other} has the address {address} already.");
        }

        foreach (IpAddress address in host.RawAddresses)
            _byAddress.Add(address, host);
        _hosts.Add(host);
    }

    private NetPath Path(SimHost from, SimHost to)
    {
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(to);
        if (from == to)
            throw new ArgumentException("A host is always connected to itself.");
        if (!_paths.TryGetValue((from, to), out NetPath? path))
            _paths.Add((from, to), path = new NetPath(this, from, to));
        return path;
    }

    /// <summary>Whether nothing can get lost between a machine and an address, either way.</summary>
    internal bool IsReliable(NetStack stack, IpAddress address)
    {
        if (stack.IsLocal(address))
            return true;
        return stack.Host is { } host && _byAddress.TryGetValue(address, out SimHost? other) && Path(host, other).IsReliable && Path(other, host).IsReliable;
    }

    /// <summary>
    /// Packets may get lost from now on. Sockets that otherwise need not ask whether their peer is still there begin to: on a reliable
    /// network they do not, so that a simulation in which everybody waits for ever comes to its end.
    /// </summary>
    internal void TellOfTrouble(SimHost a, SimHost b)
    {
        a.Stack.OnTrouble();
        b.Stack.OnTrouble();
    }

    internal void TellOfTrouble()
    {
        foreach (SimHost host in _hosts)
            host.Stack.OnTrouble();
    }

    /// <summary>An initial sequence number. They lie far apart, so that packets of an old connection never fit a new one.</summary>
    internal long NextSequence() => ++_connections << 40;

    // Packets

    /// <summary>A number for the datagrams that are cut from one message.</summary>
    internal long NextTrain() => ++_trains;

    private long _trains;

    internal Packet Rent()
    {
        Packet? packet = _freePackets;
        if (packet == null)
            return new Packet(this);
        _freePackets = packet.Next;
        packet.Next = null;
        return packet;
    }

    internal void Free(Packet packet)
    {
        packet.Clear();
        packet.Next = _freePackets;
        _freePackets = packet;
    }

    internal void Free(ref PacketQueue queue)
    {
        while (queue.Take() is { } packet)
            Free(packet);
    }

    internal PacketBytes RentBytes() => _freeBytes.TryPop(out PacketBytes? bytes) ? bytes : new PacketBytes();

    internal void ReturnBytes(PacketBytes bytes)
    {
        bytes.Array = [];
        _freeBytes.Push(bytes);
    }

    /// <summary>
    /// Hands a packet to a machine. As on Linux a receiver's part of the work is done in the sender's call, but one packet after the other:
    /// what it sends in answer waits for its turn.
    /// </summary>
    internal void Deliver(NetStack stack, Packet packet)
    {
        packet.Stack = stack;
        _pending.Add(packet);
        if (_inSoftInterrupt)
            return;
        _inSoftInterrupt = true;
        try
        {
            while (_pending.Take() is { } next)
                next.Stack!.Receive(next);
        }
        finally
        {
            _inSoftInterrupt = false;
        }
    }

    /// <summary>Sends a packet to another machine. When it arrives; -1: never.</summary>
    internal long Send(NetStack stack, Packet packet, long notBefore)
    {
        if (_byAddress.TryGetValue(packet.Destination.Address, out SimHost? to) && stack.Host is { } from)
            return Path(from, to).Send(_world, packet, notBefore);
        packet.Kind = packet.Kind == PacketKind.Tcp ? PacketKind.HostUnreachable : packet.Kind;
        packet.Stack = stack;
        (packet.Source, packet.Destination) = (packet.Destination, packet.Source);
        _world.Clock.At(_world.Now + NeighbourTimeout, packet.Arrive);
        return -1;
    }

    /// <summary>Sends a datagram to all other machines; the packet stays the caller's.</summary>
    internal void SendToAll(SimHost from, Packet packet)
    {
        foreach (SimHost to in _hosts)
        {
            if (to != from)
                Path(from, to).Send(_world, Copy(packet), 0);
        }
    }

    /// <summary>The same datagram once more, for another receiver.</summary>
    internal Packet Copy(Packet packet)
    {
        Packet copy = Rent();
        copy.Kind = packet.Kind;
        copy.Source = packet.Source;
        copy.Destination = packet.Destination;
        copy.Hops = packet.Hops;
        copy.Interface = packet.Interface;
        (copy.Segment, copy.Train) = (packet.Segment, packet.Train);
        copy.Path = packet.Path;
        copy.ShareBytesOf(packet);
        return copy;
    }

    internal void Arrived(Packet packet)
    {
        if (packet.Path is { } path)
            path.Arrived(_world, packet);
        else if (packet.Kind == PacketKind.HostUnreachable)
            Deliver(packet.Stack!, packet);
        else
            Free(packet); // nobody hears that a datagram found no host
    }
}
