using Weir.Net;

namespace Weir.Tool.Echo;

/// <summary>Echoes a connection in the plainest way.</summary>
internal static class EchoHandlers
{
    /// <summary>One buffer for as long as the connection lives.</summary>
    internal static async Task WithFixedBuffer(Connection connection, int size)
    {
        var buffer = new Memory<byte>(new byte[size]);
        int count;
        while ((count = await connection.ReadAsync(buffer)) != 0)
            await connection.WriteAsync(buffer[..count]);
    }
}
