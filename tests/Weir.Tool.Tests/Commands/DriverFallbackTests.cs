using System.Net;
using System.Net.Sockets;
using Weir.Tool.Tests.Support;
using Xunit.Abstractions;

namespace Weir.Tool.Tests.Commands;

/// <summary>Where io_uring is forbidden or not there, for real: seccomp filters, and a user who may lock no memory.</summary>
public class DriverFallbackTests(ITestOutputHelper output)
{
    private const int SigTerm = 15;

    [GccTheory]
    [InlineData("echo", "eperm", "EPERM")]
    [InlineData("echo", "enosys", "ENOSYS")]
    [InlineData("proxy", "eperm", "EPERM")]
    [InlineData("proxy", "enosys", "ENOSYS")]
    public void Without_io_uring_the_tool_serves_on_epoll_and_says_why_once(string command, string how, string errno)
    {
        using ToolProcess tool = Launcher.StartTool(how, command, "--listen", "127.0.0.1:0");
        string line = tool.ReadLine();
        Assert.Contains($"(driver epoll; io_uring_setup: {errno}: ", line, StringComparison.Ordinal);
        Serves(line);
        tool.Signal(SigTerm);
        (int exitCode, string more, string errors) = tool.WaitForEnd();
        Assert.Equal(0, exitCode);
        Assert.DoesNotContain("io_uring", more + errors, StringComparison.Ordinal);
    }

    [GccTheory]
    [InlineData("echo", "eperm", "EPERM")]
    [InlineData("echo", "enosys", "ENOSYS")]
    [InlineData("proxy", "eperm", "EPERM")]
    [InlineData("proxy", "enosys", "ENOSYS")]
    public void Without_io_uring_asking_for_it_is_one_line_and_exit_code_1(string command, string how, string errno)
    {
        using ToolProcess tool = Launcher.StartTool(how, command, "--listen", "127.0.0.1:0", "--driver", "iouring");
        Fails(tool, command, errno);
    }

    [GccTheory]
    [InlineData("eperm")]
    [InlineData("enosys")]
    public void Without_io_uring_asking_for_epoll_needs_no_reason(string how)
    {
        using ToolProcess tool = Launcher.StartTool(how, "echo", "--listen", "127.0.0.1:0", "--driver", "epoll");
        string line = tool.ReadLine();
        Assert.EndsWith(" (driver epoll)", line, StringComparison.Ordinal);
        Serves(line);
    }

    // Whether rings count against the limit depends on the kernel: up to 5.11 they did, and on 6.18 they do again.
    [GccFact]
    public void A_user_who_may_lock_no_memory_is_served_by_one_driver_or_the_other()
    {
        string how = Environment.IsPrivilegedProcess ? "memlock,nobody" : "memlock";
        using (ToolProcess probe = Launcher.StartTool(how, "--help"))
        {
            if (probe.WaitForEnd().ExitCode != 0)
            {
                output.WriteLine("skipped: the user nobody may not read the programs");
                return;
            }
        }

        using ToolProcess tool = Launcher.StartTool(how, "echo", "--listen", "127.0.0.1:0");
        string line = tool.ReadLine();
        output.WriteLine(line);
        Serves(line);
        using ToolProcess strict = Launcher.StartTool(how, "echo", "--listen", "127.0.0.1:0", "--driver", "iouring");
        if (line.EndsWith(" (driver io_uring)", StringComparison.Ordinal))
        {
            string strictLine = strict.ReadLine();
            Assert.EndsWith(" (driver io_uring)", strictLine, StringComparison.Ordinal);
            Serves(strictLine);
        }
        else
        {
            Assert.Contains("(driver epoll; io_uring_", line, StringComparison.Ordinal);
            Fails(strict, "echo", line.Contains("ENOMEM", StringComparison.Ordinal) ? "ENOMEM" : "EPERM");
        }
    }

    private static void Serves(string line)
    {
        using Socket client = TestServer.Connect(IPEndPoint.Parse(ToolProcess.AddressIn(line)));
        client.Ping();
        client.Shutdown(SocketShutdown.Send);
        Assert.Equal(0, client.Drain());
    }

    private static void Fails(ToolProcess tool, string command, string errno)
    {
        (int exitCode, string said, string errors) = tool.WaitForEnd();
        Assert.Equal("", said);
        string line = Assert.Single(errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith($"weir {command}: io_uring_", line, StringComparison.Ordinal);
        Assert.Contains(errno, line, StringComparison.Ordinal);
        Assert.Equal(1, exitCode);
    }
}
