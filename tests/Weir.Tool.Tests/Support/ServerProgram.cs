using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Weir.Tool.Tests.Support;

/// <summary>A server program of the system, on a loopback port of its own, until disposed.</summary>
internal sealed class ServerProgram : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly Process _process;

    internal ServerProgram(Func<int, string[]> command)
    {
        EndPoint = TestServer.Free();
        _process = Start(command(EndPoint.Port));
        Assert.True(SpinWait.SpinUntil(Accepts, Limit), "The server does not listen.");
    }

    internal IPEndPoint EndPoint { get; }

    internal static string RunToEnd(params string[] command)
    {
        using Process process = Start(command);
        string output = process.StandardOutput.ReadToEndAsync().WaitAsync(Limit).GetAwaiter().GetResult();
        process.WaitForExit();
        return output;
    }

    private static Process Start(string[] command)
        => Process.Start(new ProcessStartInfo(ProgramFactAttribute.Find(command[0])!, command.Skip(1)) { RedirectStandardOutput = true })!;

    private bool Accepts()
    {
        try
        {
            using Socket probe = TestServer.Connect(EndPoint);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }
}
