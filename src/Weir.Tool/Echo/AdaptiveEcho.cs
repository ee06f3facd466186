using Weir.Net;

namespace Weir.Tool.Echo;

/// <summary>
/// Echoes connections that hold no buffer while they are idle. A buffer is taken when there is something to read and given back once that
/// is written; its size follows what the reads bring. For one loop's thread.
/// </summary>
internal sealed class AdaptiveEcho
{
    private const int SmallestBits = 12;
    private const int Sizes = 5; // 4 KiB to 64 KiB

    /// <summary>So many reads in a row that a quarter of the size would have held make the next one smaller.</summary>
    private const int ShrinkAfter = 8;

    // Mostly one buffer of a size is in use at a time, for a write rarely waits: so a stack of each is a pool that always hits.
    private readonly Stack<byte[]>[] _idle = [.. Enumerable.Range(0, Sizes).Select(_ => new Stack<byte[]>())];

    internal async Task Serve(Connection connection)
    {
        int size = 0, small = 0;
        while (true)
        {
            await connection.WaitForDataAsync();
            byte[] buffer = Rent(size);
            if (!connection.TryRead(buffer, out int count))
            {
                Return(size, buffer);
                continue;
            }

            if (count == 0)
            {
                Return(size, buffer);
                return;
            }

            await connection.WriteAsync(buffer.AsMemory(0, count));
            Return(size, buffer);
            if (count == buffer.Length)
            {
                small = 0;
                if (size < Sizes - 1)
                    size++;
            }
            else if (size > 0 && count <= buffer.Length / 4)
            {
                if (++small == ShrinkAfter)
                {
                    small = 0;
                    size--;
                }
            }
            else
            {
                small = 0;
            }
        }
    }

    // A buffer that an exception keeps from coming back is the garbage collector's; the pool only ever lacks one.
    private byte[] Rent(int size) => _idle[size].TryPop(out byte[]? buffer) ? buffer : new byte[1 << (SmallestBits + size)];

    private void Return(int size, byte[] buffer)
    {
        const int MostKept = 16;
        if (_idle[size].Count < MostKept)
            _idle[size].Push(buffer);
    }
}
