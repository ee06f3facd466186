using System.Net;
using Weir.Net;

namespace Weir.Tool.Proxy;

/// <summary>A client's connection and the one to its upstream, from accepting to closing.</summary>
internal sealed class ProxyConnection(ProxyServer server, Connection client)
{
    private Connection? _upstream;
    private Pump? _toUpstream;
    private Pump? _toClient;
    private int _queued;
    private bool _closed;

    /// <summary>Neighbours in the server's list.</summary>
    internal ProxyConnection? Next;
    internal ProxyConnection? Previous;

    /// <summary>The <see cref="ProxyShared.Tick"/> at which something moved last.</summary>
    internal int LastTick;

    /// <summary>
    /// Serves the connection to its end. Returns void: a failure that is not the everyday end of a connection is a bug, and goes to the
    /// loop's unhandled-exception policy instead of being dropped with a task.
    /// </summary>
    internal async void Start()
    {
        Upstream? chosen = null;
        try
        {
            (chosen, _upstream) = await ConnectAsync();
            if (_upstream != null && !_closed)
            {
                _toUpstream = new Pump(this, client, _upstream, server.Shared, server.Statistics.ToUpstream);
                _toClient = new Pump(this, _upstream, client, server.Shared, server.Statistics.ToClient);
                Task toUpstream = _toUpstream.RunAsync();
                await _toClient.RunAsync();
                await toUpstream;
            }
        }
        finally
        {
            Close();
            if (chosen != null)
                UpstreamPool.Release(chosen);
            server.Ended(this);
        }
    }

    /// <summary>Tries upstreams until one answers. Without one, both are null.</summary>
    private async Task<(Upstream?, Connection?)> ConnectAsync()
    {
        List<Upstream>? tried = null;
        while (!_closed && server.Pool.Take(server.Now, tried) is { } candidate)
        {
            foreach (EndPoint address in candidate.Addresses)
            {
                try
                {
                    Connection connection = await Connection.ConnectAsync(address, server.ConnectOptions, server.Aborting);
                    UpstreamPool.Worked(candidate);
                    server.Connected?.Invoke(candidate, address);
                    return (candidate, connection);
                }
                catch (Exception exception) when (exception is IOException or TimeoutException)
                {
                    server.Statistics.ConnectFailures++;
                    server.Report(candidate, address, exception);
                }
                catch (OperationCanceledException)
                {
                    UpstreamPool.Release(candidate);
                    return default;
                }
            }

            UpstreamPool.Release(candidate);
            UpstreamPool.Failed(candidate, server.Now);
            (tried ??= []).Add(candidate);
        }

        if (!_closed)
            server.Statistics.Unreachable++;
        return default;
    }

    /// <summary>
    /// One side is broken. The other is told by a reset, whatever it was that broke the first, so that nobody takes half an answer for a
    /// whole one.
    /// </summary>
    internal void SideFailed()
    {
        if (_closed)
            return;
        server.Statistics.Resets++;
        Reset();
    }

    /// <summary>
    /// Whether a receiver has taken something since the last look. It takes what the kernel holds for it, megabytes maybe, long before there
    /// is room for a pump to write more.
    /// </summary>
    internal bool LookForProgress()
    {
        int before = _queued;
        _queued = SendQueue.Length(server.Kernel, client) + (_upstream == null ? 0 : SendQueue.Length(server.Kernel, _upstream));
        return _queued != before;
    }

    /// <summary>
    /// Ends a connection that neither side has ended. In mid-transfer that is a reset, for the same reason as when a side is broken: while
    /// something is <paramref name="moving"/>, or a receiver is still owed what was read for it.
    /// </summary>
    internal void Cut(bool moving)
    {
        if (!_closed && _upstream != null && (moving || _toUpstream?.HoldsBytes == true || _toClient?.HoldsBytes == true))
            Reset();
        else
            Close();
    }

    private void Reset()
    {
        _closed = true;
        client.Abort();
        _upstream!.Abort();
    }

    /// <summary>Closes both sides; the pumps end.</summary>
    internal void Close()
    {
        _closed = true;
        client.Dispose();
        _upstream?.Dispose();
    }
}
