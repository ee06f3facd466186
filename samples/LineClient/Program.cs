// A client for protocols of lines: connects, sends its standard input, prints what comes back.
//   dotnet run --project samples/LineClient -- localhost 7001            a terminal
//   echo hello | dotnet run --project samples/LineClient -- localhost 7000        a pipe
//   dotnet run --project samples/LineClient -- localhost 7000 < notes.txt         a file
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Weir;
using Weir.Net;

if (args.Length != 2 || !ushort.TryParse(args[1], out ushort port) || port == 0)
{
    Console.Error.WriteLine("usage: LineClient host port    for example: LineClient localhost 7001");
    return 2;
}

try
{
    EventLoop.Run(() => Talk(new DnsEndPoint(args[0], port)));
    return 0;
}
catch (OperationCanceledException)
{
    return 130; // Ctrl-C, as shells count it
}
catch (Exception failure) when (failure is IOException or TimeoutException or SocketException)
{
    // KernelException (an IOException) says which call failed and why; SocketException: the name does not resolve.
    Console.Error.WriteLine($"{args[0]}:{port}: {failure.Message}");
    return 1;
}

static async Task Talk(DnsEndPoint server)
{
    EventLoop loop = EventLoop.Current!;
    using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal =>
    {
        signal.Cancel = true;
        loop.Stop(); // cancels loop.Stopping, and with it whatever we wait for below
    });

    var options = new ConnectOptions { Timeout = TimeSpan.FromSeconds(5) };
    await using Connection connection = await Connection.ConnectAsync(server, options, loop.Stopping);

    await TaskGroup.RunAsync(async group =>
    {
        group.Spawn(token => SendInput(connection, token), "standard input");

        using Stream output = Console.OpenStandardOutput();
        byte[] buffer = new byte[16 * 1024];
        int count;
        while ((count = await connection.ReadAsync(buffer, group.CancellationToken)) > 0)
            output.Write(buffer, 0, count);

        group.Cancel(); // the server has ended: nobody needs our input any more
    }, loop.Stopping);
}

static async Task SendInput(Connection connection, CancellationToken cancellationToken)
{
    // Lent to the loop, not handed over: O_NONBLOCK belongs to the open file, and our shell has the same one open.
    using var input = new FdWatcher(0);
    byte[] buffer = new byte[16 * 1024];
    int count;
    while ((count = await ReadInput(input, buffer, cancellationToken)) > 0)
        await connection.WriteAsync(buffer.AsMemory(0, count), cancellationToken);

    connection.ShutdownWrite(); // the server sees our end, and may still answer
}

static async ValueTask<int> ReadInput(FdWatcher input, byte[] buffer, CancellationToken cancellationToken)
{
    try
    {
        return await input.WaitAndReadAsync(buffer, cancellationToken); // a terminal, a pipe, a socket
    }
    catch (KernelException failure) when (failure.Errno == Errno.EPERM)
    {
        // A regular file, or /dev/null. epoll refuses them because they are always ready: so read at once.
        using Stream file = Console.OpenStandardInput();
        return file.Read(buffer);
    }
}
