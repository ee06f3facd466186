using System.Net;
using System.Net.Sockets;
using Weir.Tool.Tests.Support;

namespace Weir.Tool.Tests.Commands;

public class ProxyCommandTests
{
    private const int SigTerm = 15;

    [Fact]
    public void Alone_it_starts_an_echo_server_and_says_what_to_type()
    {
        using ToolProcess tool = ToolProcess.StartListening(out IPEndPoint endPoint, "proxy");
        Assert.StartsWith("passing on to an echo server inside", tool.ReadLine(), StringComparison.Ordinal);
        Assert.EndsWith($"nc 127.0.0.1 {endPoint.Port}", tool.ReadLine(), StringComparison.Ordinal);
        using Socket client = TestServer.Connect(endPoint);
        client.Ping();
    }

    [Fact]
    public void It_listens_on_several_addresses_and_spreads_over_several_upstreams()
    {
        using TestServer first = TestServer.Echo();
        var path = new UnixDomainSocketEndPoint(Path.Combine(Path.GetTempPath(), $"weir-{Guid.NewGuid():N}"));
        using TestServer second = TestServer.Echo(path);
        string name = $"weir-test-{Guid.NewGuid():N}";
        using ToolProcess tool = ToolProcess.StartListening(out IPEndPoint endPoint, "proxy", "--listen", $"unix:@{name}", "--listen", "[::1]:0", "--to", first.EndPoint.ToString()!, "--to", $"unix:{path}");
        Assert.Equal($"unix:@{name}", ToolProcess.AddressIn(tool.ReadLine()));
        IPEndPoint six = IPEndPoint.Parse(ToolProcess.AddressIn(tool.ReadLine()));
        foreach (EndPoint at in new EndPoint[] { endPoint, new UnixDomainSocketEndPoint("\0" + name), six, endPoint })
        {
            using Socket client = TestServer.Connect(at);
            client.Ping();
        }

        Assert.Equal((2, 3), (first.Accepted, second.Accepted)); // one of three only asked whether the socket is there
        File.Delete(path.ToString());
    }

    [Fact]
    public void A_signal_drains_it_and_a_second_ends_it_at_once()
    {
        using ToolProcess tool = ToolProcess.StartListening(out IPEndPoint endPoint, "proxy", "--drain-timeout", "10m");
        using Socket client = TestServer.Connect(endPoint);
        client.Ping();
        tool.Signal(SigTerm);
        Assert.True(SpinWait.SpinUntil(() => !Accepts(endPoint), TimeSpan.FromSeconds(30)));
        client.Ping();
        tool.Signal(SigTerm);
        (int exitCode, _, string errors) = tool.WaitForEnd();
        Assert.Equal(0, exitCode);
        Assert.Contains("closing 1 connections", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void A_signal_without_connections_ends_it()
    {
        using ToolProcess tool = ToolProcess.StartListening(out _, "proxy");
        tool.Signal(SigTerm);
        Assert.Equal(0, tool.WaitForEnd().ExitCode);
    }

    [Fact]
    public async Task Descriptors_return_to_what_they_were_and_statistics_are_written()
    {
        using TestServer server = TestServer.Echo();
        using ToolProcess tool = ToolProcess.StartListening(out IPEndPoint endPoint, "proxy", "--to", server.EndPoint.ToString()!, "--stats", "10ms");
        int before = tool.CountDescriptors();
        for (int i = 0; i < 3; i++)
        {
            await Use();
            Assert.True(SpinWait.SpinUntil(() => tool.CountDescriptors() == before, TimeSpan.FromSeconds(30)), $"{tool.CountDescriptors()} descriptors instead of {before}");
        }

        tool.Signal(SigTerm);
        Assert.Contains("| to servers ", tool.WaitForEnd().Errors, StringComparison.Ordinal);

        async Task Use()
        {
            Socket[] clients = [.. Enumerable.Range(0, 20).Select(_ => TestServer.Connect(endPoint))];
            Array.ForEach(clients, client => client.Ping());
            await Transfer.RoundTrip(clients[0], 16 << 20);
            Array.ForEach(clients, client => client.Dispose());
        }
    }

    private static bool Accepts(EndPoint endPoint)
    {
        try
        {
            using Socket probe = TestServer.Connect(endPoint);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
