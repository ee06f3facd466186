// dotnet-sockets: echo on System.Net.Sockets with async/await, as a .NET program is written today.
//
//   dotnet-sockets PORT [BUFFER]
//
// DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS=1 in the environment makes the same binary the inline variant.
using System.Net;
using System.Net.Sockets;

if (args.Length is < 1 or > 2
    || !ushort.TryParse(args[0], out ushort port)
    || !int.TryParse(args.ElementAtOrDefault(1) ?? "16384", out int bufferSize) || bufferSize <= 0)
{
    Console.Error.WriteLine("usage: dotnet-sockets PORT [BUFFER]");
    return 2;
}

using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
try
{
    listener.Bind(new IPEndPoint(IPAddress.Loopback, port));
    listener.Listen(4096);
}
catch (SocketException e)
{
    Console.Error.WriteLine($"dotnet-sockets: cannot listen on port {port}: {e.Message}");
    return 1;
}

while (true)
{
    Socket connection = await listener.AcceptAsync();
    connection.NoDelay = true;
    _ = EchoAsync(connection, bufferSize);
}

static async Task EchoAsync(Socket connection, int bufferSize)
{
    byte[] buffer = new byte[bufferSize];
    using (connection)
    {
        try
        {
            int count;
            while ((count = await connection.ReceiveAsync(buffer.AsMemory())) > 0)
            {
                // On a stream socket this completes only when all of it is sent.
                await connection.SendAsync(buffer.AsMemory(0, count));
            }
        }
        catch (SocketException)
        {
            // The peer went away; so does the connection.
        }
    }
}
