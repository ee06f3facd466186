using System.Net.Sockets;
using System.Text;

namespace Weir.Tool.Tests.Support;

internal static class SocketExtensions
{
    internal static void Say(this Socket socket, string text)
    {
        ReadOnlySpan<byte> bytes = Encoding.ASCII.GetBytes(text);
        while (bytes.Length > 0)
            bytes = bytes[socket.Send(bytes)..];
    }

    /// <summary>Reads so many characters.</summary>
    internal static string Hear(this Socket socket, int count)
    {
        byte[] bytes = new byte[count];
        int got = 0, read;
        while (got < count && (read = socket.Receive(bytes.AsSpan(got))) > 0)
            got += read;
        return Encoding.ASCII.GetString(bytes, 0, got);
    }

    internal static void Ping(this Socket socket, string text = "ping")
    {
        socket.Say(text);
        Assert.Equal(text, socket.Hear(text.Length));
    }

    /// <summary>Reads to the end of the stream and returns how much there was.</summary>
    internal static long Drain(this Socket socket)
    {
        byte[] bytes = new byte[65536];
        long total = 0;
        int count;
        while ((count = socket.Receive(bytes)) > 0)
            total += count;
        return total;
    }

    /// <summary>The error that reading ends with, or null for an orderly end.</summary>
    internal static SocketError? EndOf(this Socket socket)
    {
        try
        {
            socket.Drain();
            return null;
        }
        catch (SocketException exception)
        {
            return exception.SocketErrorCode;
        }
    }
}
