// A chat server. The first line a client sends is its name; every further line goes to all the others.
//   dotnet run --project samples/Chat -- 127.0.0.1:7001        and then, in several terminals:  nc 127.0.0.1 7001
//
// All of it runs on one thread, so the members' dictionary needs no lock. Back-pressure: each member has a queue of 64 lines. When a queue
// is full the speaker waits, and while a server does not read from a speaker, TCP stops him too. A member that takes nothing for five
// seconds is put out, so that nobody can hold up the room for longer than that.
using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading.Channels;
using Weir;
using Weir.Net;

if (args.Length > 1 || !IPEndPoint.TryParse(args.Length == 0 ? "127.0.0.1:7001" : args[0], out IPEndPoint? address))
{
    Console.Error.WriteLine("usage: Chat [address:port]    for example: Chat 127.0.0.1:7001");
    return 2;
}

try
{
    EventLoop.Run(() => Serve(address));
    return 0;
}
catch (KernelException failure)
{
    Console.Error.WriteLine(failure.Message);
    return 1;
}

static async Task Serve(IPEndPoint address)
{
    EventLoop loop = EventLoop.Current!;
    using Listener listener = Listener.Bind(address);
    Console.WriteLine($"listening on {listener.LocalEndPoint}");

    // Signals arrive on a thread of the framework's own; Stop may be called from any.
    using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => EndInOrder(signal, loop));
    using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => EndInOrder(signal, loop));

    var room = new Room();
    await listener.AcceptAllAsync(connection => room.Welcome(connection, loop.Stopping), loop.Stopping);
}

static void EndInOrder(PosixSignalContext signal, EventLoop loop)
{
    signal.Cancel = true; // do not kill the process: stopping the loop lets Run return
    loop.Stop();
}

internal sealed class Room
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, Member> _members = [];

    public async Task Welcome(Connection connection, CancellationToken stopping)
    {
        PipeReader input = PipeReader.Create(connection);
        await connection.WriteAsync("your name?\n"u8.ToArray(), stopping);
        string? name = (await ReadLine(input, stopping))?.Trim();
        if (string.IsNullOrEmpty(name))
            return;
        var member = new Member(name, connection);
        if (!_members.TryAdd(name, member))
        {
            await connection.WriteAsync("that name is taken\n"u8.ToArray(), stopping);
            return;
        }

        try
        {
            // Reading and writing belong together: if one fails or ends, the group ends the other before it returns.
            await TaskGroup.RunAsync(async group =>
            {
                group.Spawn(member.SendQueuedLines, $"{name}, sending");
                await Broadcast($"* {name} is here", member, group.CancellationToken);
                while (await ReadLine(input, group.CancellationToken) is { } line)
                    await Broadcast($"{name}: {line}", member, group.CancellationToken);
                group.Cancel();
            }, stopping);
        }
        finally
        {
            _members.Remove(name);
            await Broadcast($"* {name} has left", member, stopping);
        }
    }

    private async Task Broadcast(string line, Member from, CancellationToken cancellationToken)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(line + "\n");
        foreach (Member member in _members.Values.ToArray()) // a copy: the room may change at every await
        {
            if (member == from || member.Queue.Writer.TryWrite(bytes))
                continue;
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(Patience);
            try
            {
                await member.Queue.Writer.WriteAsync(bytes, patience.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                Console.WriteLine($"{member.Name} takes nothing any more: put out");
                member.Connection.Abort(); // its tasks get ObjectDisposedException and clean up
            }
            catch (ChannelClosedException)
            {
                // It left while we waited.
            }
        }
    }

    /// <summary>The next line, or null at the end. A line longer than 4 KiB ends the connection: nobody may fill our memory.</summary>
    private static async ValueTask<string?> ReadLine(PipeReader input, CancellationToken cancellationToken)
    {
        while (true)
        {
            ReadResult read = await input.ReadAsync(cancellationToken);
            if (read.Buffer.PositionOf((byte)'\n') is { } end)
            {
                string line = Encoding.UTF8.GetString(read.Buffer.Slice(0, end)).TrimEnd('\r');
                input.AdvanceTo(read.Buffer.GetPosition(1, end));
                return line;
            }

            if (read.IsCompleted || read.Buffer.Length > 4096)
                return null;
            input.AdvanceTo(read.Buffer.Start, read.Buffer.End); // looked at all, used none: wait for more
        }
    }
}

internal sealed class Member(string name, Connection connection)
{
    public string Name => name;

    public Connection Connection => connection;

    public Channel<byte[]> Queue { get; } = Channel.CreateBounded<byte[]>(64);

    public async Task SendQueuedLines(CancellationToken cancellationToken)
    {
        try
        {
            await foreach (byte[] line in Queue.Reader.ReadAllAsync(cancellationToken))
                await connection.WriteAsync(line, cancellationToken);
        }
        finally
        {
            Queue.Writer.TryComplete();
        }
    }
}
