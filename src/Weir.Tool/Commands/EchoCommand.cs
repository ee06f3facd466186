using System.CommandLine;
using System.Net;
using Weir.Net;
using Weir.Tool.Echo;

namespace Weir.Tool.Commands;

/// <summary><c>weir echo</c>: sends back what it gets. The subject of the benchmarks.</summary>
internal static class EchoCommand
{
    private const int LargestBuffer = 64 << 20;

    internal static Command Create()
    {
        var listen = new Option<string>("--listen") { Description = "Where to listen; with port 0 the kernel chooses one; systemd, systemd:NAME or fd:NUMBER for sockets handed over.", HelpName = "ADDRESS", DefaultValueFactory = _ => "127.0.0.1:7000" };
        Option<DriverKind> driver = Drivers.Option();
        Option<int?> spin = Options.Spin();
        Option<int?> buffer = Options.Number("--buffer", "Receive at most so many bytes at once; 64 KiB by default.", "BYTES", 1, LargestBuffer);

        var command = new Command("echo", "Sends back what it gets.") { listen, driver, spin, buffer };
        command.SetAction(arguments =>
        {
            EndPoint[] endPoints = Address.ForListening(arguments.GetRequiredValue(listen));
            var options = new LoopOptions
            {
                Name = "echo",
                Driver = arguments.GetValue(driver),
                SpinBeforeSleep = TimeSpan.FromMicroseconds(arguments.GetValue(spin) ?? 0),
                StopTimeout = TimeSpan.Zero, // connections have no end of their own to wait for
            };
            if (arguments.GetValue(buffer) is { } size)
                options.ReceiveBufferSize = Math.Clamp(size, 64, 1 << 20);
            Drivers.Run(() => ServeAsync(endPoints, arguments.GetValue(buffer)), options);
            return 0;
        });
        return command;
    }

    private static async Task ServeAsync(EndPoint[] endPoints, int? buffer)
    {
        EventLoop loop = EventLoop.Current!;
        ServiceNotifier service = ServiceManager.FromEnvironment("echo");
        using var stop = new CancellationTokenSource();
        using LoopSignals signals = LoopSignals.StopOn(loop, _ => stop.Cancel());
        Listener[] listeners = [.. endPoints.Select(Listen)];
        foreach (Listener listener in listeners)
            Console.Out.WriteLine($"listening on {Address.Format(listener.LocalEndPoint)} ({Drivers.Describe()})");
        service.Ready();
        _ = service.RunWatchdogAsync(stop.Token);
        int most = buffer ?? EchoHandlers.DefaultMost;
        await Task.WhenAll(listeners.Select(listener => listener.AcceptAllAsync(connection => EchoHandlers.InPlace(connection, most), stop.Token)));
        service.Stopping();
        foreach (Listener listener in listeners)
            listener.Dispose();
    }

    private static Listener Listen(EndPoint endPoint)
    {
        try
        {
            return Address.Listen(endPoint);
        }
        catch (KernelException exception)
        {
            throw Options.CannotListen(endPoint, exception);
        }
    }
}
