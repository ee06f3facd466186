using System.CommandLine;

namespace Weir.Tool.Commands;

/// <summary>The root of the command line, and the one place that turns failures into a line on stderr and an exit code.</summary>
internal static class CommandLine
{
    /// <summary>The command line itself makes no sense.</summary>
    internal const int UsageError = 2;

    /// <summary>The command was understood and could not be carried out.</summary>
    internal const int Failure = 1;

    internal static int Run(string[] args)
    {
        _ = Console.Error; // opened now: it takes a descriptor, and there may be none left when there is something to tell
        var root = new RootCommand("Weir: event loops on epoll and io_uring, as tools.")
        {
            EchoCommand.Create(),
            ProxyCommand.Create(),
        };
        if (args.Length == 0)
            args = ["--help"];
        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            Tell($"{NameOf(parsed)}: {parsed.Errors[0].Message.Split((char)10)[0]}");
            return UsageError;
        }

        try
        {
            // Our own handlers, ours alone: exceptions are turned into lines below, and signals belong to the commands.
            return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (ToolException exception)
        {
            Tell($"{NameOf(parsed)}: {exception.Message}");
            return exception.ExitCode;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Of the kernel's refusals the tool's own calls tell; what else there is comes from the console.
            string what = exception is KernelException ? "" : "cannot write to standard output: ";
            Tell($"{NameOf(parsed)}: {what}{exception.Message}");
            return Failure;
        }
    }

    /// <summary>Writes a line to standard error. That nobody can read it, or its disk is full, ends nothing.</summary>
    internal static void Tell(string line)
    {
        try
        {
            Console.Error.WriteLine(line);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // There is nowhere to tell of it.
        }
    }

    private static string NameOf(ParseResult parsed)
        => parsed.CommandResult.Command is RootCommand ? "weir" : $"weir {parsed.CommandResult.Command.Name}";
}
