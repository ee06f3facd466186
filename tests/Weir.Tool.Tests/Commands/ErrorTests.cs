using System.Net;
using System.Net.Sockets;
using Weir.Tool.Tests.Support;

namespace Weir.Tool.Tests.Commands;

public class ErrorTests
{
    [Theory]
    [InlineData("echo --listen 7000", "it has no port")]
    [InlineData("echo --buffer 0", "--buffer takes a number from 1")]
    [InlineData("echo --buffer lots", "--buffer takes a number from 1")]
    [InlineData("echo --spin -1", "--spin takes a number from 0")]
    [InlineData("echo --driver kqueue", "--driver is auto, epoll or iouring, not 'kqueue'")]
    [InlineData("echo --nonsense", "--nonsense")]
    [InlineData("proxy --to localhost", "it has no port")]
    [InlineData("proxy --to 127.0.0.1:0", "port 0")]
    [InlineData("proxy --listen ::1:80", "in brackets")]
    [InlineData("proxy --balance random", "--balance is round-robin or least-connections")]
    [InlineData("proxy --idle-timeout soon", "--idle-timeout takes a time")]
    [InlineData("proxy --idle-timeout nan", "--idle-timeout takes a time")]
    [InlineData("proxy --connect-timeout 0", "above zero")]
    [InlineData("proxy --max-connections 0", "--max-connections takes a number from 1")]
    [InlineData("proxy --stats -5", "--stats takes a time")]
    [InlineData("frobnicate", "")]
    public void Wrong_usage_is_one_line_and_exit_code_2(string arguments, string says) => Fails(2, says, arguments.Split(' '));

    [Theory]
    [InlineData("echo --listen unix:/nonexistent/x", "cannot listen on unix:/nonexistent/x: there is no such directory")]
    [InlineData("echo --listen 192.0.2.1:7000", "cannot listen on 192.0.2.1:7000")]
    [InlineData("proxy --to nosuchhost.invalid:80", "unknown host 'nosuchhost.invalid'")]
    [InlineData("proxy --listen nosuchhost.invalid:80", "unknown host 'nosuchhost.invalid'")]
    [InlineData("proxy --listen 127.0.0.1:0 --to unix:/nonexistent/x", "cannot connect to unix:/nonexistent/x: there is no such socket")]
    [InlineData("proxy --listen 127.0.0.1:0 --to unix:@weir-test-nobody-is-here --connect-timeout 1 --listen unix:/nonexistent/x", "there is no such directory")]
    public void What_cannot_be_done_is_one_line_and_exit_code_1(string arguments, string says) => Fails(1, says, arguments.Split(' '));

    [Theory]
    [InlineData("echo")]
    [InlineData("proxy")]
    public void A_port_in_use_is_named(string command)
    {
        using TestServer server = TestServer.Echo();
        string port = ((IPEndPoint)server.EndPoint).Port.ToString();
        Fails(1, $"cannot listen on 127.0.0.1:{port}", command, "--listen", $"127.0.0.1:{port}");
    }

    [Fact]
    public void A_unix_path_in_use_is_named_and_left_alone()
    {
        string path = Path.Combine(Path.GetTempPath(), $"weir-{Guid.NewGuid():N}");
        using TestServer server = TestServer.Echo(new UnixDomainSocketEndPoint(path));
        Fails(1, "the address is in use", "proxy", "--listen", "unix:" + path);
        Assert.True(File.Exists(path));
    }

    [Fact]
    public void Too_few_descriptors_for_the_connections_wanted_are_told_at_the_start()
    {
        using ToolProcess tool = ToolProcess.StartShell("ulimit -n 400", "proxy", "--listen", "127.0.0.1:0", "--max-connections", "1000");
        OneLine(1, "the limit of 400", tool.WaitForEnd());
    }

    [Fact]
    public void A_low_soft_limit_is_raised_to_the_hard_one()
    {
        using ToolProcess tool = ToolProcess.StartShell("ulimit -H -n 4000; ulimit -S -n 200", "proxy", "--listen", "127.0.0.1:0", "--max-connections", "1000");
        Assert.StartsWith("listening on", tool.ReadLine(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("exec >/dev/full", "cannot write to standard output: ")]
    [InlineData("exec >&-", "cannot write to standard output: ")]
    [InlineData("export LISTEN_PID=$$ LISTEN_FDS=2147483647; set -- \"$@\" --listen systemd", "EBADF")]
    public void What_the_environment_does_not_permit_is_one_line_and_exit_code_1(string before, string says)
    {
        using ToolProcess tool = ToolProcess.StartShell(before, "proxy");
        OneLine(1, says, tool.WaitForEnd());
    }

    [Theory]
    [InlineData("exec 2>/dev/full")]
    [InlineData("exec 2>&-")]
    public void Without_standard_error_it_serves_and_fails_as_with_it(string before)
    {
        using (ToolProcess failing = ToolProcess.StartShell(before, "proxy", "--listen", "nowhere"))
            Assert.Equal(2, failing.WaitForEnd().ExitCode);
        using ToolProcess tool = ToolProcess.StartShell(before, "proxy", "--listen", "127.0.0.1:0", "--to", TestServer.Nobody().ToString());
        IPEndPoint endPoint = IPEndPoint.Parse(ToolProcess.AddressIn(tool.ReadLine()));
        for (int i = 0; i < 2; i++)
        {
            using Socket client = TestServer.Connect(endPoint);
            Assert.Null(client.EndOf());
        }
    }

    private static void Fails(int exitCode, string says, params string[] arguments) => OneLine(exitCode, says, ToolProcess.Run(arguments));

    private static void OneLine(int exitCode, string says, (int ExitCode, string Output, string Errors) end)
    {
        Assert.Equal("", end.Output);
        string line = Assert.Single(end.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => !line.Contains("nobody answers", StringComparison.Ordinal));
        Assert.StartsWith("weir", line, StringComparison.Ordinal);
        Assert.Contains(says, line, StringComparison.Ordinal);
        Assert.Equal(exitCode, end.ExitCode);
    }
}
