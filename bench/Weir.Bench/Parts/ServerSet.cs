using System.Collections;

namespace Weir.Bench.Parts;

/// <summary>The servers of one comparison: all up at the same time, all warm, all on one CPU.</summary>
internal sealed class ServerSet : IReadOnlyList<EchoServer>, IDisposable
{
    private readonly List<EchoServer> _servers = [];

    private ServerSet()
    {
    }

    public int Count => _servers.Count;

    public EchoServer this[int index] => _servers[index];

    /// <summary>Starts a server for each peer and warms them up.</summary>
    /// <param name="peers">What to start.</param>
    /// <param name="settings">Where.</param>
    /// <param name="buffer">The bytes they read at once.</param>
    /// <param name="optional">Those that are left out, with a line on stderr, if they do not start.</param>
    public static ServerSet Start(IEnumerable<Peer> peers, Settings settings, int buffer, params IReadOnlyCollection<Peer> optional)
    {
        var set = new ServerSet();
        try
        {
            foreach (Peer peer in peers)
            {
                try
                {
                    set._servers.Add(EchoServer.Start(peer, settings.ServerCpu, buffer));
                }
                catch (BenchException e) when (optional.Contains(peer))
                {
                    Report.Remark($"{e.Message}: measuring without it");
                }
            }

            Report.Remark($"warming up {set.Count} servers");
            WarmUp.Servers(set, new LoadGenerator(settings), settings);
            return set;
        }
        catch
        {
            set.Dispose();
            throw;
        }
    }

    public IEnumerator<EchoServer> GetEnumerator() => _servers.GetEnumerator();

    public void Dispose() => _servers.ForEach(server => server.Dispose());

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
