using System.Diagnostics;
using System.Net;
using System.Runtime.InteropServices;

namespace Weir.Tool.Tests.Support;

/// <summary>The built tool as a child process.</summary>
internal sealed partial class ToolProcess : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly Task<string> _errors;

    private ToolProcess(Process process)
    {
        _process = process;
        _errors = process.StandardError.ReadToEndAsync();
    }

    internal int Id => _process.Id;

    internal bool HasExited => _process.HasExited;

    internal static string ToolPath => Path.Combine(AppContext.BaseDirectory, "Weir.Tool.dll");

    internal static ToolProcess Start(params string[] arguments) => StartShell(null, arguments);

    /// <param name="before">Shell commands to run first, such as "ulimit -n 100"; null: no shell.</param>
    /// <param name="arguments">For the tool.</param>
    internal static ToolProcess StartShell(string? before, params string[] arguments)
        => StartBy(before == null ? [] : ["sh", "-c", before + "; exec \"$@\"", "sh"], arguments);

    /// <param name="launcher">A program with arguments, to which the tool's command line is added; or nothing.</param>
    /// <param name="arguments">For the tool.</param>
    internal static ToolProcess StartBy(string[] launcher, params string[] arguments)
    {
        string[] command = [.. launcher, "dotnet", ToolPath, .. arguments];
        var start = new ProcessStartInfo(command[0], command.Skip(1)) { RedirectStandardOutput = true, RedirectStandardError = true };
        return new ToolProcess(Process.Start(start)!);
    }

    /// <summary>Starts a command that listens on a TCP port the kernel chooses, and returns that.</summary>
    internal static ToolProcess StartListening(out IPEndPoint endPoint, string command, params string[] more)
    {
        ToolProcess tool = Start([command, "--listen", "127.0.0.1:0", .. more]);
        endPoint = IPEndPoint.Parse(AddressIn(tool.ReadLine()));
        return tool;
    }

    internal static (int ExitCode, string Output, string Errors) Run(params string[] arguments)
    {
        using ToolProcess tool = Start(arguments);
        return tool.WaitForEnd();
    }

    /// <summary>The address in "listening on ADDRESS" or "listening on ADDRESS (driver ...)".</summary>
    internal static string AddressIn(string line)
    {
        const string Before = "listening on ";
        Assert.StartsWith(Before, line, StringComparison.Ordinal);
        return line[Before.Length..].Split(' ')[0];
    }

    internal string ReadLine()
    {
        Task<string?> line = _process.StandardOutput.ReadLineAsync();
        Assert.True(line.Wait(Limit), "The tool says nothing.");
        return line.Result ?? throw new InvalidOperationException($"The tool ended: {_errors.Result}");
    }

    internal void Signal(int number) => Assert.Equal(0, kill(_process.Id, number));

    internal (int ExitCode, string Output, string Errors) WaitForEnd()
    {
        string output = _process.StandardOutput.ReadToEndAsync().WaitAsync(Limit).GetAwaiter().GetResult();
        Assert.True(_process.WaitForExit(Limit), "The tool does not end.");
        return (_process.ExitCode, output, _errors.Result);
    }

    /// <summary>Its sockets and pipes. Not the files: the runtime keeps each assembly open that it has loaded.</summary>
    internal int CountDescriptors() => Directory.GetFileSystemEntries($"/proc/{Id}/fd")
        .Select(link => new FileInfo(link).LinkTarget)
        .Count(target => target != null && (target.StartsWith("socket:", StringComparison.Ordinal) || target.StartsWith("pipe:", StringComparison.Ordinal)));

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    [LibraryImport("libc")]
    private static partial int kill(int process, int signal);
}
