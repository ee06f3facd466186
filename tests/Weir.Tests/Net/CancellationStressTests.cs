#pragma warning disable CA2022 // Whatever part comes is enough here.
using Weir.Net;

namespace Weir.Tests;

/// <summary>Waits cancelled from other threads at any moment, while bytes flow: none is lost, none comes twice, nothing hangs.</summary>
public class CancellationStressTests : NetTestBase
{
    public static TheoryData<string, int> Cases => new()
    {
        { "tcp", 1 }, { "tcp", 2 }, { "pair", 3 }, { "pair", 4 },
    };

    [Theory, MemberData(nameof(Cases))]
    public void Reads_cancelled_at_any_moment_lose_nothing(string family, int seed) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            Task writing = Writer(client, seed, bytes: 400_000);
            using var canceller = new Canceller(threads: 2);
            byte[] buffer = new byte[700];
            long place = 0;
            while (true)
            {
                int count;
                try
                {
                    count = await server.ReadAsync(buffer, canceller.NextToken());
                }
                catch (OperationCanceledException)
                {
                    continue;
                }

                if (count == 0)
                    break;
                CheckPattern(buffer, count, ref place);
            }

            await writing;
            Assert.Equal(400_000, place);
            Assert.True(canceller.Cancelled > 0);
        }
    });

    [Theory, MemberData(nameof(Cases))]
    public void Reads_from_another_thread_cancelled_at_any_moment_lose_nothing(string family, int seed) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            Task writing = Writer(client, seed, bytes: 100_000);
            long total = await Task.Run(async () =>
            {
                using var canceller = new Canceller(threads: 1);
                byte[] buffer = new byte[700];
                long place = 0;
                while (true)
                {
                    try
                    {
                        int count = await server.ReadAsync(buffer, canceller.NextToken());
                        if (count == 0)
                            return place;
                        CheckPattern(buffer, count, ref place);
                    }
                    catch (OperationCanceledException)
                    {
                        // The next read goes on where this one did not begin.
                    }
                }
            });
            await writing;
            Assert.Equal(100_000, total);
        }
    });

    [Theory, MemberData(nameof(Cases))]
    public void Waits_for_data_cancelled_at_any_moment_lose_nothing(string family, int seed) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            Task writing = Writer(client, seed, bytes: 200_000);
            using var canceller = new Canceller(threads: 2);
            byte[] buffer = new byte[700];
            long place = 0;
            while (true)
            {
                try
                {
                    await server.WaitForDataAsync(canceller.NextToken());
                }
                catch (OperationCanceledException)
                {
                    continue;
                }

                if (!server.TryRead(buffer, out int count))
                    continue;
                if (count == 0)
                    break;
                CheckPattern(buffer, count, ref place);
            }

            await writing;
            Assert.Equal(200_000, place);
        }
    });

    [Theory]
    [InlineData("tcp", 5)]
    [InlineData("pair", 6)]
    public void Connections_that_end_in_any_way_under_cancelled_operations_leave_nothing(string family, int seed) => Run(async () =>
    {
        var random = new Random(seed);
        using var canceller = new Canceller(threads: 2);
        for (int round = 0; round < 60; round++)
        {
            (Connection client, Connection server) = await PairOf(family);
            Task[] users =
            [
                Use(() => ReadOn(server, canceller)), Use(() => WriteOn(server, canceller)),
                Use(() => ReadOn(client, canceller)), Use(() => WriteOn(client, canceller)),
            ];
            for (int turns = random.Next(20); turns > 0; turns--)
                await EventLoop.Yield();
            switch (random.Next(5))
            {
                case 0:
                    client.Abort();
                    break;
                case 1:
                    client.ShutdownWrite();
                    server.ShutdownWrite();
                    break;
                case 2:
                    client.ShutdownRead();
                    break;
                case 3:
                    await Task.Run(client.Dispose);
                    break;
                default:
                    server.Dispose();
                    break;
            }

            for (int turns = random.Next(10); turns > 0; turns--)
                await EventLoop.Yield();
            client.Dispose();
            server.Dispose();
            await Task.WhenAll(users);
        }

        // Only these ends are allowed; anything else fails the test.
        static async Task Use(Func<Task> body)
        {
            try
            {
                await body();
            }
            catch (Exception exception) when (exception is ObjectDisposedException or KernelException { Errno: Errno.ECONNRESET or Errno.EPIPE })
            {
            }
        }

        static async Task ReadOn(Connection connection, Canceller canceller)
        {
            byte[] buffer = new byte[5000];
            while (true)
            {
                try
                {
                    if (await connection.ReadAsync(buffer, canceller.NextToken()) == 0)
                        return;
                }
                catch (OperationCanceledException)
                {
                    await EventLoop.Yield();
                }
            }
        }

        static async Task WriteOn(Connection connection, Canceller canceller)
        {
            byte[] buffer = new byte[3000];
            while (true)
            {
                try
                {
                    await connection.WriteAsync(buffer, canceller.NextToken());
                }
                catch (OperationCanceledException)
                {
                    await EventLoop.Yield();
                }
            }
        }
    });

    [Fact]
    public void Connects_cancelled_at_any_moment_leave_nothing() => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        Task all = listener.AcceptAllAsync(connection => connection.ReadAsync(new byte[1]).AsTask());
        using var canceller = new Canceller(threads: 2);
        for (int i = 0; i < 300; i++)
        {
            try
            {
                using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint, null, canceller.NextToken());
            }
            catch (OperationCanceledException)
            {
            }
        }

        listener.Dispose();
        await all;
    });

    private static async Task Writer(Connection connection, int seed, int bytes)
    {
        var random = new Random(seed);
        byte[] payload = Pattern(bytes);
        for (int place = 0; place < bytes;)
        {
            int count = Math.Min(random.Next(1, 2000), bytes - place);
            await connection.WriteAsync(payload.AsMemory(place, count));
            place += count;
            for (int turns = random.Next(4); turns > 0; turns--)
                await EventLoop.Yield();
        }

        connection.ShutdownWrite();
    }

    private static void CheckPattern(byte[] buffer, int count, ref long place)
    {
        for (int i = 0; i < count; i++)
        {
            if (buffer[i] != PatternAt(place++))
                Assert.Fail($"byte {place - 1} is not the one written there");
        }
    }

    /// <summary>Threads that cancel whatever token is current, over and over.</summary>
    private sealed class Canceller : IDisposable
    {
        private readonly Thread[] _threads;
        private CancellationTokenSource? _current;
        private volatile bool _ended;
        private long _cancelled;

        internal Canceller(int threads)
        {
            _threads = [.. Enumerable.Range(0, threads).Select(_ => new Thread(Work) { IsBackground = true })];
            foreach (Thread thread in _threads)
                thread.Start();
        }

        internal long Cancelled => Interlocked.Read(ref _cancelled);

        /// <summary>A token that will be cancelled soon: now, later, or when its operation has long ended.</summary>
        internal CancellationToken NextToken()
        {
            CancellationTokenSource? current = Volatile.Read(ref _current);
            if (current is { IsCancellationRequested: false })
                return current.Token;
            var fresh = new CancellationTokenSource();
            Volatile.Write(ref _current, fresh);
            return fresh.Token;
        }

        private void Work()
        {
            int spins = 1;
            while (!_ended)
            {
                if (Volatile.Read(ref _current) is { IsCancellationRequested: false } current)
                {
                    Thread.SpinWait(spins = spins * 7 % 4001);
                    current.Cancel();
                    Interlocked.Increment(ref _cancelled);
                }

                Thread.Yield();
            }
        }

        public void Dispose()
        {
            _ended = true;
            foreach (Thread thread in _threads)
                thread.Join();
        }
    }
}
