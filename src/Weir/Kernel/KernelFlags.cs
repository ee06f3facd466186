namespace Weir;

#pragma warning disable CS1591 // Each member is the constant of the man page named on its enum.

/// <summary>Readiness bits and registration modes of epoll_ctl(2). The low bits equal those of poll(2).</summary>
[Flags]
public enum EpollEvents : uint
{
    None = 0,
    In = 0x001,
    Pri = 0x002,
    Out = 0x004,
    Err = 0x008,
    Hup = 0x010,
    RdNorm = 0x040,
    RdBand = 0x080,
    WrNorm = 0x100,
    WrBand = 0x200,
    Msg = 0x400,
    RdHup = 0x2000,
    Exclusive = 1u << 28,
    WakeUp = 1u << 29,
    OneShot = 1u << 30,
    EdgeTriggered = 1u << 31,
}

/// <summary>Operations of epoll_ctl(2).</summary>
public enum EpollOp
{
    Add = 1,
    Delete = 2,
    Modify = 3,
}

/// <summary>Status flags of open(2), pipe2(2), eventfd(2) and the like; the numbers shared by x64 and arm64.</summary>
[Flags]
public enum FileFlags
{
    ReadOnly = 0,
    WriteOnly = 1,
    ReadWrite = 2,
    Create = 0x40,
    Exclusive = 0x80,
    Truncate = 0x200,
    Append = 0x400,
    NonBlock = 0x800,
    DataSync = 0x1000,
    Sync = 0x101000,
    CloseOnExec = 0x80000,
}

/// <summary>Flags of eventfd(2).</summary>
[Flags]
public enum EventFdFlags
{
    None = 0,
    Semaphore = 1,
    NonBlock = 0x800,
    CloseOnExec = 0x80000,
}

/// <summary>Commands of fcntl(2).</summary>
public enum FcntlCommand
{
    GetDescriptorFlags = 1,
    SetDescriptorFlags = 2,
    GetStatusFlags = 3,
    SetStatusFlags = 4,
    DupCloseOnExec = 1030,
    SetPipeSize = 1031,
    GetPipeSize = 1032,
}

/// <summary>Address families of socket(2), by Linux's numbers (the framework's AddressFamily has its own).</summary>
public enum SocketDomain
{
    Unspecified = 0,
    Unix = 1,
    Inet = 2,
    Inet6 = 10,
}

/// <summary>Kinds of socket(2).</summary>
public enum SocketKind
{
    Stream = 1,
    Datagram = 2,
    SeqPacket = 5,
}

/// <summary>Flags of recv(2) and send(2).</summary>
[Flags]
public enum MessageFlags
{
    None = 0,
    OutOfBand = 0x1,
    Peek = 0x2,
    ControlTruncated = 0x8,
    Truncated = 0x20,
    DontWait = 0x40,
    WaitAll = 0x100,
    NoSignal = 0x4000,
    CloseOnExec = 0x40000000,
}

/// <summary>Directions of shutdown(2).</summary>
public enum ShutdownHow
{
    Read = 0,
    Write = 1,
    Both = 2,
}

/// <summary>Option levels of getsockopt(2).</summary>
public enum SocketLevel
{
    Ip = 0,
    Socket = 1,
    Tcp = 6,
    Udp = 17,
    Ipv6 = 41,
}

/// <summary>Options of getsockopt(2) at the level named in front of each.</summary>
public enum SocketOption
{
    SocketReuseAddress = 2,
    SocketType = 3,
    SocketError = 4,
    SocketBroadcast = 6,
    SocketSendBuffer = 7,
    SocketReceiveBuffer = 8,
    SocketKeepAlive = 9,
    SocketLinger = 13,
    SocketPassCredentials = 16,
    SocketPeerCredentials = 17,
    SocketReusePort = 15,
    SocketReceiveLowWatermark = 18,
    SocketAcceptConnections = 30,
    SocketTimestampNanoseconds = 35,
    SocketProtocol = 38,
    SocketDomain = 39,
    TcpNoDelay = 1,
    TcpKeepIdle = 4,
    TcpKeepInterval = 5,
    TcpKeepCount = 6,
    TcpDeferAccept = 9,
    TcpQuickAck = 12,
    TcpUserTimeout = 18,
    TcpFastOpen = 23,
    IpTypeOfService = 1,
    IpTimeToLive = 2,
    IpPacketInfo = 8,
    IpReceiveTimeToLive = 12,
    IpReceiveTypeOfService = 13,
    IpMulticastInterface = 32,
    IpMulticastTimeToLive = 33,
    IpMulticastLoopback = 34,
    IpAddMembership = 35,
    IpDropMembership = 36,
    Ipv6UnicastHops = 16,
    Ipv6MulticastInterface = 17,
    Ipv6MulticastHops = 18,
    Ipv6MulticastLoopback = 19,
    Ipv6AddMembership = 20,
    Ipv6DropMembership = 21,
    Ipv6Only = 26,
    Ipv6ReceivePacketInfo = 49,
    Ipv6PacketInfo = 50,
    Ipv6ReceiveHopLimit = 51,
    Ipv6HopLimit = 52,
    Ipv6ReceiveTrafficClass = 66,
    Ipv6TrafficClass = 67,
    UdpSegment = 103,
    UdpReceiveSegment = 104,
}

/// <summary>Flags of splice(2).</summary>
[Flags]
public enum SpliceFlags
{
    None = 0,
    Move = 1,
    NonBlock = 2,
    More = 4,
}

/// <summary>Clocks of clock_gettime(2) and timerfd_create(2).</summary>
public enum ClockId
{
    Realtime = 0,
    Monotonic = 1,
}

/// <summary>Flags of timerfd_settime(2).</summary>
[Flags]
public enum TimerFdSetFlags
{
    None = 0,
    Absolute = 1,
}

/// <summary>Resources of getrlimit(2).</summary>
public enum ResourceLimit
{
    OpenFiles = 7,
    LockedMemory = 8,
}

/// <summary>Events of inotify(7), and flags of inotify_add_watch(2).</summary>
[Flags]
public enum InotifyEvents : uint
{
    Access = 0x1,
    Modify = 0x2,
    Attributes = 0x4,
    CloseWrite = 0x8,
    CloseNoWrite = 0x10,
    Open = 0x20,
    MovedFrom = 0x40,
    MovedTo = 0x80,
    Create = 0x100,
    Delete = 0x200,
    DeleteSelf = 0x400,
    MoveSelf = 0x800,
    All = 0xFFF,
    Unmount = 0x2000,
    QueueOverflow = 0x4000,
    Ignored = 0x8000,
    OnlyDirectory = 0x0100_0000,
    DoNotFollow = 0x0200_0000,
    ExcludeUnlinked = 0x0400_0000,
    MaskCreate = 0x1000_0000,
    MaskAdd = 0x2000_0000,
    IsDirectory = 0x4000_0000,
    OneShot = 0x8000_0000,
}

/// <summary>Modes of fallocate(2).</summary>
[Flags]
public enum FileAllocation
{
    Default = 0,
    KeepSize = 1,
    PunchHole = 2,
    CollapseRange = 8,
    ZeroRange = 16,
}

/// <summary>Flags of statx(2).</summary>
[Flags]
public enum StatXFlags
{
    None = 0,
    NoFollow = 0x100,
    EmptyPath = 0x1000,
}

/// <summary>What statx(2) is asked for, and what it found.</summary>
[Flags]
public enum StatXMask : uint
{
    Type = 0x1,
    Mode = 0x2,
    Links = 0x4,
    Owner = 0x8,
    Group = 0x10,
    AccessTime = 0x20,
    ModifyTime = 0x40,
    ChangeTime = 0x80,
    Inode = 0x100,
    Size = 0x200,
    Blocks = 0x400,
    BasicStats = 0x7FF,
    BirthTime = 0x800,
}

/// <summary>Flags of waitid(2).</summary>
[Flags]
public enum WaitFlags
{
    NoHang = 0x1,
    Exited = 0x4,
    NoReap = 0x0100_0000,
}
