// Which words are the most frequent in a file: three programs joined by pipes, as a shell would join them, and their last output read on the loop.
//   dotnet run --project samples/Pipeline -- README.md          the ten most frequent
//   dotnet run --project samples/Pipeline -- README.md 3        the three most frequent
using Weir;

int count = 10;
if (args.Length is not (1 or 2) || (args.Length == 2 && (!int.TryParse(args[1], out count) || count < 1)))
{
    Console.Error.WriteLine("usage: Pipeline file [number of words]");
    return 2;
}

try
{
    return EventLoop.Run(() => Count(args[0], count));
}
catch (KernelException failure)
{
    Console.Error.WriteLine(failure.Message);
    return 1;
}

static async Task<int> Count(string file, int count)
{
    // Ctrl+C goes to the whole foreground group, so the children get it too; this ends the loop in an orderly way.
    using LoopSignals signals = LoopSignals.StopOn(EventLoop.Current!);

    using ChildProcess words = ChildProcess.Start(new ChildProcessOptions("grep", "-oE", "[[:alpha:]]+", file) { StandardOutput = ChildStream.Pipe });
    using ChildProcess sorted = ChildProcess.Start(new ChildProcessOptions("sort", "-f")
    {
        StandardInput = ChildStream.OutputOf(words), // joined in the kernel: nothing of it comes through here
        StandardOutput = ChildStream.Pipe,
    });
    using ChildProcess counted = ChildProcess.Start(new ChildProcessOptions("uniq", "-ci")
    {
        StandardInput = ChildStream.OutputOf(sorted),
        StandardOutput = ChildStream.Pipe,
    });

    var lines = new List<(int Count, string Word)>();
    using var reader = new StreamReader(counted.StandardOutput);
    while (await reader.ReadLineAsync(EventLoop.Current!.Stopping) is { } line)
    {
        string[] parts = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        lines.Add((int.Parse(parts[0]), parts[1]));
    }

    foreach ((int times, string word) in lines.OrderByDescending(line => line.Count).ThenBy(line => line.Word, StringComparer.Ordinal).Take(count))
        Console.WriteLine($"{times,7} {word.ToLowerInvariant()}");

    // Each child has an end of its own.
    foreach ((string name, ChildProcess child) in new[] { ("grep", words), ("sort", sorted), ("uniq", counted) })
    {
        ExitStatus status = await child.WaitForExitAsync();
        if (!status.IsSuccess)
        {
            Console.Error.WriteLine($"{name}: {status}");
            return 1;
        }
    }

    return 0;
}
