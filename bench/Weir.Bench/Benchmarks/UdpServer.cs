using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Weir.Net;

namespace Weir.Bench.Benchmarks;

/// <summary>
/// A server of datagrams inside this program. It says its port in its first line; after that a line on stdin is answered with
/// <c>received=COUNT</c>, and the end of stdin ends it.
/// </summary>
internal static class UdpServer
{
    private const int BufferSize = 2048;
    private const int BatchSize = 64;
    private const int ReceiveBuffer = 4 << 20; // the most that net.core.rmem_max allows by default since Linux 6.17; less where it is less

    private static long s_received;

    /// <summary>The servers, by name: echoing ones, and those that only receive.</summary>
    private static readonly IReadOnlyDictionary<string, Action<TaskCompletionSource<int>>> All = new Dictionary<string, Action<TaskCompletionSource<int>>>
    {
        ["weir-batch"] = port => OnLoop(port, EchoBatchesAsync),
        ["weir-trains"] = port => OnLoop(port, EchoBatchesAsync, receivesTrains: true),
        ["weir"] = port => OnLoop(port, EchoAsync),
        ["sockets"] = port => OnSocket(port, EchoAsync),
        ["weir-batch-sink"] = port => OnLoop(port, SinkBatchesAsync),
        ["weir-trains-sink"] = port => OnLoop(port, SinkBatchesAsync, receivesTrains: true),
        ["weir-sink"] = port => OnLoop(port, SinkAsync),
        ["sockets-sink"] = port => OnSocket(port, SinkAsync),
    };

    public static int Run(string name)
    {
        if (!All.TryGetValue(name, out Action<TaskCompletionSource<int>>? serve))
        {
            Console.Error.WriteLine($"udp-server: there is no server '{name}'; there are {string.Join(", ", All.Keys)}");
            return 1;
        }

        var port = new TaskCompletionSource<int>();
        serve(port);
        Console.Out.WriteLine(port.Task.Result.ToString(CultureInfo.InvariantCulture));
        while (Console.In.ReadLine() is not null)
        {
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"received={Volatile.Read(ref s_received)}"));
        }

        return 0;
    }

    private static void Count(int datagrams) => Volatile.Write(ref s_received, s_received + datagrams);

    // Weir

    private static void OnLoop(TaskCompletionSource<int> port, Func<DatagramSocket, Task> serve, bool receivesTrains = false)
    {
        var thread = new Thread(() => EventLoop.Run(async () =>
        {
            using DatagramSocket socket = DatagramSocket.Bind(
                new IPEndPoint(IPAddress.Loopback, 0), new DatagramOptions { ReceiveBufferSize = ReceiveBuffer, SendBufferSize = ReceiveBuffer, ReceivesTrains = receivesTrains });
            port.SetResult(((IPEndPoint)socket.LocalEndPoint!).Port);
            await serve(socket);
        }))
        { IsBackground = true };
        thread.Start();
    }

    private static async Task EchoBatchesAsync(DatagramSocket socket)
    {
        using var batch = new DatagramBatch(BatchSize, BufferSize);
        while (true)
        {
            Count(await socket.ReceiveBatchAsync(batch));
            await socket.SendBatchAsync(batch);
        }
    }

    private static async Task EchoAsync(DatagramSocket socket)
    {
        byte[] buffer = new byte[BufferSize];
        SocketAddress from = socket.CreateAddress();
        while (true)
        {
            int count = await socket.ReceiveFromAsync(buffer, from);
            Count(1);
            await socket.SendToAsync(buffer.AsMemory(0, count), from);
        }
    }

    private static async Task SinkBatchesAsync(DatagramSocket socket)
    {
        using var batch = new DatagramBatch(BatchSize, BufferSize);
        while (true)
        {
            Count(await socket.ReceiveBatchAsync(batch));
        }
    }

    private static async Task SinkAsync(DatagramSocket socket)
    {
        byte[] buffer = new byte[BufferSize];
        SocketAddress from = socket.CreateAddress();
        while (true)
        {
            await socket.ReceiveFromAsync(buffer, from);
            Count(1);
        }
    }

    // The framework, on its path without allocations.

    private static void OnSocket(TaskCompletionSource<int> port, Func<Socket, Task> serve)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp)
        {
            ReceiveBufferSize = ReceiveBuffer,
            SendBufferSize = ReceiveBuffer,
        };
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        port.SetResult(((IPEndPoint)socket.LocalEndPoint!).Port);
        _ = Task.Run(() => serve(socket));
    }

    private static async Task EchoAsync(Socket socket)
    {
        byte[] buffer = new byte[BufferSize];
        var from = new SocketAddress(AddressFamily.InterNetwork);
        while (true)
        {
            int count = await socket.ReceiveFromAsync(buffer, SocketFlags.None, from);
            Count(1);
            await socket.SendToAsync(buffer.AsMemory(0, count), SocketFlags.None, from);
        }
    }

    private static async Task SinkAsync(Socket socket)
    {
        byte[] buffer = new byte[BufferSize];
        var from = new SocketAddress(AddressFamily.InterNetwork);
        while (true)
        {
            await socket.ReceiveFromAsync(buffer, SocketFlags.None, from);
            Count(1);
        }
    }
}
