namespace Weir.Simulation;

// Groups of addresses: what of net/ipv4/igmp.c and net/ipv6/mcast.c there is without routers. Every link between hosts belongs to one network, and
// what goes to a group goes to all of its hosts.
internal sealed partial class NetStack
{
    /// <summary>The numbers of the interfaces: the loopback, and the one to the network.</summary>
    internal const int LoopbackIndex = 1, NetworkIndex = 2;

    // How many sockets are members of a group on an interface.
    private readonly Dictionary<(IpAddress Group, int Index), int> _groups = [];

    internal bool HasInterface(int index) => index == LoopbackIndex || (index == NetworkIndex && Host != null);

    /// <summary>The interface that packets to a group leave by if nobody says otherwise; 0: there is none.</summary>
    internal int RouteToGroup(IpAddress group) => AddressFor(group) != null ? NetworkIndex : 0;

    /// <summary>The first address of the machine of the version of <paramref name="other"/>; null: it has none but the loopback's.</summary>
    internal IpAddress? AddressFor(IpAddress other)
    {
        foreach (IpAddress address in _addresses)
        {
            if (address.IsV4 == other.IsV4)
                return address;
        }

        return null;
    }

    internal void JoinGroup(IpAddress group, int index) => _groups[(group, index)] = _groups.GetValueOrDefault((group, index)) + 1;

    internal void LeaveGroup(IpAddress group, int index)
    {
        if (--_groups[(group, index)] == 0)
            _groups.Remove((group, index));
    }

    /// <summary>Sends a datagram to a group, through its interface: ip_mc_output.</summary>
    internal void TransmitToGroup(Packet packet, bool loops)
    {
        // What leaves by the loopback interface comes back, whatever the sender says.
        bool isLoopback = packet.Interface == LoopbackIndex;
        if (!IsDown && !isLoopback && packet.Hops > 0)
            Network.SendToAll(Host!, packet);
        if (!IsDown && (isLoopback || loops))
            Network.Deliver(this, packet);
        else
            Network.Free(packet);
    }

    // __udp4_lib_mcast_deliver: to each socket that wants it; nobody is told if there is none.
    private void ReceiveForGroup(Packet packet)
    {
        if (_groups.ContainsKey((packet.Destination.Address, packet.Interface)) && UdpPorts.Owners(packet.Destination.Port) is { } owners)
        {
            foreach (IPortOwner owner in owners)
            {
                var socket = (UdpSocket)owner;
                if (socket.TakesForGroup(packet))
                    socket.Receive(Network.Copy(packet));
            }
        }

        Network.Free(packet);
    }
}
