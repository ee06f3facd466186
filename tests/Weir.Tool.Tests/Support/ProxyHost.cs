using System.Net;
using System.Runtime.ExceptionServices;
using Weir.Tool.Proxy;

namespace Weir.Tool.Tests.Support;

/// <summary>The proxy's core on a loop on a thread of its own, listening on loopback.</summary>
internal sealed class ProxyHost : IDisposable
{
    private readonly Thread _thread;
    private readonly TaskCompletionSource<EventLoop> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ProxyServer? _proxy;
    private Exception? _failure;

    internal ProxyHost(ProxyOptions options, params EndPoint[] listen)
    {
        if (listen.Length == 0)
            listen = [new IPEndPoint(IPAddress.Loopback, 0)];
        _thread = new Thread(() =>
        {
            try
            {
                EventLoop.Run(async () =>
                {
                    using var proxy = new ProxyServer(options);
                    foreach (EndPoint endPoint in listen)
                        proxy.Listen(endPoint);
                    EndPoints = [.. proxy.LocalEndPoints];
                    _proxy = proxy;
                    _started.SetResult(EventLoop.Current!);
                    await proxy.RunAsync();
                });
            }
            catch (Exception exception)
            {
                _failure = exception;
                _started.TrySetException(exception);
            }
        })
        { Name = "proxy", IsBackground = true };
        _thread.Start();
        Loop = _started.Task.GetAwaiter().GetResult();
    }

    internal EventLoop Loop { get; }

    internal EndPoint[] EndPoints { get; private set; } = [];

    internal EndPoint EndPoint => EndPoints[0];

    internal static Upstream To(params EndPoint[] addresses) => new(addresses[0].ToString()!, addresses);

    /// <summary>Runs a function on the proxy's loop.</summary>
    internal T On<T>(Func<ProxyServer, T> function) => Loop.InvokeAsync(() => ValueTask.FromResult(function(_proxy!))).GetAwaiter().GetResult();

    internal void Post(Action<ProxyServer> action) => Loop.Post(() => action(_proxy!));

    /// <summary>Waits for the proxy's own end.</summary>
    internal void WaitForEnd()
    {
        Assert.True(_thread.Join(TimeSpan.FromSeconds(30)), "The proxy does not end.");
        if (_failure != null)
            ExceptionDispatchInfo.Throw(_failure);
    }

    public void Dispose()
    {
        Loop.Post(() => _proxy!.Abort());
        WaitForEnd();
    }
}
