using System.Net;
using Weir.Tool.Proxy;

namespace Weir.Tool.Commands;

/// <summary>What <c>weir proxy</c> was asked for, with names resolved.</summary>
internal sealed class ProxySettings
{
    internal required IReadOnlyList<EndPoint> Listen { get; init; }

    /// <summary>Empty: to the echo server inside this program.</summary>
    internal required IReadOnlyList<Upstream> Upstreams { get; init; }

    internal required Balance Balance { get; init; }

    internal required TimeSpan ConnectTimeout { get; init; }

    internal required TimeSpan IdleTimeout { get; init; }

    internal required TimeSpan DrainTimeout { get; init; }

    internal required TimeSpan StatisticsEach { get; init; }

    internal required int MaxConnections { get; init; }

    internal required int MaxPipes { get; init; }

    internal ProxyOptions ToOptions(IReadOnlyList<Upstream> upstreams) => new()
    {
        Upstreams = upstreams,
        Balance = Balance,
        ConnectTimeout = ConnectTimeout,
        IdleTimeout = IdleTimeout,
        DrainTimeout = DrainTimeout,
        MaxConnections = MaxConnections,
        MaxPipes = MaxPipes,
    };
}
