using System.Buffers;
using Weir.Net;

namespace Weir.Bench.Soak;

/// <summary>What a client does with one connection to an echo server. Every byte that returns is compared with the one that was sent.</summary>
internal sealed class Exchange(Connection connection, Random random)
{
    private const int LongestMessage = 16 << 20;

    // Messages are parts of it that begin anywhere.
    private static readonly byte[] Pattern = MakePattern();

    /// <summary>Bytes that returned as they were sent.</summary>
    public long Verified { get; private set; }

    public async Task TinyMessages()
    {
        for (int i = random.Next(1, 20); i > 0; i--)
        {
            ReadOnlyMemory<byte> message = Message(random.Next(1, 200));
            await connection.WriteAsync(message);
            await Expect(message, message.Length);
        }
    }

    public async Task LargeMessage(int most)
    {
        ReadOnlyMemory<byte> message = Message(random.Next(1, most));
        Task writing = WriteInParts(message);
        await Expect(message, 65536);
        await writing;
    }

    public async Task SlowReader()
    {
        ReadOnlyMemory<byte> message = Message(random.Next(1, 1 << 20));
        Task writing = WriteInParts(message);
        await Expect(message, random.Next(1000, 65536), TimeSpan.FromMilliseconds(1));
        await writing;
    }

    public async Task HalfClose()
    {
        ReadOnlyMemory<byte> message = Message(random.Next(0, 100_000));
        Task writing = WriteInParts(message, andEnd: true);
        await Expect(message, 16384);
        await ExpectEnd();
        await writing;
    }

    public async Task Reset()
    {
        ReadOnlyMemory<byte> message = Message(random.Next(1, 200_000));
        Task writing = WriteInParts(message);
        byte[] buffer = new byte[4096];
        for (int reads = random.Next(4); reads > 0 && Verified < message.Length; reads--)
            Compare(message, buffer, await connection.ReadAsync(buffer));
        ValueTask<int> reading = connection.ReadAsync(buffer);
        connection.Abort();
        await Ended(writing, reading.AsTask());
    }

    public async Task CancelledReads()
    {
        ReadOnlyMemory<byte> message = Message(random.Next(1, 300_000));
        byte[] buffer = new byte[random.Next(1, 32768)];
        Task? writing = null;
        while (Verified < message.Length)
        {
            using var cancel = new CancellationTokenSource();
            ValueTask<int> reading = connection.ReadAsync(buffer, cancel.Token);
            // The first one waits for bytes that nobody has sent yet; it must go away before they come, or they would be its own.
            switch (writing == null ? 0 : random.Next(4))
            {
                case 0:
                    cancel.Cancel();
                    break;
                case 1:
                    _ = Task.Run(cancel.Cancel);
                    break;
                case 2:
                    cancel.CancelAfter(1);
                    break;
            }

            try
            {
                int count = await reading;
                if (count == 0)
                    throw new Finding($"the end after {Verified} of {message.Length} bytes, with reads cancelled");
                Compare(message, buffer, count);
            }
            catch (OperationCanceledException)
            {
                // And has taken nothing: what follows is compared.
            }

            writing ??= WriteInParts(message);
        }

        await (writing ?? Task.CompletedTask);
    }

    public async Task CancelledWrite()
    {
        // More than all buffers on the way hold: nobody reads what the server sends back.
        ReadOnlyMemory<byte> message = Message(LongestMessage);
        using var cancel = new CancellationTokenSource();
        ValueTask writing = connection.WriteAsync(message, cancel.Token);
        await connection.Loop.Delay(TimeSpan.FromMilliseconds(random.Next(3)));
        if (random.Next(2) == 0)
            cancel.Cancel();
        else
            _ = Task.Run(cancel.Cancel);
        try
        {
            await writing;
        }
        catch (OperationCanceledException)
        {
            // A part was written, and that comes back, and the end. Or the connection goes away with the server still writing.
            if (random.Next(2) == 0)
                return;
            connection.ShutdownWrite();
            byte[] buffer = new byte[65536];
            int count;
            while ((count = await connection.ReadAsync(buffer)) > 0)
                Compare(message, buffer, count);
        }
    }

    public async Task DisposedElsewhere()
    {
        ReadOnlyMemory<byte> message = Message(random.Next(1, 1 << 20));
        Task writing = WriteInParts(message);
        Task<int> reading = connection.ReadAsync(new byte[4096]).AsTask();
        int pause = random.Next(3);
        Task disposing = Task.Run(async () =>
        {
            if (pause > 0)
                await Task.Delay(pause);
            connection.Dispose();
        });
        await Ended(writing, reading);
        await disposing;
    }

    public async Task UsedElsewhere()
    {
        ReadOnlyMemory<byte> message = Message(random.Next(1, 20_000));
        await Task.Run(async () =>
        {
            ValueTask writing = connection.WriteAsync(message);
            await Expect(message, 8192);
            await writing;
        });
    }

    private static byte[] MakePattern()
    {
        byte[] pattern = GC.AllocateUninitializedArray<byte>(LongestMessage + (1 << 20));
        new Random(1).NextBytes(pattern);
        return pattern;
    }

    private ReadOnlyMemory<byte> Message(int length) => Pattern.AsMemory(random.Next(Pattern.Length - length), length);

    private async Task WriteInParts(ReadOnlyMemory<byte> message, bool andEnd = false)
    {
        for (int from = 0; from < message.Length;)
        {
            int count = Math.Min(message.Length - from, random.Next(1, 256 * 1024));
            await connection.WriteAsync(message.Slice(from, count));
            from += count;
        }

        if (andEnd)
            connection.ShutdownWrite();
    }

    private async Task Expect(ReadOnlyMemory<byte> message, int piece, TimeSpan pause = default)
    {
        long end = Verified + message.Length;
        long start = Verified;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(piece);
        while (Verified < end)
        {
            int count = await connection.ReadAsync(buffer.AsMemory(0, piece));
            if (count == 0)
                throw new Finding($"the end after {Verified - start} of {message.Length} bytes");
            Compare(message, buffer, count, start);
            if (pause > TimeSpan.Zero && random.Next(4) == 0)
                await connection.Loop.Delay(pause);
        }

        // Only when nothing went wrong: a read that may still be under way must not write into somebody else's buffer.
        ArrayPool<byte>.Shared.Return(buffer);
    }

    private void Compare(ReadOnlyMemory<byte> message, byte[] buffer, int count, long start = 0)
    {
        int from = (int)(Verified - start);
        if (count > message.Length - from)
            throw new Finding($"{count} bytes at {from}, of a message of {message.Length}");
        ReadOnlySpan<byte> got = buffer.AsSpan(0, count);
        int same = got.CommonPrefixLength(message.Span.Slice(from, count));
        if (same < count)
            throw new Finding($"byte {from + same} of {message.Length} is {got[same]}, was {message.Span[from + same]}; {count} bytes were read at {from}");
        Verified += count;
    }

    private async Task ExpectEnd()
    {
        int count = await connection.ReadAsync(new byte[16]);
        if (count != 0)
            throw new Finding($"{count} bytes after the end of the message");
    }

    /// <summary>Waits for all and passes a failure on: whoever provoked it knows.</summary>
    private static async Task Ended(params Task[] tasks) => await Task.WhenAll(tasks);
}
