namespace Weir.Tool.Proxy;

/// <summary>How connections are spread over upstreams.</summary>
internal enum Balance
{
    /// <summary>One after the other.</summary>
    RoundRobin,

    /// <summary>The one with the fewest connections; among equals, one after the other.</summary>
    LeastConnections,
}

/// <summary>
/// The upstreams, and the choice among them. One that failed rests for a while, longer each time: it is then tried only when all others
/// have failed too.
/// </summary>
internal sealed class UpstreamPool(IReadOnlyList<Upstream> upstreams, Balance balance)
{
    private const long FirstRest = 1_000_000_000;
    private const int MostDoublings = 4;

    private int _next;

    internal IReadOnlyList<Upstream> Upstreams => upstreams;

    /// <summary>
    /// Chooses an upstream and counts the connection on it. Null: all of <paramref name="tried"/> were tried and there is no other.
    /// </summary>
    internal Upstream? Take(long now, List<Upstream>? tried)
    {
        Upstream? best = null;
        bool bestRests = false;
        for (int i = 0; i < upstreams.Count; i++)
        {
            Upstream candidate = upstreams[(_next + i) % upstreams.Count];
            if (tried?.Contains(candidate) == true)
                continue;
            bool rests = candidate.RestsUntil > now;
            if (best == null || IsBetter(candidate, rests, best, bestRests))
            {
                best = candidate;
                bestRests = rests;
            }
        }

        if (best == null)
            return null;
        _next = (IndexOf(best) + 1) % upstreams.Count;
        best.Active++;
        return best;
    }

    private bool IsBetter(Upstream candidate, bool rests, Upstream best, bool bestRests)
    {
        if (rests != bestRests)
            return bestRests;
        if (rests && candidate.RestsUntil != best.RestsUntil)
            return candidate.RestsUntil < best.RestsUntil;
        return balance == Balance.LeastConnections && candidate.Active < best.Active;
    }

    private int IndexOf(Upstream upstream)
    {
        for (int i = 0; i < upstreams.Count; i++)
        {
            if (upstreams[i] == upstream)
                return i;
        }

        return -1;
    }

    /// <summary>The connection to it has ended, or could not be made.</summary>
    internal static void Release(Upstream upstream) => upstream.Active--;

    internal static void Worked(Upstream upstream)
    {
        upstream.FailuresInARow = 0;
        upstream.RestsUntil = 0;
    }

    internal static void Failed(Upstream upstream, long now)
    {
        upstream.Failures++;
        upstream.RestsUntil = now + (FirstRest << Math.Min(upstream.FailuresInARow, MostDoublings));
        upstream.FailuresInARow++;
    }
}
