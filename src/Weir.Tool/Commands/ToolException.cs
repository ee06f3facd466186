namespace Weir.Tool.Commands;

/// <summary>A failure whose message is all that the user needs: one line on stderr and an exit code.</summary>
internal sealed class ToolException(string message, int exitCode = CommandLine.Failure) : Exception(message)
{
    internal int ExitCode { get; } = exitCode;
}
