using System.Net;
using System.Runtime.InteropServices;

namespace Weir.Net;

public sealed partial class DatagramSocket
{
    /// <summary>SO_BROADCAST: sending to a broadcast address is allowed.</summary>
    public bool Broadcast
    {
        get => GetOption(SocketLevel.Socket, SocketOption.SocketBroadcast) != 0;
        set => SetOption(SocketLevel.Socket, SocketOption.SocketBroadcast, value ? 1 : 0);
    }

    /// <summary>SO_SNDBUF in bytes. The kernel doubles what is set and counts its own overhead (socket(7)).</summary>
    public int SendBufferSize
    {
        get => GetOption(SocketLevel.Socket, SocketOption.SocketSendBuffer);
        set => SetOption(SocketLevel.Socket, SocketOption.SocketSendBuffer, value);
    }

    /// <summary>SO_RCVBUF in bytes: what does not fit is dropped (UDP) or makes senders wait (unix). The kernel doubles what is set and counts its own overhead.</summary>
    public int ReceiveBufferSize
    {
        get => GetOption(SocketLevel.Socket, SocketOption.SocketReceiveBuffer);
        set => SetOption(SocketLevel.Socket, SocketOption.SocketReceiveBuffer, value);
    }

    /// <summary>How many routers a datagram may pass: IP_TTL, IPV6_UNICAST_HOPS. 1 to 255.</summary>
    public int TimeToLive
    {
        get => Get(SocketOption.IpTimeToLive, SocketOption.Ipv6UnicastHops);
        set => Set(SocketOption.IpTimeToLive, SocketOption.Ipv6UnicastHops, value);
    }

    /// <summary>The type-of-service byte, of version 6 the traffic class: IP_TOS, IPV6_TCLASS. 0 to 255.</summary>
    public int TypeOfService
    {
        get => Get(SocketOption.IpTypeOfService, SocketOption.Ipv6TrafficClass);
        set => Set(SocketOption.IpTypeOfService, SocketOption.Ipv6TrafficClass, value);
    }

    /// <summary>
    /// Whether received datagrams come with a <see cref="PacketInfo"/>: to which address they were sent, and through which interface they came. IP_PKTINFO,
    /// IPV6_RECVPKTINFO.
    /// </summary>
    public bool ReceivesPacketInfo
    {
        get => Get(SocketOption.IpPacketInfo, SocketOption.Ipv6ReceivePacketInfo) != 0;
        set => Set(SocketOption.IpPacketInfo, SocketOption.Ipv6ReceivePacketInfo, value ? 1 : 0);
    }

    /// <summary>
    /// Whether received datagrams come with their time to live (IP_RECVTTL: <see cref="ControlMessageType.IpTimeToLive"/>; IPV6_RECVHOPLIMIT:
    /// <see cref="ControlMessageType.Ipv6HopLimit"/>).
    /// </summary>
    public bool ReceivesTimeToLive
    {
        get => Get(SocketOption.IpReceiveTimeToLive, SocketOption.Ipv6ReceiveHopLimit) != 0;
        set => Set(SocketOption.IpReceiveTimeToLive, SocketOption.Ipv6ReceiveHopLimit, value ? 1 : 0);
    }

    /// <summary>
    /// Whether received datagrams come with the time of their arrival by the real-time clock: SO_TIMESTAMPNS,
    /// <see cref="ControlMessageType.SocketTimestampNanoseconds"/>.
    /// </summary>
    public bool ReceivesTimestamp
    {
        get => GetOption(SocketLevel.Socket, SocketOption.SocketTimestampNanoseconds) != 0;
        set => SetOption(SocketLevel.Socket, SocketOption.SocketTimestampNanoseconds, value ? 1 : 0);
    }

    /// <summary>
    /// SO_PASSCRED of unix(7): whether received datagrams come with who sent them (<see cref="ProcessCredentials.TryFind"/>). Off from the start.
    /// </summary>
    /// <exception cref="InvalidOperationException">Set on a socket that is no unix socket.</exception>
    public bool PassCredentials
    {
        get => Domain == SocketDomain.Unix && GetOption(SocketLevel.Socket, SocketOption.SocketPassCredentials) != 0;
        set
        {
            if (Domain != SocketDomain.Unix)
                throw new InvalidOperationException("Only unix sockets know which process sends.");
            SetOption(SocketLevel.Socket, SocketOption.SocketPassCredentials, value ? 1 : 0);
        }
    }

    /// <summary>Whether datagrams may be received several as one message, which is taken apart here: <see cref="DatagramOptions.ReceivesTrains"/>.</summary>
    public bool ReceivesTrains => _reader.Trains != null;

    // Multicast

    /// <summary>How many routers a datagram to a group may pass; the system's default is 1, the own network. IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS.</summary>
    public int MulticastTimeToLive
    {
        get => Get(SocketOption.IpMulticastTimeToLive, SocketOption.Ipv6MulticastHops);
        set => Set(SocketOption.IpMulticastTimeToLive, SocketOption.Ipv6MulticastHops, value);
    }

    /// <summary>Whether members of the group on this machine get what this socket sends to it; they do by default. IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP.</summary>
    public bool MulticastLoopback
    {
        get => Get(SocketOption.IpMulticastLoopback, SocketOption.Ipv6MulticastLoopback) != 0;
        set => Set(SocketOption.IpMulticastLoopback, SocketOption.Ipv6MulticastLoopback, value ? 1 : 0);
    }

    /// <summary>Says through which interface datagrams to groups leave; 0: as the routes say. IP_MULTICAST_IF, IPV6_MULTICAST_IF.</summary>
    /// <exception cref="KernelException">No such interface.</exception>
    public unsafe void SetMulticastInterface(int interfaceIndex)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(interfaceIndex);
        if (Domain == SocketDomain.Inet6)
        {
            SetOption(SocketLevel.Ipv6, SocketOption.Ipv6MulticastInterface, interfaceIndex);
            return;
        }

        RequireInet();
        byte* request = stackalloc byte[GroupOfV4Size];
        new Span<byte>(request, GroupOfV4Size).Clear();
        *(int*)(request + 8) = interfaceIndex;
        SetOption(SocketLevel.Ip, SocketOption.IpMulticastInterface, request, GroupOfV4Size);
    }

    /// <summary>Joins a group: what is sent to its address on an interface's network is received.</summary>
    /// <param name="group">An address of the group's, 224.0.0.0/4 or ff00::/8, of the socket's own version (a dual-mode socket joins groups of both).</param>
    /// <param name="interfaceIndex">The number of the interface; 0: as the routes say.</param>
    /// <exception cref="KernelException">EADDRINUSE: it is a member already; EINVAL: not the address of a group; ENODEV: no such interface.</exception>
    public void JoinGroup(IPAddress group, int interfaceIndex = 0)
        => SetMembership(group, interfaceIndex, SocketOption.IpAddMembership, SocketOption.Ipv6AddMembership);

    /// <summary>Leaves a group that it has joined with the same arguments.</summary>
    /// <exception cref="KernelException">EADDRNOTAVAIL: it is not a member.</exception>
    public void LeaveGroup(IPAddress group, int interfaceIndex = 0)
        => SetMembership(group, interfaceIndex, SocketOption.IpDropMembership, SocketOption.Ipv6DropMembership);

    private const int GroupOfV4Size = 12; // struct ip_mreqn: group, local address, int index
    private const int GroupOfV6Size = 20; // struct ipv6_mreq: group, unsigned index

    private unsafe void SetMembership(IPAddress group, int interfaceIndex, SocketOption optionOfV4, SocketOption optionOfV6)
    {
        ArgumentNullException.ThrowIfNull(group);
        ArgumentOutOfRangeException.ThrowIfNegative(interfaceIndex);
        RequireInet();
        byte* request = stackalloc byte[GroupOfV6Size];
        var bytes = new Span<byte>(request, GroupOfV6Size);
        bytes.Clear();
        group.TryWriteBytes(bytes, out int length);
        bool isV4 = length == 4;
        MemoryMarshal.Write(bytes[(isV4 ? 8 : 16)..], interfaceIndex);
        SetOption(isV4 ? SocketLevel.Ip : SocketLevel.Ipv6, isV4 ? optionOfV4 : optionOfV6, request, isV4 ? GroupOfV4Size : GroupOfV6Size);
    }

    // Any option

    /// <summary>Any integer option. getsockopt(2).</summary>
    public int GetOption(SocketLevel level, SocketOption option) => SocketCalls.GetOption(_loop.Kernel, DescriptorOnLoop(), level, option);

    /// <summary>Any integer option. setsockopt(2).</summary>
    public void SetOption(SocketLevel level, SocketOption option, int value)
        => SocketCalls.SetOption(_loop.Kernel, DescriptorOnLoop(), level, option, value);

    private unsafe void SetOption(SocketLevel level, SocketOption option, byte* value, int length)
        => SocketCalls.SetOption(_loop.Kernel, DescriptorOnLoop(), level, option, value, length);

    private int Get(SocketOption ofV4, SocketOption ofV6)
    {
        RequireInet();
        return Domain == SocketDomain.Inet6 ? GetOption(SocketLevel.Ipv6, ofV6) : GetOption(SocketLevel.Ip, ofV4);
    }

    private void Set(SocketOption ofV4, SocketOption ofV6, int value)
    {
        RequireInet();
        if (Domain == SocketDomain.Inet6)
            SetOption(SocketLevel.Ipv6, ofV6, value);
        else
            SetOption(SocketLevel.Ip, ofV4, value);
    }

    private void RequireInet()
    {
        if (Domain == SocketDomain.Unix)
            throw new InvalidOperationException("A unix socket has no options of IP.");
    }
}
