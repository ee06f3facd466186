// A server that is replaced without refusing a single connection: the new process asks the old one for its listening socket, over a unix
// socket, and the old one ends.
//   dotnet run --project samples/HandOver -- 7000        start it, and connect: nc 127.0.0.1 7000
//   dotnet run --project samples/HandOver -- 7000        once more, in another terminal: the first one hands over and ends
using System.Net;
using System.Net.Sockets;
using System.Text;
using Weir;
using Weir.Net;

if (args.Length != 1 || !ushort.TryParse(args[0], out ushort port))
{
    Console.Error.WriteLine("usage: HandOver port");
    return 2;
}

try
{
    EventLoop.Run(() => Serve(port));
    return 0;
}
catch (KernelException failure)
{
    Console.Error.WriteLine(failure.Message);
    return 1;
}

static async Task Serve(ushort port)
{
    EventLoop loop = EventLoop.Current!;
    using var ending = CancellationTokenSource.CreateLinkedTokenSource(loop.Stopping);
    using LoopSignals signals = LoopSignals.StopOn(loop);

    var meetingPoint = new UnixDomainSocketEndPoint($"\0weir-hand-over-{port}"); // an abstract name: gone with its socket, no file to remove
    using Listener listener = await TakeOver(meetingPoint) ?? Listener.Bind(new IPEndPoint(IPAddress.Any, port));
    using Listener successors = Listener.Bind(meetingPoint);
    Console.WriteLine($"{Environment.ProcessId} serves {listener.LocalEndPoint}");

    byte[] greeting = Encoding.UTF8.GetBytes($"hello from process {Environment.ProcessId}\n");
    Task serving = listener.AcceptAllAsync(async connection => await connection.WriteAsync(greeting), ending.Token);
    try
    {
        using Connection successor = await successors.AcceptAsync(ending.Token);
        successors.Dispose(); // the name is the successor's now
        await successor.SendDescriptorsAsync("listener"u8.ToArray(), new[] { listener.FileDescriptor });
        Console.WriteLine($"{Environment.ProcessId} has handed over to {successor.PeerCredentials.ProcessId}");
    }
    catch (OperationCanceledException)
    {
        // Stopped by a signal.
    }

    ending.Cancel();
    await serving;
}

// What the other process listens on; null: there is none.
static async Task<Listener?> TakeOver(EndPoint meetingPoint)
{
    try
    {
        using Connection predecessor = await Connection.ConnectAsync(meetingPoint);
        int[] descriptors = new int[1];
        ReceivedDescriptors received = await predecessor.ReceiveDescriptorsAsync(new byte[100], descriptors);
        return received.Descriptors == 1 ? Listener.FromDescriptor(descriptors[0]) : null;
    }
    catch (KernelException nobody) when (nobody.Errno == Errno.ECONNREFUSED)
    {
        return null;
    }
}
