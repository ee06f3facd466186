using System.Net.Sockets;
using System.Security.Cryptography;

namespace Weir.Tool.Tests.Support;

/// <summary>Sends many bytes and checks each that comes.</summary>
internal static class Transfer
{
    /// <summary>Sends random bytes into a connection that echoes, reads them back at the same time, and compares.</summary>
    internal static async Task RoundTrip(Socket socket, int length)
    {
        byte[] sent = Random(length);
        Task send = TestServer.SendAll(socket, sent);
        Assert.True(Same(sent, await Receive(socket, length)), "Bytes came back changed.");
        await send;
    }

    internal static byte[] Random(int length)
    {
        byte[] bytes = new byte[length];
        RandomNumberGenerator.Fill(bytes);
        return bytes;
    }

    internal static async Task<byte[]> Receive(Socket socket, int length)
    {
        byte[] bytes = new byte[length];
        int got = 0;
        while (got < length)
        {
            int count = await socket.ReceiveAsync(bytes.AsMemory(got)).AsTask().WaitAsync(TimeSpan.FromSeconds(60));
            Assert.True(count > 0, $"The stream ended after {got} of {length} bytes.");
            got += count;
        }

        return bytes;
    }

    internal static bool Same(byte[] first, byte[] second) => first.AsSpan().SequenceEqual(second);
}
