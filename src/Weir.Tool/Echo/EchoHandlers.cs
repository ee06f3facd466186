using Weir.Net;

namespace Weir.Tool.Echo;

/// <summary>Echoes a connection in the plainest way.</summary>
internal static class EchoHandlers
{
    /// <summary>Bytes to receive at once if nobody says otherwise.</summary>
    internal const int DefaultMost = 64 * 1024;

    /// <summary>
    /// Sends what was received from where it was received to. No connection holds memory while it is idle, and on io_uring nothing is copied.
    /// </summary>
    /// <param name="connection">The connection.</param>
    /// <param name="most">Bytes to receive at once.</param>
    internal static async Task InPlace(Connection connection, int most)
    {
        while (true)
        {
            await connection.WaitForDataAsync();
            if (!connection.TryReceive(out ReceivedBuffer buffer, most))
                continue;
            if (buffer.Length == 0)
                return;
            await connection.SendAsync(buffer);
        }
    }
}
