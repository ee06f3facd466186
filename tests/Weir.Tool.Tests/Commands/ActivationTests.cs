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
    public unsafe void A_socket_of_another_family_is_refused()
    {
        const SocketDomain Vsock = (SocketDomain)40;
        int fd = Kernel.Linux.Socket(Vsock, SocketKind.Stream, 0);
        if (fd < 0)
            return; // a kernel without
        try
        {
            uint* anyAddress = stackalloc uint[4] { (uint)Vsock, uint.MaxValue, uint.MaxValue, 0 }; // struct sockaddr_vm
            Assert.Equal(0, Kernel.Linux.Bind(fd, anyAddress, 16));
            Assert.Equal(0, Kernel.Linux.Listen(fd, 1));
            Assert.Contains("neither a TCP nor a unix socket", Assert.Throws<ToolException>(() => Address.ForListening($"fd:{fd}")).Message);
        }
        finally
        {
            Kernel.Linux.Close(fd);
        }
    }

    [Theory]
    [InlineData("NOTIFY_SOCKET=vsock:2:1")]
    [InlineData("NOTIFY_SOCKET=relative/path")]
    [InlineData("NOTIFY_SOCKET=/$(printf %107d 0)")]
    [InlineData("NOTIFY_SOCKET=/$(printf %200d 0)")]
    [InlineData("NOTIFY_SOCKET=@weir-test WATCHDOG_USEC=soon")]
    [InlineData("NOTIFY_SOCKET=@weir-test WATCHDOG_USEC=9223372036854775807")]
    [InlineData("NOTIFY_SOCKET=@weir-test WATCHDOG_USEC=99999999999999999999")]
    public void A_service_manager_that_cannot_be_told_is_one_line_and_no_reason_not_to_serve(string variables)
    {
        using ToolProcess tool = ToolProcess.StartShell($"export {variables}", "echo", "--listen", "127.0.0.1:0");
        using (Socket client = TestServer.Connect(IPEndPoint.Parse(ToolProcess.AddressIn(tool.ReadLine()))))
            client.Ping();
        tool.Signal(SigTerm);
        (int exitCode, _, string errors) = tool.WaitForEnd();
        string line = Assert.Single(errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("weir echo: the service manager is not told all: ", line, StringComparison.Ordinal);
        Assert.Equal(0, exitCode);
    }

    [Fact]
    public void A_watchdog_that_makes_no_sense_does_not_keep_the_start_from_being_told()
    {
        string name = $"weir-test-{Guid.NewGuid():N}";
        using var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { ReceiveTimeout = 30_000 };
        manager.Bind(new UnixDomainSocketEndPoint("\0" + name));
        using ToolProcess tool = ToolProcess.StartShell($"export NOTIFY_SOCKET=@{name} WATCHDOG_USEC=soon", "proxy", "--listen", "127.0.0.1:0");
        Assert.Equal("READY=1", Told(manager));
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
