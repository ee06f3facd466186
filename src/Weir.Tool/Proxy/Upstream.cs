using System.Net;

namespace Weir.Tool.Proxy;

/// <summary>One server to pass connections on to, and what is known of it.</summary>
internal sealed class Upstream(string name, IReadOnlyList<EndPoint> addresses)
{
    /// <summary>As the user wrote it.</summary>
    internal string Name { get; } = name;

    /// <summary>Tried in turn.</summary>
    internal IReadOnlyList<EndPoint> Addresses { get; } = addresses;

    /// <summary>Connections that use it, or try to.</summary>
    internal int Active { get; set; }

    /// <summary>Failures to connect, ever.</summary>
    internal long Failures { get; set; }

    /// <summary>Failures since it last worked.</summary>
    internal int FailuresInARow { get; set; }

    /// <summary>Until then (monotonic nanoseconds) others go first.</summary>
    internal long RestsUntil { get; set; }
}
