using System.Net;
using System.Net.Sockets;
using Weir.Net;
using Weir.Tool.Echo;
using Weir.Tool.Proxy;

namespace Weir.Tool.Commands;

/// <summary>A run of <c>weir proxy</c>: the proxy with its console, its signals, and an echo server to show it with.</summary>
internal sealed class ProxyRun(ProxySettings settings)
{
    private readonly EventLoop _loop = EventLoop.Current!;
    private readonly Complaints _complaints = new();
    private readonly ServiceNotifier _service = ServiceManager.FromEnvironment("proxy");

    internal async Task RunAsync()
    {
        foreach (Upstream upstream in settings.Upstreams)
            await RequireReachable(upstream);
        using Listener? echo = settings.Upstreams.Count > 0 ? null : Listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        IReadOnlyList<Upstream> upstreams = echo == null ? settings.Upstreams : [new Upstream("the echo server inside", [echo.LocalEndPoint])];
        using var proxy = new ProxyServer(settings.ToOptions(upstreams)) { ConnectFailed = Complain, Connected = _complaints.Forget };
        Listen(proxy);
        _ = echo?.AcceptAllAsync(connection => EchoHandlers.InPlace(connection, EchoHandlers.DefaultMost));

        using LoopSignals signals = LoopSignals.StopOn(_loop, count => Stop(proxy, count));
        Announce(proxy, echo);
        if (settings.StatisticsEach > TimeSpan.Zero)
            PrintStatistics(proxy);
        _service.Ready();
        _ = _service.RunWatchdogAsync(_loop.Stopping);
        await proxy.RunAsync();
    }

    private void Listen(ProxyServer proxy)
    {
        foreach (EndPoint endPoint in settings.Listen)
        {
            try
            {
                proxy.Listen(Address.Listen(endPoint));
            }
            catch (KernelException exception)
            {
                throw Options.CannotListen(endPoint, exception);
            }
        }
    }

    // A path is there from the start or was mistyped; a server that does not listen yet may come.
    private async Task RequireReachable(Upstream upstream)
    {
        if (upstream.Addresses[0] is not UnixDomainSocketEndPoint path)
            return;
        try
        {
            using Connection probe = await Connection.ConnectAsync(path, new ConnectOptions { Timeout = settings.ConnectTimeout });
        }
        catch (KernelException exception) when (exception.Errno is Errno.ENOENT or Errno.EACCES or Errno.ENOTDIR)
        {
            string reason = exception.Errno == Errno.EACCES ? "permission denied" : "there is no such socket";
            throw new ToolException($"cannot connect to {upstream.Name}: {reason}");
        }
        catch (Exception exception) when (exception is KernelException or TimeoutException)
        {
            CommandLine.Tell($"weir proxy: nobody answers at {upstream.Name} yet ({exception.Message})");
        }
    }

    private void Announce(ProxyServer proxy, Listener? echo)
    {
        string driver = $" ({Drivers.Describe()})";
        foreach (EndPoint endPoint in proxy.LocalEndPoints)
        {
            Console.Out.WriteLine($"listening on {Address.Format(endPoint)}{driver}");
            driver = ""; // the same for all
        }

        if (echo == null)
            return;
        EndPoint first = proxy.LocalEndPoints.First();
        string example = first switch
        {
            IPEndPoint ip => $"nc {(ip.Address.Equals(IPAddress.Any) || ip.Address.Equals(IPAddress.IPv6Any) ? "127.0.0.1" : ip.Address)} {ip.Port}",
            _ => $"socat - {(first.ToString()!.StartsWith('@') ? $"ABSTRACT-CONNECT:{first.ToString()![1..]}" : $"UNIX-CONNECT:{first}")}",
        };
        Console.Out.WriteLine($"passing on to an echo server inside, at {Address.Format(echo.LocalEndPoint)}");
        Console.Out.WriteLine($"  try it:             {example}");
        Console.Out.WriteLine("  in front of Redis:  weir proxy --listen 127.0.0.1:7000 --to 127.0.0.1:6379");
        Console.Out.WriteLine("                      redis-cli -p 7000 ping");
    }

    private void Stop(ProxyServer proxy, int signals)
    {
        if (signals == 1)
            _service.Stopping();
        int active = proxy.Statistics.Active;
        if (signals > 1)
        {
            CommandLine.Tell($"weir proxy: closing {active} connections");
            proxy.Abort();
            return;
        }

        if (active > 0)
            CommandLine.Tell($"weir proxy: no longer listening; {active} connections may end within {settings.DrainTimeout.TotalSeconds:0.###} s; a second signal closes them");
        proxy.Drain();
    }

    // Once for each new reason, not for each connection that finds the same.
    private void Complain(Upstream upstream, EndPoint address, Exception exception)
    {
        if (_complaints.IsNew(upstream, address, exception))
            CommandLine.Tell($"weir proxy: {upstream.Name} does not answer: {exception.Message}");
    }

    // Returns void: it ends with the loop, and a bug in it goes to the loop's unhandled-exception policy.
    private async void PrintStatistics(ProxyServer proxy)
    {
        var line = new StatisticsLine(proxy, _loop);
        while (true)
        {
            try
            {
                await _loop.Delay(settings.StatisticsEach, _loop.Stopping);
            }
            catch (Exception exception) when (exception is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }

            if (line.Next() is { } text)
                CommandLine.Tell(text);
        }
    }
}
