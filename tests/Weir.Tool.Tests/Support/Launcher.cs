using System.Diagnostics;

namespace Weir.Tool.Tests.Support;

/// <summary>The C program that starts another where io_uring is not to be had (bench/peers/launch/deny-uring.c), built when first needed.</summary>
internal static class Launcher
{
    private static readonly Lazy<string> Program = new(Build);

    /// <summary>Starts the tool by way of the launcher; <paramref name="how"/> as the launcher spells it.</summary>
    internal static ToolProcess StartTool(string how, params string[] arguments) => ToolProcess.StartBy([Program.Value, how], arguments);

    private static string Build()
    {
        string output = Path.Combine(Path.GetTempPath(), $"weir-deny-uring-{Environment.ProcessId}");
        string source = Path.Combine(AppContext.BaseDirectory, "deny-uring.c");
        using Process compiler = Process.Start(new ProcessStartInfo("gcc", ["-O1", "-o", output, source]) { RedirectStandardError = true })!;
        string errors = compiler.StandardError.ReadToEnd();
        compiler.WaitForExit();
        Assert.True(compiler.ExitCode == 0, errors);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => File.Delete(output);
        return output;
    }
}
