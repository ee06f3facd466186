using System.Net;
using Weir.Tool.Proxy;

namespace Weir.Tool.Tests.Proxy;

public class UpstreamPoolTests
{
    private const long Second = 1_000_000_000;

    private readonly Upstream[] _upstreams = [.. "abc".Select(name => new Upstream(name.ToString(), [new IPEndPoint(IPAddress.Loopback, 1)]))];

    private string Take(UpstreamPool pool, int count, long now = 0)
        => string.Concat(Enumerable.Range(0, count).Select(_ => pool.Take(now, null)!.Name));

    [Fact]
    public void Round_robin_takes_one_after_the_other() => Assert.Equal("abcabca", Take(new UpstreamPool(_upstreams, Balance.RoundRobin), 7));

    [Fact]
    public void Least_connections_takes_the_one_with_the_fewest()
    {
        var pool = new UpstreamPool(_upstreams, Balance.LeastConnections);
        _upstreams[0].Active = 3;
        _upstreams[1].Active = 1;
        Assert.Equal("cbc", Take(pool, 3));
        UpstreamPool.Release(_upstreams[2]);
        Assert.Equal("c", Take(pool, 1));
    }

    [Fact]
    public void Least_connections_among_equals_takes_one_after_the_other()
        => Assert.Equal("abcabc", Take(new UpstreamPool(_upstreams, Balance.LeastConnections), 6));

    [Theory]
    [InlineData(Balance.RoundRobin)]
    [InlineData(Balance.LeastConnections)]
    internal void One_that_failed_rests_and_comes_back(Balance balance)
    {
        var pool = new UpstreamPool(_upstreams, balance);
        UpstreamPool.Failed(_upstreams[1], 0);
        Assert.Equal("acac", Take(pool, 4));
        Assert.Contains("b", Take(pool, 3, 2 * Second), StringComparison.Ordinal);
    }

    [Fact]
    public void One_that_fails_again_rests_longer_until_it_works()
    {
        Upstream upstream = _upstreams[0];
        UpstreamPool.Failed(upstream, 0);
        Assert.Equal(Second, upstream.RestsUntil);
        UpstreamPool.Failed(upstream, 10 * Second);
        Assert.Equal(12 * Second, upstream.RestsUntil);
        for (int i = 0; i < 20; i++)
            UpstreamPool.Failed(upstream, 0);
        Assert.Equal(16 * Second, upstream.RestsUntil);
        UpstreamPool.Worked(upstream);
        UpstreamPool.Failed(upstream, 0);
        Assert.Equal(Second, upstream.RestsUntil);
    }

    [Fact]
    public void When_all_rest_the_one_that_rests_shortest_is_tried_first_and_each_only_once()
    {
        var pool = new UpstreamPool(_upstreams, Balance.RoundRobin);
        UpstreamPool.Failed(_upstreams[0], 300);
        UpstreamPool.Failed(_upstreams[1], 100);
        UpstreamPool.Failed(_upstreams[2], 200);
        var tried = new List<Upstream>();
        while (pool.Take(400, tried) is { } upstream)
            tried.Add(upstream);
        Assert.Equal(["b", "c", "a"], tried.Select(upstream => upstream.Name));
    }
}
