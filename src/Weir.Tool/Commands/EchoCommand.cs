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
        var listen = new Option<string>("--listen") { Description = "Where to listen; with port 0 the kernel chooses one.", HelpName = "ADDRESS", DefaultValueFactory = _ => "127.0.0.1:7000" };
        Option<DriverKind> driver = Drivers.Option();
        Option<int?> spin = Options.Spin();
        Option<int?> buffer = Options.Number("--buffer", "Read into one buffer of this size, shared by all connections. Without it the size follows what the reads bring.", "BYTES", 1, LargestBuffer);

        var command = new Command("echo", "Sends back what it gets.") { listen, driver, spin, buffer };
        command.SetAction(arguments =>
        {
            EndPoint endPoint = Address.ForListening(arguments.GetRequiredValue(listen));
            var options = new LoopOptions
            {
                Name = "echo",
                Driver = arguments.GetValue(driver),
                SpinBeforeSleep = TimeSpan.FromMicroseconds(arguments.GetValue(spin) ?? 0),
                StopTimeout = TimeSpan.Zero, // connections have no end of their own to wait for
            };
            Drivers.Run(() => ServeAsync(endPoint, arguments.GetValue(buffer)), options);
            return 0;
        });
        return command;
    }

    private static async Task ServeAsync(EndPoint endPoint, int? buffer)
    {
        using Listener listener = Listen(endPoint);
        using var stop = new CancellationTokenSource();
        using var signals = new StopSignals(EventLoop.Current!, _ => stop.Cancel());
        Console.Out.WriteLine($"listening on {Address.Format(listener.LocalEndPoint)} ({Drivers.Describe()})");
        await listener.AcceptAllAsync(connection => EchoHandlers.InPlace(connection, buffer ?? EchoHandlers.DefaultMost), stop.Token);
    }

    private static Listener Listen(EndPoint endPoint)
    {
        try
        {
            return Listener.Bind(endPoint);
        }
        catch (KernelException exception)
        {
            throw Options.CannotListen(endPoint, exception);
        }
    }
}
