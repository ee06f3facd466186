using System.Diagnostics;
using System.Globalization;

namespace Weir.Bench.Modes;

/// <summary>Counts a case's system calls a second way: strace(1) watches a process of its own that runs the case.</summary>
internal static class Strace
{
    private const string Calls = "epoll_wait,epoll_pwait2,epoll_ctl,read,write,recvfrom,sendto";
    private const int Messages = 5120;

    internal static bool IsAvailable { get; } = TryRun(["-c", "true"]) is not null;

    /// <summary>Calls per message; null when it cannot be found. The difference of two runs, so that starting up drops out.</summary>
    internal static double? Count(int caseIndex)
        => Total(caseIndex, Messages) is { } once && Total(caseIndex, 2 * Messages) is { } twice ? (twice - once) / (double)Messages : null;

    private static long? Total(int caseIndex, int messages)
    {
        string report = Path.GetTempFileName();
        try
        {
            string program = Path.Combine(AppContext.BaseDirectory, "Weir.Bench.Modes.dll");
            if (TryRun(["-f", "-c", "-e", $"trace={Calls}", "-o", report, Environment.ProcessPath!, program, "--only", Text(caseIndex), Text(messages)]) is null)
                return null;
            // The last line sums up: % time, seconds, microseconds per call, calls, errors if any, "total".
            string[]? total = File.ReadLines(report).LastOrDefault(line => line.EndsWith(" total", StringComparison.Ordinal))
                ?.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            return total is { Length: >= 5 } ? long.Parse(total[3], CultureInfo.InvariantCulture) : null;
        }
        finally
        {
            File.Delete(report);
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string? TryRun(string[] arguments)
    {
        try
        {
            ProcessStartInfo start = new("strace", arguments) { RedirectStandardError = true, RedirectStandardOutput = true };
            using Process process = Process.Start(start)!;
            process.ErrorDataReceived += (_, _) => { };
            process.BeginErrorReadLine();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? output : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
