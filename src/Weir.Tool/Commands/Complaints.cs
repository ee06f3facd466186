using System.Net;
using Weir.Tool.Proxy;

namespace Weir.Tool.Commands;

/// <summary>What has been said of upstreams that do not answer: each reason once for each address, until the address has answered again.</summary>
internal sealed class Complaints
{
    // By errno, not by text: that names the descriptor, which differs from connection to connection. As many as there are addresses and errnos at most.
    private readonly HashSet<(Upstream Upstream, EndPoint Address, string Reason)> _said = [];

    /// <summary>Whether this is to be said, which it then counts as.</summary>
    internal bool IsNew(Upstream upstream, EndPoint address, Exception exception)
        => _said.Add((upstream, address, exception is KernelException kernel ? kernel.Errno.ToString() : exception.GetType().Name));

    /// <summary>The address has answered: what goes wrong from now on is news.</summary>
    internal void Forget(Upstream upstream, EndPoint address)
    {
        if (_said.Count > 0)
            _said.RemoveWhere(one => one.Upstream == upstream && one.Address.Equals(address));
    }
}
