using System.Buffers.Binary;

namespace Weir.Simulation;

// Membership in groups: net/ipv4/igmp.c, net/ipv6/mcast.c.
internal sealed partial class UdpSocket
{
    private const SocketOption AllV4 = (SocketOption)49, AllV6 = (SocketOption)29; // IP_MULTICAST_ALL, IPV6_MULTICAST_ALL
    private const int MostMembershipsV4 = 20; // net.ipv4.igmp_max_memberships
    private const int RequestOfV4 = 12, ShortRequestOfV4 = 8, RequestOfV6 = 20; // struct ip_mreqn, ip_mreq, ipv6_mreq

    private readonly List<(IpAddress Group, int Index)> _memberships = [];
    private int _interfaceV4; // IP_MULTICAST_IF
    private int _interfaceV6;
    private bool _takesAllV4 = true;
    private bool _takesAllV6 = true;

    /// <summary>Null: it is none of the options of groups.</summary>
    private int? SetGroupOption(SocketLevel level, SocketOption option, ReadOnlySpan<byte> value)
    {
        int number = BinaryPrimitives.ReadInt32LittleEndian(value);
        switch (level, option)
        {
            case (SocketLevel.Ip, SocketOption.IpAddMembership or SocketOption.IpDropMembership):
                if (value.Length < ShortRequestOfV4)
                    return -(int)Errno.EINVAL;
                if (value.Length < RequestOfV4)
                    throw new NotSupportedException("not emulated: an interface named by its address (struct ip_mreq)");
                int index = BinaryPrimitives.ReadInt32LittleEndian(value[8..]);
                return Change(option == SocketOption.IpAddMembership, IpAddress.From(value[..4]), index);
            case (SocketLevel.Ipv6, SocketOption.Ipv6AddMembership or SocketOption.Ipv6DropMembership):
                if (value.Length < RequestOfV6)
                    return -(int)Errno.EINVAL;
                return Change(option == SocketOption.Ipv6AddMembership, IpAddress.From(value[..16]), BinaryPrimitives.ReadInt32LittleEndian(value[16..]));
            case (SocketLevel.Ip, SocketOption.IpMulticastInterface):
                if (value.Length < RequestOfV4)
                    throw new NotSupportedException("not emulated: an interface named by its address (struct in_addr, ip_mreq)");
                return SetInterface(ref _interfaceV4, BinaryPrimitives.ReadInt32LittleEndian(value[8..]), Errno.EADDRNOTAVAIL);
            case (SocketLevel.Ipv6, SocketOption.Ipv6MulticastInterface):
                return SetInterface(ref _interfaceV6, number, Errno.ENODEV);
            case (SocketLevel.Ip, AllV4):
                _takesAllV4 = number != 0;
                return number is 0 or 1 ? 0 : -(int)Errno.EINVAL;
            case (SocketLevel.Ipv6, AllV6):
                _takesAllV6 = number != 0;
                return 0;
            default:
                return null;
        }
    }

    private int SetInterface(ref int kept, int index, Errno unknown)
    {
        if (index != 0 && !Stack.HasInterface(index))
            return -(int)unknown;
        kept = index;
        return 0;
    }

    // ip_mc_join_group, ip_mc_leave_group, __ipv6_sock_mc_join, ipv6_sock_mc_drop
    private int Change(bool joins, IpAddress group, int index)
    {
        if (joins && !group.IsMulticast)
            return -(int)Errno.EINVAL;
        int found = index != 0 ? index : Stack.RouteToGroup(group);
        int place = _memberships.FindIndex(member => member.Group == group && (index == 0 || member.Index == index));
        if (!joins)
        {
            if (place < 0)
                return index == 0 && found == 0 ? -(int)Errno.ENODEV : -(int)Errno.EADDRNOTAVAIL;
            Stack.LeaveGroup(group, _memberships[place].Index);
            _memberships.RemoveAt(place);
            return 0;
        }

        if (!Stack.HasInterface(found))
            return -(int)Errno.ENODEV;
        if (_memberships.Contains((group, found)))
            return -(int)Errno.EADDRINUSE;
        if (group.IsV4 && _memberships.Count(member => member.Group.IsV4) >= MostMembershipsV4)
            return -(int)Errno.ENOBUFS;
        _memberships.Add((group, found));
        Stack.JoinGroup(group, found);
        return 0;
    }

    private void LeaveGroups()
    {
        foreach ((IpAddress group, int index) in _memberships)
            Stack.LeaveGroup(group, index);
        _memberships.Clear();
    }

    /// <summary>The interface for datagrams to a group, and the address that they come from.</summary>
    private int ResolveGroup(IpAddress group, out int index, out IpAddress source)
    {
        source = LocalEnd.Address;
        int wanted = group.IsV4 ? _interfaceV4 : _interfaceV6;
        index = wanted != 0 ? wanted : Stack.RouteToGroup(group);
        // The loopback interface has no route to groups of version 6.
        if (index == 0 || (index == NetStack.LoopbackIndex && !group.IsV4))
            return -(int)Errno.ENETUNREACH;
        if (source.IsAny || source.IsMulticast)
            source = Stack.AddressFor(group) ?? IpAddress.Loopback4;
        return source.IsV4 == group.IsV4 ? 0 : -(int)Errno.ENETUNREACH;
    }

    /// <summary>Whether a datagram to a group is for it: __udp_is_mcast_sock, ip_mc_sf_allow.</summary>
    internal bool TakesForGroup(Packet packet)
    {
        IpAddress group = packet.Destination.Address, own = LocalEnd.Address;
        if (IsConnected && RemoteEnd != packet.Source)
            return false;
        bool takesVersion = own.IsAny ? own.IsV4 == group.IsV4 || (!own.IsV4 && !IsVersion6Only) : own == group;
        if (!takesVersion)
            return false;
        return _memberships.Contains((group, packet.Interface)) || (group.IsV4 ? _takesAllV4 : _takesAllV6);
    }
}
