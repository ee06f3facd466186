using System.CommandLine;

namespace Weir.Tool.Commands;

/// <summary>The option that says how a loop waits, and what became of it.</summary>
internal static class Drivers
{
    // The runtime's errors end with what a program may do; here it is what the command line can.
    private const string Advice = "; use DriverKind.Epoll";

    internal static Option<DriverKind> Option() => Options.Choice(
        "--driver",
        "How the loop waits: with io_uring where this kernel permits it and else with epoll, or with the one named.",
        ("auto", DriverKind.Auto),
        ("epoll", DriverKind.Epoll),
        ("iouring", DriverKind.IoUring));

    /// <summary>Runs <paramref name="main"/> on a loop.</summary>
    /// <exception cref="ToolException">io_uring was asked for and is not to be had.</exception>
    internal static void Run(Func<Task> main, LoopOptions options)
    {
        bool started = false;
        try
        {
            EventLoop.Run(
                () =>
                {
                    started = true;
                    return main();
                },
                options);
        }
        catch (KernelException exception) when (!started && options.Driver == DriverKind.IoUring)
        {
            throw new ToolException(exception.Message.Replace(Advice, "; use --driver epoll", StringComparison.Ordinal));
        }
    }

    /// <summary>The driver of the current loop, and why it is not io_uring if that was wanted: to be said once, when all is set up.</summary>
    internal static string Describe()
    {
        LoopStatistics statistics = EventLoop.Current!.Statistics;
        return statistics.BackendReason is { } reason
            ? $"driver {statistics.Backend}; {reason.Replace(Advice, "", StringComparison.Ordinal)}"
            : $"driver {statistics.Backend}";
    }
}
