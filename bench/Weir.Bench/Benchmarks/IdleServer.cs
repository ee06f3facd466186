using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Weir.Net;

namespace Weir.Bench.Benchmarks;

/// <summary>
/// An echo server inside this program, so that it can be asked for its managed memory. <c>idle</c> starts each in a
/// process of its own. A line on stdin is answered with <c>managed=BYTES</c>; the end of stdin ends it.
/// </summary>
internal static class IdleServer
{
    private const int Buffer = 16384;

    /// <summary>
    /// The servers, by name. Each listens on a loopback port before its task is returned, and serves until the process
    /// ends; it may not block the caller. Weir's own belong here: one whose idle connections wait in ReadAsync with a
    /// buffer each, and one that awaits WaitForDataAsync and takes a buffer only then.
    /// </summary>
    public static IReadOnlyDictionary<string, Action<int, DriverKind>> All { get; } = new Dictionary<string, Action<int, DriverKind>>
    {
        ["weir"] = (port, driver) => ServeWeir(port, driver, EchoAsync),
        ["weir-no-buffer"] = (port, driver) => ServeWeir(port, driver, EchoWithoutBufferAsync),
        ["sockets"] = (port, _) => ServeSockets(port, connection => EchoAsync(connection)),
        ["sockets-zero-byte"] = (port, _) => ServeSockets(port, connection => EchoWithSharedBufferAsync(connection)),
    };

    public static int Run(string name, int port, DriverKind driver)
    {
        if (!All.TryGetValue(name, out Action<int, DriverKind>? serve))
        {
            Console.Error.WriteLine($"idle-server: there is no server '{name}'; there are {string.Join(", ", All.Keys)}");
            return 1;
        }

        serve(port, driver);
        while (Console.In.ReadLine() is not null)
        {
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"managed={ManagedBytes()}"));
        }

        return 0;
    }

    private static long ManagedBytes()
    {
        // Twice: what only finalizers kept alive is gone after the second.
        for (int i = 0; i < 2; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }

        return GC.GetTotalMemory(forceFullCollection: true);
    }

    private static void ServeWeir(int port, DriverKind driver, Func<Connection, Task> handler)
    {
        using var listening = new ManualResetEventSlim();
        var thread = new Thread(() => EventLoop.Run(
            async () =>
            {
                using Listener listener = Listener.Bind(new IPEndPoint(IPAddress.Loopback, port));
                listening.Set();
                await listener.AcceptAllAsync(handler);
            },
            new LoopOptions { Driver = driver }))
        { IsBackground = true };
        thread.Start();
        listening.Wait();
    }

    private static async Task EchoAsync(Connection connection)
    {
        byte[] buffer = new byte[Buffer];
        int count;
        while ((count = await connection.ReadAsync(buffer)) > 0)
            await connection.WriteAsync(buffer.AsMemory(0, count));
    }

    private static async Task EchoWithoutBufferAsync(Connection connection)
    {
        while (true)
        {
            await connection.WaitForDataAsync();
            byte[] buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(Buffer);
            try
            {
                if (!connection.TryRead(buffer, out int count))
                    continue;
                if (count == 0)
                    return;
                await connection.WriteAsync(buffer.AsMemory(0, count));
            }
            finally
            {
                System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }

    private static void ServeSockets(int port, Func<Socket, Task> handler)
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, port));
        listener.Listen(4096);
        _ = Task.Run(async () =>
        {
            while (true)
            {
                Socket connection = await listener.AcceptAsync();
                connection.NoDelay = true;
                _ = handler(connection);
            }
        });
    }

    private static async Task EchoAsync(Socket connection)
    {
        using (connection)
        {
            byte[] buffer = new byte[Buffer];
            int count;
            while ((count = await connection.ReceiveAsync(buffer.AsMemory())) > 0)
            {
                await connection.SendAsync(buffer.AsMemory(0, count));
            }
        }
    }

    /// <summary>The way to save memory with sockets: wait with an empty buffer, and take a real one only then.</summary>
    private static async Task EchoWithSharedBufferAsync(Socket connection)
    {
        using (connection)
        {
            while (true)
            {
                await connection.ReceiveAsync(Memory<byte>.Empty);
                byte[] buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(Buffer);
                try
                {
                    int count = await connection.ReceiveAsync(buffer.AsMemory());
                    if (count == 0)
                    {
                        return;
                    }

                    await connection.SendAsync(buffer.AsMemory(0, count));
                }
                finally
                {
                    System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
                }
            }
        }
    }
}
