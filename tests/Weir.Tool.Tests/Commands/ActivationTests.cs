using System.Net;
using System.Net.Sockets;
using System.Text;
using Weir.Tool.Commands;
using Weir.Tool.Tests.Support;

namespace Weir.Tool.Tests.Commands;

/// <summary>The tool as a service: its socket is handed over, and a service manager is told how it does.</summary>
public class ActivationTests
{
    private const int SigTerm = 15;

    // A service manager's child: the socket is descriptor 3, and the variables name the child itself.
    private const string Activate = "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web; exec \"$@\"";

    [Theory]
    [InlineData("echo", "systemd")]
    [InlineData("echo", "systemd:web")]
    [InlineData("echo", "fd:3")]
    [InlineData("proxy", "systemd")]
    public void A_socket_handed_over_is_served_and_the_manager_is_told(string command, string address)
    {
        using var listening = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listening.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listening.Listen();
        var endPoint = (IPEndPoint)listening.LocalEndPoint!;
        string name = $"weir-test-{Guid.NewGuid():N}";
        using var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { ReceiveTimeout = 30_000 };
        manager.Bind(new UnixDomainSocketEndPoint("\0" + name));
        EventLoop.Run(async () =>
        {
            var options = new ChildProcessOptions("sh", "-c", Activate, "sh", "dotnet", ToolProcess.ToolPath, command, "--listen", address)
            {
                StandardInput = ChildStream.FromDescriptor((int)listening.Handle),
                StandardOutput = ChildStream.Pipe,
            };
            options.Environment["NOTIFY_SOCKET"] = "@" + name;
            using ChildProcess tool = ChildProcess.Start(options);
            try
            {
                using var output = new StreamReader(tool.StandardOutput);
                Assert.StartsWith($"listening on {endPoint}", await output.ReadLineAsync(), StringComparison.Ordinal);
                Assert.Equal("READY=1", Told(manager));
                using (Socket client = TestServer.Connect(endPoint))
                    client.Ping();
                tool.Kill(SigTerm);
                Assert.Equal(0, (await tool.WaitForExitAsync()).ExitCode);
                Assert.Equal("STOPPING=1", Told(manager));
            }
            finally
            {
                tool.Kill();
            }
        });
        // The socket is the manager's still.
        using var next = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        next.Connect(endPoint);
    }

    private static string Told(Socket manager)
    {
        byte[] buffer = new byte[200];
        return Encoding.UTF8.GetString(buffer, 0, manager.Receive(buffer));
    }

    [Theory]
    [InlineData("systemd", "no socket was handed over")]
    [InlineData("systemd:web", "under that name")]
    [InlineData("fd:9999", "not open")]
    [InlineData("fd:x", "number of a descriptor")]
    public void What_was_not_handed_over_is_told(string address, string message)
        => Assert.Contains(message, Assert.Throws<ToolException>(() => Address.ForListening(address)).Message);

    [Fact]
    public void A_socket_that_does_not_listen_is_refused()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        Assert.Contains("no stream socket that listens", Assert.Throws<ToolException>(() => Address.ForListening($"fd:{socket.Handle}")).Message);
    }

    [Fact]
    public void A_host_may_be_called_as_it_likes_where_a_port_follows()
    {
        Assert.True(Address.TryParse("systemd:80", out EndPoint endPoint, out _));
        Assert.Equal("systemd", Assert.IsType<DnsEndPoint>(endPoint).Host);
    }

    [Fact]
    public async Task An_abstract_name_is_listened_on_and_passed_on_to()
    {
        string first = $"unix:@weir-test-{Guid.NewGuid():N}", second = $"unix:@weir-test-{Guid.NewGuid():N}";
        using ToolProcess echo = ToolProcess.Start("echo", "--listen", first);
        Assert.StartsWith($"listening on {first}", echo.ReadLine(), StringComparison.Ordinal);
        using ToolProcess proxy = ToolProcess.Start("proxy", "--listen", second, "--to", first);
        Assert.StartsWith($"listening on {second}", proxy.ReadLine(), StringComparison.Ordinal);
        Assert.True(Address.TryParse(second, out EndPoint endPoint, out _));
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(endPoint);
        await Transfer.RoundTrip(client, 1 << 20);
    }
}
