namespace Weir.Tool.Proxy;

/// <summary>What a proxy has done so far; counted on the loop's thread.</summary>
internal sealed class ProxyStatistics
{
    /// <summary>Connections now.</summary>
    internal int Active { get; set; }

    /// <summary>Connections ever accepted.</summary>
    internal long Accepted { get; set; }

    /// <summary>Connections closed because no upstream could be reached.</summary>
    internal long Unreachable { get; set; }

    /// <summary>Attempts to connect to an upstream that failed.</summary>
    internal long ConnectFailures { get; set; }

    /// <summary>Connections that ended with a reset or another error of one side.</summary>
    internal long Resets { get; set; }

    /// <summary>Connections closed because nothing moved.</summary>
    internal long IdleClosed { get; set; }

    /// <summary>From clients to upstreams.</summary>
    internal Flow ToUpstream { get; } = new();

    /// <summary>From upstreams to clients.</summary>
    internal Flow ToClient { get; } = new();
}

/// <summary>Bytes in one direction, over all connections.</summary>
internal sealed class Flow
{
    /// <summary>All bytes; a field, since each message adds to it.</summary>
    internal long Bytes;

    /// <summary>Of these, bytes that were spliced.</summary>
    internal long Spliced;
}
