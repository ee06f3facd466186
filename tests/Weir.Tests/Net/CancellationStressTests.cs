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
            var progress = new Progress(cancelledReads: 1000);
            Task<long> writing = Writer(client, seed, progress);
            using var canceller = new Canceller(threads: 2, progress.Permit);
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
                    progress.Note();
                    continue;
                }

                if (count == 0)
                    break;
                CheckPattern(buffer, count, ref place);
            }

            Assert.Equal(await writing, place);
        }
    });

    [Theory, MemberData(nameof(Cases))]
    public virtual void Reads_from_another_thread_cancelled_at_any_moment_lose_nothing(string family, int seed) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            var progress = new Progress(cancelledReads: 200);
            Task<long> writing = Writer(client, seed, progress);
            long total = await Task.Run(async () =>
            {
                using var canceller = new Canceller(threads: 1, progress.Permit);
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
                        progress.Note(); // the next read goes on where this one did not begin
                    }
                }
            });
            Assert.Equal(await writing, total);
        }
    });

    [Theory, MemberData(nameof(Cases))]
    public void Waits_for_data_cancelled_at_any_moment_lose_nothing(string family, int seed) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            var progress = new Progress(cancelledReads: 1000);
            Task<long> writing = Writer(client, seed, progress);
            using var canceller = new Canceller(threads: 2, progress.Permit);
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
                    progress.Note();
                    continue;
                }

                if (!server.TryRead(buffer, out int count))
                    continue;
                if (count == 0)
                    break;
                CheckPattern(buffer, count, ref place);
            }

            Assert.Equal(await writing, place);
        }
    });

    [ThreadedTheory]
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

    [ThreadedFact]
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

    // Writes until so many reads have been cancelled; returns how much that was.
    private static async Task<long> Writer(Connection connection, int seed, Progress progress)
    {
        var random = new Random(seed);
        byte[] payload = new byte[2000];
        int place = 0;
        while (!progress.IsEnough)
        {
            // As much as a few writes while a token is about to be cancelled.
            await progress.Permit.WaitAsync();
            for (int writes = random.Next(1, 4); writes > 0; writes--)
            {
                int count = random.Next(1, payload.Length);
                for (int i = 0; i < count; i++)
                    payload[i] = PatternAt(place + i);
                await connection.WriteAsync(payload.AsMemory(0, count));
                place += count;
                await EventLoop.Yield();
            }
        }

        connection.ShutdownWrite();
        return place;
    }

    private sealed class Progress(int cancelledReads)
    {
        private int _cancelled;

        /// <summary>Released once for each token, shortly before or after it is cancelled.</summary>
        internal SemaphoreSlim Permit { get; } = new(0);

        internal bool IsEnough => Volatile.Read(ref _cancelled) >= cancelledReads;

        internal void Note() => Interlocked.Increment(ref _cancelled);
    }

    private static void CheckPattern(byte[] buffer, int count, ref long place)
    {
        for (int i = 0; i < count; i++)
        {
            if (buffer[i] != PatternAt(place++))
                Assert.Fail($"byte {place - 1} is not the one written there");
        }
    }

    /// <summary>Threads that cancel each token some moments after it was asked for, and give the permit around the same time.</summary>
    private sealed class Canceller : IDisposable
    {
        private readonly Thread[] _threads;
        private readonly SemaphoreSlim _wanted = new(0);
        private readonly SemaphoreSlim? _permit;
        private CancellationTokenSource? _current;
        private volatile bool _ended;

        internal Canceller(int threads, SemaphoreSlim? permit = null)
        {
            _permit = permit;
            _threads = [.. Enumerable.Range(1, threads).Select(seed => new Thread(() => Work(new Random(seed))) { IsBackground = true })];
            foreach (Thread thread in _threads)
                thread.Start();
        }

        /// <summary>A token that will be cancelled: now, later, or when its operation has long ended.</summary>
        internal CancellationToken NextToken()
        {
            if (Volatile.Read(ref _current) is { IsCancellationRequested: false } current)
                return current.Token;
            var fresh = new CancellationTokenSource();
            Volatile.Write(ref _current, fresh);
            _wanted.Release();
            return fresh.Token;
        }

        private void Work(Random random)
        {
            while (true)
            {
                _wanted.Wait();
                if (_ended)
                    return;
                CancellationTokenSource current = Volatile.Read(ref _current)!;
                bool permitFirst = random.Next(2) == 0;
                if (permitFirst)
                    _permit?.Release();
                Thread.SpinWait(random.Next(1000));
                current.Cancel();
                Thread.SpinWait(random.Next(200));
                if (!permitFirst)
                    _permit?.Release();
            }
        }

        public void Dispose()
        {
            _ended = true;
            _wanted.Release(_threads.Length);
            foreach (Thread thread in _threads)
                thread.Join();
            _wanted.Dispose();
        }
    }
}
