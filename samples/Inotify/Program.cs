// Prints what happens in a directory: how to wait for a descriptor that Weir knows nothing of.
//   dotnet run --project samples/Inotify -- /tmp         until Ctrl-C
//   dotnet run --project samples/Inotify -- /tmp 3       until three events have come
using System.Runtime.InteropServices;
using System.Text;
using Weir;

int wanted = int.MaxValue;
if (args.Length is not (1 or 2) || (args.Length == 2 && (!int.TryParse(args[1], out wanted) || wanted < 1)))
{
    Console.Error.WriteLine("usage: Inotify directory [number of events]");
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

static async Task Watch(string directory, int wanted)
{
    EventLoop loop = EventLoop.Current!;
    using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal =>
    {
        signal.Cancel = true;
        loop.Stop();
    });

    // Kernel.Linux has the system calls: each returns its result or a negated errno, and Check turns the latter into an exception.
    int inotify = KernelException.Check(Kernel.Linux.InotifyInit(), "inotify_init1");

    // The watcher owns the descriptor from here on: registered once, edge-triggered, closed with the watcher.
    using var watcher = new FdWatcher(inotify, FdOwnership.Owned, EpollEvents.In);
    AddWatch(inotify, directory);
    Console.WriteLine($"watching {directory}");

    byte[] buffer = new byte[4096]; // holds at least one event with the longest name
    try
    {
        while (wanted > 0)
        {
            int count = await watcher.WaitAndReadAsync(buffer, loop.Stopping);
            wanted = Print(buffer.AsSpan(0, count), wanted);
        }
    }
    catch (OperationCanceledException)
    {
        // Ctrl-C.
    }
}

static unsafe void AddWatch(int inotify, string directory)
{
    const InotifyEvents Events = InotifyEvents.Create | InotifyEvents.Delete | InotifyEvents.CloseWrite | InotifyEvents.MovedFrom | InotifyEvents.MovedTo;
    fixed (byte* path = Encoding.UTF8.GetBytes(directory + "\0"))
        KernelException.Check(Kernel.Linux.InotifyAddWatch(inotify, path, Events), $"inotify_add_watch({directory})");
}

// struct inotify_event { int wd; uint32_t mask, cookie, len; char name[len]; } (inotify(7)); several may come in one read.
static int Print(ReadOnlySpan<byte> events, int wanted)
{
    const int HeaderSize = 16;
    while (events.Length >= HeaderSize && wanted > 0)
    {
        var mask = (InotifyEvents)MemoryMarshal.Read<uint>(events[4..]);
        int nameLength = MemoryMarshal.Read<int>(events[12..]);
        string name = Encoding.UTF8.GetString(events.Slice(HeaderSize, nameLength)).TrimEnd('\0');
        Console.WriteLine($"{mask}  {name}");
        events = events[(HeaderSize + nameLength)..];
        wanted--;
    }

    return wanted;
}
