namespace Weir.Tool.Proxy;

/// <summary>What a <see cref="ProxyServer"/> is to do. Addresses are resolved: the core asks no name server.</summary>
internal sealed class ProxyOptions
{
    /// <summary>Where to connect to: each upstream with its addresses, which are tried in turn.</summary>
    internal required IReadOnlyList<Upstream> Upstreams { get; init; }

    internal Balance Balance { get; init; } = Balance.RoundRobin;

    /// <summary>For each address tried.</summary>
    internal TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// A connection on which nothing moves for so long, either way, is closed, and reset if a receiver has not taken what was sent to it; zero:
    /// never.
    /// </summary>
    internal TimeSpan IdleTimeout { get; init; }

    /// <summary>How long connections may go on after <see cref="ProxyServer.Drain"/>; those left then are cut as <see cref="ProxyServer.Abort"/> does it.</summary>
    internal TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Connections at a time; more wait in the listeners' backlogs.</summary>
    internal int MaxConnections { get; init; } = int.MaxValue;

    /// <summary>Pipes for splicing at a time, of two descriptors each; 0 switches splicing off.</summary>
    internal int MaxPipes { get; init; } = DescriptorLimit.MostPipes;
}
