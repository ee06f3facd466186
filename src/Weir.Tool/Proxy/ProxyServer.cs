using System.Net;
using Weir.Net;

namespace Weir.Tool.Proxy;

/// <summary>
/// Passes connections on to upstreams, byte for byte, on the loop it is made on. Knows neither command line nor console nor name service,
/// and speaks to the system through the loop's kernel alone.
/// </summary>
/// <remarks>For the loop's thread. Order of calls: <see cref="Listen"/>, <see cref="RunAsync"/>, and <see cref="Drain"/> or <see cref="Abort"/> at any time.</remarks>
internal sealed class ProxyServer : IDisposable
{
    // A connection is closed once it was idle for the timeout, at the latest a quarter of it later; two, if the kernel held something for a
    // receiver when it fell silent.
    private const int TicksPerIdleTimeout = 4;
    private static readonly TimeSpan ShortestTick = TimeSpan.FromMilliseconds(5);

    private readonly EventLoop _loop;
    private readonly ProxyOptions _options;
    private readonly List<Listener> _listeners = [];
    private readonly CancellationTokenSource _aborting = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private CancellationTokenSource _accepting = new();
    private TaskCompletionSource? _room;
    private ProxyConnection? _first;
    private int _drainTick;
    private int _idleTicks = TicksPerIdleTimeout;
    private bool _draining;
    private bool _checkingIdle;
    private bool _disposed;

    internal ProxyServer(ProxyOptions options)
    {
        _loop = EventLoop.Current ?? throw new InvalidOperationException("A proxy is made on the loop it runs on.");
        _options = options;
        Pool = new UpstreamPool(options.Upstreams, options.Balance);
        Shared = new ProxyShared(options.MaxPipes);
        ConnectOptions = new ConnectOptions { Timeout = options.ConnectTimeout };
    }

    internal ProxyStatistics Statistics { get; } = new();

    internal UpstreamPool Pool { get; }

    internal ProxyShared Shared { get; }

    internal ConnectOptions ConnectOptions { get; }

    /// <summary>Cancelled when connections are cut.</summary>
    internal CancellationToken Aborting => _aborting.Token;

    internal Kernel Kernel => _loop.Kernel;

    /// <summary>The kernel's monotonic clock in nanoseconds.</summary>
    internal long Now => Kernel.ClockGetTime(ClockId.Monotonic);

    /// <summary>Told of each attempt to connect that failed.</summary>
    internal Action<Upstream, EndPoint, Exception>? ConnectFailed { get; set; }

    /// <summary>Told of each that succeeded.</summary>
    internal Action<Upstream, EndPoint>? Connected { get; set; }

    /// <summary>The addresses listened on, with the ports that the kernel chose.</summary>
    internal IEnumerable<EndPoint> LocalEndPoints => _listeners.Select(listener => listener.LocalEndPoint);

    /// <summary>Opens a listener; connections wait in its backlog until <see cref="RunAsync"/>.</summary>
    /// <exception cref="KernelException">The address is in use, and the like.</exception>
    internal void Listen(EndPoint endPoint) => Listen(Listener.Bind(endPoint));

    /// <summary>Takes over a listener.</summary>
    internal void Listen(Listener listener) => _listeners.Add(listener);

    /// <summary>Accepts and serves connections; completes when it was told to end and the last connection has.</summary>
    internal async Task RunAsync()
    {
        foreach (Listener listener in _listeners)
            AcceptAll(listener);
        await _ended.Task;
        _aborting.Cancel(); // whoever waits for a timeout of ours need not any more
    }

    /// <summary>Stops listening; connections may end by themselves, for as long as the options say.</summary>
    internal void Drain()
    {
        if (_draining)
            return;
        _draining = true;
        // What moves from now on is told from what moved before. This tick ends early, so a connection is idle for one more.
        Shared.Tick++;
        _idleTicks++;
        _drainTick = Shared.Tick;
        foreach (Listener listener in _listeners)
            listener.Dispose();
        ResumeAccepting();
        if (Statistics.Active == 0)
            _ended.TrySetResult();
        else
            AbortAfterDrainTimeout();
    }

    /// <summary>
    /// Stops listening and cuts all connections: with a reset those on which something has moved since draining began. After the end there is
    /// nothing left to cut: a second signal may come as late as that.
    /// </summary>
    internal void Abort()
    {
        if (_disposed)
            return;
        Drain();
        _aborting.Cancel();
        for (ProxyConnection? connection = _first; connection != null; connection = connection.Next)
            connection.Cut(moving: connection.LastTick - _drainTick >= 0);
    }

    // The loops below return void: what goes wrong in them is a bug, which the loop's unhandled-exception policy gets to see.
    private async void AbortAfterDrainTimeout()
    {
        try
        {
            await _loop.Delay(_options.DrainTimeout, Aborting);
        }
        catch (OperationCanceledException)
        {
            return;
        }

        Abort();
    }

    private async void AcceptAll(Listener listener)
    {
        while (!_draining)
        {
            if (Statistics.Active >= _options.MaxConnections)
            {
                await (_room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
                continue;
            }

            Connection client;
            try
            {
                client = await listener.AcceptAsync(_accepting.Token);
            }
            catch (OperationCanceledException)
            {
                continue; // another listener has taken the last place
            }
            catch (ObjectDisposedException)
            {
                return;
            }

            Begin(client);
        }
    }

    private void Begin(Connection client)
    {
        Statistics.Accepted++;
        if (++Statistics.Active >= _options.MaxConnections && _listeners.Count > 1)
            _accepting.Cancel();
        var connection = new ProxyConnection(this, client) { LastTick = Shared.Tick, Next = _first };
        if (_first != null)
            _first.Previous = connection;
        _first = connection;
        if (_options.IdleTimeout > TimeSpan.Zero && !_checkingIdle)
            CheckIdle();
        connection.Start();
    }

    /// <summary>A connection is closed.</summary>
    internal void Ended(ProxyConnection connection)
    {
        if (connection.Previous != null)
            connection.Previous.Next = connection.Next;
        else
            _first = connection.Next;
        if (connection.Next != null)
            connection.Next.Previous = connection.Previous;
        if (--Statistics.Active == 0)
            Shared.Pipes.Trim(); // a proxy without connections holds the descriptors it began with
        ResumeAccepting();
        if (_draining && Statistics.Active == 0)
            _ended.TrySetResult();
    }

    private void ResumeAccepting()
    {
        if (_accepting.IsCancellationRequested)
        {
            _accepting.Dispose();
            _accepting = new CancellationTokenSource();
        }

        _room?.SetResult();
        _room = null;
    }

    private async void CheckIdle()
    {
        TimeSpan tick = _options.IdleTimeout / TicksPerIdleTimeout;
        if (tick < ShortestTick)
            tick = ShortestTick;
        _checkingIdle = true;
        while (_first != null)
        {
            try
            {
                await _loop.Delay(tick, Aborting);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            ProxyConnection? next;
            for (ProxyConnection? connection = _first; connection != null; connection = next)
            {
                next = connection.Next;
                if (connection.LastTick == Shared.Tick)
                    continue;
                if (connection.LookForProgress())
                {
                    connection.LastTick = Shared.Tick;
                }
                else if (Shared.Tick - connection.LastTick >= _idleTicks)
                {
                    // So many ticks are over, after the one it was last seen in, which may have been at its end already.
                    Statistics.IdleClosed++;
                    connection.Cut(moving: false);
                }
            }

            Shared.Tick++;
        }

        _checkingIdle = false;
    }

    internal void Report(Upstream upstream, EndPoint address, Exception exception) => ConnectFailed?.Invoke(upstream, address, exception);

    /// <summary>Gives back what it holds; its connections must have ended.</summary>
    public void Dispose()
    {
        _disposed = true;
        foreach (Listener listener in _listeners)
            listener.Dispose();
        Shared.Pipes.Dispose();
        _accepting.Dispose();
        _aborting.Dispose();
    }
}
