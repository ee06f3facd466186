using System.Net;

namespace Weir.Net;

/// <summary>How <see cref="Connection.ConnectAsync(EndPoint, ConnectOptions?, CancellationToken)"/> connects.</summary>
public sealed class ConnectOptions
{
    /// <summary>TCP_NODELAY. Defaults to true.</summary>
    public bool NoDelay { get; set; } = true;

    /// <summary>The local address to connect from. Defaults to the kernel's choice.</summary>
    public EndPoint? LocalEndPoint { get; set; }

    /// <summary>How long to try. Defaults to no limit but the kernel's own (about two minutes for TCP).</summary>
    public TimeSpan Timeout { get; set; } = System.Threading.Timeout.InfiniteTimeSpan;
}
