namespace Weir.Simulation;

/// <summary>How packets travel from one host to another. A value that never changes: give the network another to change it.</summary>
public sealed record SimLink
{
    /// <summary>How long a packet takes, at least. Defaults to 100 microseconds.</summary>
    public TimeSpan Latency { get; init; } = TimeSpan.FromMicroseconds(100);

    /// <summary>
    /// How much longer a packet may take; drawn for each. Datagrams overtake one another by it, the segments of one connection do not.
    /// Defaults to zero.
    /// </summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>Bytes per second, headers included; 0: no limit. Defaults to 0.</summary>
    public long Bandwidth { get; init; }

    /// <summary>
    /// How likely a packet is lost, 0 to 1. TCP sends it again (so that it comes late, or after a quarter of an hour the connection ends with
    /// ETIMEDOUT); a datagram is gone. Defaults to 0.
    /// </summary>
    public double Loss { get; init; }
}
