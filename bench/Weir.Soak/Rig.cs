using System.Net;
using System.Net.Sockets;
using Weir.Net;

namespace Weir.Bench.Soak;

/// <summary>A loop that serves and a loop that asks, each on a thread of its own, both on one driver.</summary>
internal sealed class Rig : IDisposable
{
    private static int Count;

    private readonly Thread[] _threads;
    private readonly List<EndPoint> _endPoints = [];
    private LoopStatistics _serverAtRest = null!;
    private LoopStatistics _clientAtRest = null!;
    private Exception? _failure;

    public Rig(DriverKind driver)
    {
        Driver = driver;
        using var started = new CountdownEvent(2);
        _threads = [Start("server", Serve, started), Start("client", Wait, started)];
        started.Wait();
        ThrowIfFailed();
    }

    public DriverKind Driver { get; }

    public EventLoop Server { get; private set; } = null!;

    public EventLoop Client { get; private set; } = null!;

    /// <summary>Echo servers, TCP and unix, in three manners of reading and writing.</summary>
    public IReadOnlyList<EndPoint> EndPoints => _endPoints;

    private Thread Start(string role, Func<CountdownEvent, Task> main, CountdownEvent started)
    {
        var thread = new Thread(() =>
        {
            try
            {
                EventLoop.Run(() => main(started), new LoopOptions { Name = $"{role} {Driver}", Driver = Driver, StopTimeout = TimeSpan.FromSeconds(2) });
            }
            catch (Exception exception)
            {
                Interlocked.CompareExchange(ref _failure, exception, null);
                if (!started.IsSet)
                    started.Signal();
            }
        })
        { IsBackground = true, Name = $"{role} {Driver}" };
        thread.Start();
        return thread;
    }

    private async Task Serve(CountdownEvent started)
    {
        Server = EventLoop.Current!;
        string name = $"\0weir-soak-{Environment.ProcessId}-{Interlocked.Increment(ref Count)}-";
        Func<Connection, Task>[] manners = [Echo, EchoByTrying, EchoInPlace];
        Listener[] listeners =
        [
            .. manners.Select(_ => Listener.Bind(new IPEndPoint(IPAddress.Loopback, 0))),
            .. manners.Select((_, i) => Listener.Bind(new UnixDomainSocketEndPoint(name + i))),
        ];
        _endPoints.AddRange(listeners.Select(listener => listener.LocalEndPoint));
        started.Signal();
        await Task.WhenAll(listeners.Select((listener, i) => listener.AcceptAllAsync(
            connection =>
            {
                if (i < manners.Length)
                    ExpectLife(connection);
                return manners[i % manners.Length](connection);
            },
            Server.Stopping)));
        Array.ForEach(listeners, listener => listener.Dispose());
    }

    // A reset that comes out of order is not obeyed, only asked about, and that not always (RFC 5961, tcp_challenge_ack_limit): then nothing but this
    // tells a server that its peer is gone.
    private static void ExpectLife(Connection connection)
    {
        const SocketOption idleSeconds = (SocketOption)4, secondsBetween = (SocketOption)5, probes = (SocketOption)6;
        connection.KeepAlive = true;
        connection.SetOption(SocketLevel.Tcp, idleSeconds, 1);
        connection.SetOption(SocketLevel.Tcp, secondsBetween, 1);
        connection.SetOption(SocketLevel.Tcp, probes, 3);
    }

    private async Task Wait(CountdownEvent started)
    {
        Client = EventLoop.Current!;
        started.Signal();
        await Task.Delay(Timeout.Infinite, Client.Stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    private static async Task Echo(Connection connection)
    {
        byte[] buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(16384);
        try
        {
            int count;
            while ((count = await connection.ReadAsync(buffer)) > 0)
                await connection.WriteAsync(buffer.AsMemory(0, count));
            connection.ShutdownWrite();
        }
        finally
        {
            // Neither a read nor a write is under way any more: both were awaited.
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task EchoByTrying(Connection connection)
    {
        byte[] buffer = new byte[4096];
        while (true)
        {
            await connection.WaitForDataAsync();
            if (!connection.TryRead(buffer, out int count))
                continue;
            if (count == 0)
                break;
            int written = connection.TryWrite(buffer.AsSpan(0, count));
            if (written < count)
                await connection.WriteAsync(buffer.AsMemory(written, count - written));
        }

        connection.ShutdownWrite();
    }

    private static async Task EchoInPlace(Connection connection)
    {
        while (true)
        {
            await connection.WaitForDataAsync();
            if (!connection.TryReceive(out ReceivedBuffer buffer))
                continue;
            if (buffer.Length == 0)
                break;
            await connection.SendAsync(buffer);
        }

        connection.ShutdownWrite();
    }

    /// <summary>Notes what both loops look like with nothing to do.</summary>
    public void Rest()
    {
        _serverAtRest = StatisticsOf(Server);
        _clientAtRest = StatisticsOf(Client);
    }

    /// <summary>Null: both loops are at rest again. Else all that is not.</summary>
    public string? Unrest()
    {
        string[] all = [.. Unrest("server", StatisticsOf(Server), _serverAtRest), .. Unrest("client", StatisticsOf(Client), _clientAtRest)];
        return all.Length == 0 ? null : string.Join("; ", all);
    }

    private IEnumerable<string> Unrest(string role, LoopStatistics now, LoopStatistics then)
    {
        (string What, int Now, int Then)[] counts =
        [
            ("descriptors in care", now.Descriptors, then.Descriptors),
            ("waiting readers", now.WaitingReaders, then.WaitingReaders),
            ("waiting writers", now.WaitingWriters, then.WaitingWriters),
            ("tasks", now.Tasks, then.Tasks),
            ("timers", now.Timers, then.Timers),
            ("receive buffers in use", now.ReceiveBuffersInUse, 0),
        ];
        foreach ((string what, int count, int before) in counts)
        {
            if (count != before)
                yield return $"{Driver} {role}: {count} {what}, at rest {before}";
        }
    }

    /// <summary>Figures of one moment: only the loop's own thread sees them together.</summary>
    private LoopStatistics StatisticsOf(EventLoop loop)
    {
        Task<LoopStatistics> task = loop.InvokeAsync(() => new ValueTask<LoopStatistics>(loop.Statistics));
        if (!task.Wait(TimeSpan.FromSeconds(30)))
            throw new Finding($"{Driver}: the loop {loop.Options.Name} does not answer");
        return task.Result;
    }

    public void ThrowIfFailed()
    {
        if (Volatile.Read(ref _failure) is { } failure)
            throw new Finding($"{Driver}: a loop ended: {failure.Message}", failure);
    }

    public void Dispose()
    {
        Client?.Stop();
        Server?.Stop();
        foreach (Thread thread in _threads)
        {
            if (!thread.Join(TimeSpan.FromSeconds(30)))
                throw new Finding($"{Driver}: the loop {thread.Name} does not stop");
        }
    }
}
