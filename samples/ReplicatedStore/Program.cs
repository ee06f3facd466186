// A key-value store that goes on while a majority of its three replicas does.
//   dotnet run --project samples/ReplicatedStore                    three replicas and a client, all in this process
//   dotnet run --project samples/ReplicatedStore -- replica 1       one of the replicas (1, 2, 3), in a terminal of its own: to be killed and started again
//   dotnet run --project samples/ReplicatedStore -- client          a client alone
//
// Each replica and the client has a loop of its own, and they share nothing: the same classes run under the simulator on three emulated machines,
// which crash and lose sight of each other (docs/simulation.md, tests/Weir.Simulation.Tests/Samples).
using System.Net;
using ReplicatedStore;
using Weir;

const int FirstPort = 7101;
EndPoint[] replicas = [.. Enumerable.Range(FirstPort, 3).Select(port => new IPEndPoint(IPAddress.Loopback, port))];
try
{
    switch (args)
    {
        case []:
            for (int number = 1; number <= 3; number++)
                StartReplica(number);
            Prompt();
            return 0;
        case ["replica", "1" or "2" or "3"]:
            RunReplica(int.Parse(args[1]));
            return 0;
        case ["client"]:
            Prompt();
            return 0;
        default:
            Console.Error.WriteLine("usage: ReplicatedStore [replica 1|2|3 | client]");
            return 2;
    }
}
catch (KernelException failure)
{
    Console.Error.WriteLine(failure.Message);
    return 1;
}

void StartReplica(int number)
{
    var thread = new Thread(() =>
    {
        try
        {
            RunReplica(number);
        }
        catch (KernelException failure)
        {
            Console.Error.WriteLine($"replica {number}: {failure.Message}"); // the others go on without it
        }
    })
    { IsBackground = true, Name = $"replica {number}" };
    thread.Start();
}

void RunReplica(int number)
{
    string journal = Path.Combine(Path.GetTempPath(), $"replicated-store-{number}");
    Console.WriteLine($"replica {number} listens on {replicas[number - 1]}, its journal is {journal}.*");
    EventLoop.Run(new Replica(replicas[number - 1], journal).RunAsync, new LoopOptions { Name = $"replica {number}" });
}

// The console blocks, so it has this thread to itself, and the client's loop another.
void Prompt()
{
    using var ready = new ManualResetEventSlim();
    var closing = new TaskCompletionSource();
    EventLoop loop = null!;
    StoreClient client = null!;
    var thread = new Thread(() => EventLoop.Run(async () =>
    {
        loop = EventLoop.Current!;
        long number = loop.Kernel.ClockGetTime(ClockId.Realtime); // nanoseconds: nobody else's
        await using (client = new StoreClient(number, replicas))
        {
            ready.Set();
            await closing.Task;
        }
    }));
    thread.Start();
    ready.Wait();

    Console.WriteLine("set KEY VALUE, get KEY, or the end of the input");
    while (Console.ReadLine() is { } line)
        Console.WriteLine(loop.InvokeAsync(async () => await Answer(client, line)).GetAwaiter().GetResult());
    loop.Post(closing.SetResult);
    thread.Join();
}

static async Task<string> Answer(StoreClient client, string line)
{
    try
    {
        switch (line.Split(' ', 3, StringSplitOptions.RemoveEmptyEntries))
        {
            case ["get", string key]:
                return await client.GetAsync(key) ?? "(nothing)";
            case ["set", string key, string value]:
                await client.SetAsync(key, value);
                return "ok";
            default:
                return "set KEY VALUE, or get KEY";
        }
    }
    catch (TimeoutException failure)
    {
        return failure.Message;
    }
}
