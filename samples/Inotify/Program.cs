// Prints what happens in a directory and below it.
//   dotnet run --project samples/Inotify -- /tmp         until Ctrl-C
//   dotnet run --project samples/Inotify -- /tmp 3       until three changes have come
using System.Runtime.InteropServices;
using Weir;

int wanted = int.MaxValue;
if (args.Length is not (1 or 2) || (args.Length == 2 && (!int.TryParse(args[1], out wanted) || wanted < 1)))
{
    Console.Error.WriteLine("usage: Inotify directory [number of changes]");
    return 2;
}

try
{
    EventLoop.Run(() => Watch(args[0], wanted));
    return 0;
}
catch (KernelException failure)
{
    Console.Error.WriteLine(failure.Message);
    return 1;
}

static async Task Watch(string path, int wanted)
{
    EventLoop loop = EventLoop.Current!;
    using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal =>
    {
        signal.Cancel = true;
        loop.Stop();
    });

    try
    {
        using FileWatcher watcher = await FileWatcher.OpenAsync(path, new FileWatcherOptions { Recursive = true }, loop.Stopping);
        Console.WriteLine($"watching {watcher.Path}: {watcher.WatchCount} directories");
        await foreach (FileChange change in watcher.ReadAllAsync(loop.Stopping))
        {
            Console.WriteLine(change.OldPath == null ? $"{change.Kind}  {change.Path}" : $"{change.Kind}  {change.OldPath} -> {change.Path}");
            if (--wanted == 0)
                break;
        }
    }
    catch (OperationCanceledException)
    {
        // Ctrl-C.
    }
}
