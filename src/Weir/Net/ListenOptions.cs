namespace Weir.Net;

/// <summary>How a <see cref="Listener"/> listens.</summary>
public sealed class ListenOptions
{
    /// <summary>How many connections may wait to be accepted; the kernel cuts it to net.core.somaxconn. Defaults to 4096.</summary>
    public int Backlog { get; set; } = 4096;

    /// <summary>
    /// SO_REUSEADDR: bind although connections of an earlier listener linger in TIME_WAIT. On a unix path: replace a socket on which nobody
    /// listens any more. Does not let two listeners share an address: that is <see cref="ReusePort"/>. Defaults to true.
    /// </summary>
    public bool ReuseAddress { get; set; } = true;

    /// <summary>SO_REUSEPORT: several listeners share the address and the kernel spreads connections over them. Defaults to false.</summary>
    public bool ReusePort { get; set; }

    /// <summary>An IPv6 listener on the any-address takes IPv4 connections too. Defaults to true.</summary>
    public bool DualMode { get; set; } = true;

    /// <summary>TCP_NODELAY on accepted connections, which inherit it without a call each. Defaults to true.</summary>
    public bool NoDelay { get; set; } = true;
}
