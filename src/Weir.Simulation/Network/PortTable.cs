namespace Weir.Simulation;

/// <summary>Who can hold a port: a socket, or what is left of one.</summary>
internal interface IPortOwner
{
    InetEndPoint LocalEnd { get; }

    /// <summary>SO_REUSEADDR.</summary>
    bool ReusesAddress { get; }

    /// <summary>SO_REUSEPORT.</summary>
    bool ReusesPort { get; }

    /// <summary>IPV6_V6ONLY.</summary>
    bool IsVersion6Only { get; }

    bool IsListening { get; }

    bool IsTimeWait { get; }

    /// <summary>Its place among the owners of its port; null: it holds none.</summary>
    LinkedListNode<IPortOwner>? PortNode { get; set; }
}

/// <summary>The ports of one protocol on one machine: the bind hash of net/ipv4/inet_connection_sock.c.</summary>
internal sealed class PortTable(NetStack stack)
{
    // Owners of a port, the last to come first.
    private readonly Dictionary<ushort, LinkedList<IPortOwner>> _ports = [];

    internal LinkedList<IPortOwner>? Owners(ushort port) => _ports.GetValueOrDefault(port);

    internal void Add(ushort port, IPortOwner owner)
    {
        if (!_ports.TryGetValue(port, out LinkedList<IPortOwner>? owners))
            _ports.Add(port, owners = new LinkedList<IPortOwner>());
        owner.PortNode = owners.AddFirst(owner);
    }

    internal void Remove(ushort port, IPortOwner owner)
    {
        if (owner.PortNode is not { } node)
            return;
        LinkedList<IPortOwner> owners = node.List!;
        owners.Remove(node);
        owner.PortNode = null;
        if (owners.Count == 0)
            _ports.Remove(port);
    }

    /// <summary>
    /// The port for a socket that asks for <paramref name="address"/> and <paramref name="port"/> (0: any): inet_csk_get_port. -EADDRINUSE
    /// if it cannot have it.
    /// </summary>
    internal int Choose(IPortOwner owner, IpAddress address, ushort port)
    {
        stack.DropExpired();
        if (port != 0)
            return Conflicts(owner, address, port) ? -(int)Errno.EADDRINUSE : port;
        for (int i = 0; i < NetStack.EphemeralPorts; i++)
        {
            ushort candidate = stack.TakeEphemeralPort();
            if (!_ports.ContainsKey(candidate))
                return candidate;
        }

        return -(int)Errno.EADDRINUSE;
    }

    /// <summary>
    /// A port for a socket that connects: one that nobody has, else one that only other connections have.
    /// __inet_hash_connect; <paramref name="isFree"/> says whether no connection has the four numbers already.
    /// </summary>
    internal int ChooseForConnect(ushort avoid, Func<ushort, bool> isFree)
    {
        stack.DropExpired();
        for (int pass = 0; pass < 2; pass++)
        {
            for (int i = 0; i < NetStack.EphemeralPorts; i++)
            {
                ushort candidate = stack.TakeEphemeralPort();
                if (candidate == avoid)
                    continue; // would meet itself, if nobody listens there
                LinkedList<IPortOwner>? owners = Owners(candidate);
                if (owners == null || (pass == 1 && OnlyConnections(owners) && isFree(candidate)))
                    return candidate;
            }
        }

        return -(int)Errno.EADDRNOTAVAIL;
    }

    private static bool OnlyConnections(LinkedList<IPortOwner> owners)
    {
        foreach (IPortOwner owner in owners)
        {
            if (owner is not (TcpTimeWait or TcpSocket { IsPortChosenByConnect: true }))
                return false;
        }

        return true;
    }

    // inet_csk_bind_conflict
    private bool Conflicts(IPortOwner owner, IpAddress address, ushort port)
    {
        if (Owners(port) is not { } owners)
            return false;
        foreach (IPortOwner other in owners)
        {
            if (other == owner)
                continue;
            bool shared = (owner.ReusesAddress && other.ReusesAddress && !other.IsListening)
                || (owner.ReusesPort && other.ReusesPort);
            if (!shared && Overlap(owner, address, other))
                return true;
        }

        return false;
    }

    // inet_rcv_saddr_equal: whether there are packets that both would want.
    private static bool Overlap(IPortOwner one, IpAddress address, IPortOwner other)
    {
        IpAddress otherAddress = other.LocalEnd.Address;
        bool any = address.IsAny, otherAny = otherAddress.IsAny;
        if (!any && !otherAny)
            return address == otherAddress;
        if (any && otherAny)
            return address == otherAddress || !(address.IsV4 ? other : one).IsVersion6Only;
        IPortOwner wide = any ? one : other;
        IpAddress wideAddress = any ? address : otherAddress, narrow = any ? otherAddress : address;
        return wideAddress.IsV4 ? narrow.IsV4 : !narrow.IsV4 || !wide.IsVersion6Only;
    }
}
