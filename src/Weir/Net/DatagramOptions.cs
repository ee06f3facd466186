namespace Weir.Net;

/// <summary>How a <see cref="DatagramSocket"/> is made.</summary>
public sealed class DatagramOptions
{
    /// <summary>
    /// SO_REUSEADDR: several sockets may be bound to one address and port; a datagram to one receiver then goes to the one bound last, one to a
    /// group or to all goes to each. On a unix path: replace a socket that nobody has open any more. Defaults to false.
    /// </summary>
    public bool ReuseAddress { get; set; }

    /// <summary>SO_REUSEPORT: several sockets of one user share the address, and the kernel spreads senders over them. Defaults to false.</summary>
    public bool ReusePort { get; set; }

    /// <summary>SO_BROADCAST: sending to a broadcast address is allowed. Defaults to false.</summary>
    public bool Broadcast { get; set; }

    /// <summary>An IPv6 socket takes part in IPv4 too, with mapped addresses (::ffff:a.b.c.d). Defaults to true.</summary>
    public bool DualMode { get; set; } = true;

    /// <summary>
    /// UDP_GRO of udp(7): datagrams of one length that come from one place in a row may pass through the kernel as one message and are taken apart here. Every
    /// member that receives hands out single datagrams, as ever; what a batch has no room for waits for the next receive. It pays where senders send in rows
    /// (<see cref="DatagramSocket.SendBatchAsync"/>), not where each datagram stands alone, and takes a buffer of 1 MiB, of which what is not used is not
    /// touched. Defaults to false. Without effect on unix sockets.
    /// </summary>
    public bool ReceivesTrains { get; set; }

    /// <summary>SO_RCVBUF in bytes: how much may wait to be received. The kernel doubles it and counts its own overhead. Defaults to 0: the system's.</summary>
    public int ReceiveBufferSize { get; set; }

    /// <summary>SO_SNDBUF in bytes. The kernel doubles it and counts its own overhead. Defaults to 0: the system's.</summary>
    public int SendBufferSize { get; set; }
}
