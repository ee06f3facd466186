using System.Diagnostics;
using System.Net;
using StackExchange.Redis;
using Weir.Tool.Proxy;
using Weir.Tool.Tests.Support;

namespace Weir.Tool.Tests.Programs;

public class RedisTests
{
    [RedisFact]
    public async Task A_pipelining_client_gets_each_answer_in_its_place()
    {
        using var redis = new ServerProgram(port => ["redis-server", "--port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        using var proxy = new ProxyHost(new ProxyOptions { Upstreams = [ProxyHost.To(redis.EndPoint)] });
        using ConnectionMultiplexer multiplexer = await ConnectionMultiplexer.ConnectAsync($"{proxy.EndPoint},abortConnect=false,syncTimeout=30000,connectTimeout=30000");
        IDatabase database = multiplexer.GetDatabase();
        byte[] large = Transfer.Random(4 << 20);
        await database.StringSetAsync("large", large);
        Task<long>[] counts = [.. Enumerable.Range(0, 20_000).Select(_ => database.StringIncrementAsync("count"))];
        Assert.Equal(Enumerable.Range(1, 20_000).Select(i => (long)i), await Task.WhenAll(counts));
        Assert.True(Transfer.Same(large, (await database.StringGetAsync("large"))!));
    }

    [RedisFact]
    public void Redis_benchmark_runs_through_it()
    {
        using var redis = new ServerProgram(port => ["redis-server", "--port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        using var proxy = new ProxyHost(new ProxyOptions { Upstreams = [ProxyHost.To(redis.EndPoint)] });
        foreach (string depth in new[] { "1", "16" })
        {
            string output = ServerProgram.RunToEnd("redis-benchmark", "-p", $"{((IPEndPoint)proxy.EndPoint).Port}", "-c", "20", "-n", "5000", "-P", depth, "-t", "set,get,lrange_100", "--csv");
            Assert.Contains("\"LRANGE_100", output, StringComparison.Ordinal);
            Assert.DoesNotContain("rror", output, StringComparison.Ordinal);
        }
    }
}
