using Weir.Net;

namespace Weir.Tool.Echo;

/// <summary>Echoes a connection in the plainest way.</summary>
internal static class EchoHandlers
{
    /// <summary>
    /// One buffer of the size given for all connections of the loop: it is in use only between a read and the write that follows. What the
    /// peer does not take at once moves to a buffer of its own.
    /// </summary>
    internal static async Task WithSharedBuffer(Connection connection, byte[] buffer)
    {
        while (true)
        {
            await connection.WaitForDataAsync();
            if (!connection.TryRead(buffer, out int count))
                continue;
            if (count == 0)
                return;
            int written = connection.TryWrite(new ReadOnlySpan<byte>(buffer, 0, count));
            if (written < count)
                await connection.WriteAsync(buffer.AsSpan(written, count - written).ToArray());
        }
    }
}
