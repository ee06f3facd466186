using System.Net;
using System.Net.Sockets;

namespace Weir.Tool.Tests.Support;

/// <summary>A server on the framework's own sockets, so that what is tested is not tested with itself.</summary>
internal sealed class TestServer : IDisposable
{
    // Bound, and not listening: whoever connects is refused, and the port is nobody else's.
    private static readonly System.Collections.Concurrent.ConcurrentBag<Socket> Silent = [];

    private readonly Socket _listener;
    private readonly Func<Socket, Task> _handler;

    internal TestServer(Func<Socket, Task> handler, EndPoint? listen = null)
    {
        listen ??= new IPEndPoint(IPAddress.Loopback, 0);
        _handler = handler;
        _listener = NewSocket(listen);
        _listener.Bind(listen);
        _listener.Listen(128);
        _ = AcceptAll();
    }

    internal EndPoint EndPoint => _listener.LocalEndPoint!;

    internal int Accepted { get; private set; }

    /// <summary>Sends back what it gets, and ends its side when the client does.</summary>
    internal static TestServer Echo(EndPoint? listen = null) => new(
        async socket =>
        {
            byte[] buffer = new byte[65536];
            int count;
            while ((count = await socket.ReceiveAsync(buffer)) > 0)
                await SendAll(socket, buffer.AsMemory(0, count));
            socket.Shutdown(SocketShutdown.Send);
        },
        listen);

    internal static Socket NewSocket(EndPoint endPoint) => endPoint is UnixDomainSocketEndPoint
        ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
        : new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    internal static Socket Connect(EndPoint endPoint)
    {
        Socket socket = NewSocket(endPoint);
        socket.ReceiveTimeout = socket.SendTimeout = 30_000;
        socket.Connect(endPoint);
        return socket;
    }

    internal static async Task SendAll(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
            bytes = bytes[await socket.SendAsync(bytes)..];
    }

    /// <summary>Closes with a reset.</summary>
    internal static void Reset(Socket socket)
    {
        socket.LingerState = new LingerOption(true, 0);
        socket.Close();
    }

    /// <summary>An address of loopback on which nobody listens, or will.</summary>
    internal static IPEndPoint Nobody()
    {
        Socket socket = Bound();
        Silent.Add(socket);
        return (IPEndPoint)socket.LocalEndPoint!;
    }

    /// <summary>An address of loopback that is free.</summary>
    internal static IPEndPoint Free()
    {
        using Socket socket = Bound();
        return (IPEndPoint)socket.LocalEndPoint!;
    }

    private static Socket Bound()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }

    private async Task AcceptAll()
    {
        try
        {
            while (true)
            {
                Socket socket = await _listener.AcceptAsync();
                Accepted++;
                _ = Handle(socket);
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task Handle(Socket socket)
    {
        using (socket)
        {
            try
            {
                await _handler(socket);
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
            }
        }
    }

    public void Dispose() => _listener.Dispose();
}
