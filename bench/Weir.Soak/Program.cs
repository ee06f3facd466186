using System.CommandLine;
using System.Globalization;
using Weir;
using Weir.Bench.Soak;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var minutes = new Option<double>("--minutes") { Description = "How long.", DefaultValueFactory = _ => 10 };
var driver = new Option<string>("--driver") { Description = "Which drivers: both at once, or one of them.", DefaultValueFactory = _ => "both" };
driver.AcceptOnlyFromAmong("both", "epoll", "iouring");
var seed = new Option<int?>("--seed") { Description = "What the traffic is drawn from. Defaults to another one each time, which is printed." };
minutes.Validators.Add(result =>
{
    if (!(result.GetValueOrDefault<double>() > 0))
        result.AddError("--minutes must be above zero.");
});

var root = new RootCommand("Random traffic on real loops for as long as one likes, and whether anything leaks.") { minutes, driver, seed };
root.SetAction(arguments =>
{
    DriverKind[] drivers = arguments.GetValue(driver) switch
    {
        "epoll" => [DriverKind.Epoll],
        "iouring" => [DriverKind.IoUring],
        _ when UringIsForbidden() => [DriverKind.Epoll],
        _ => [DriverKind.Epoll, DriverKind.IoUring],
    };
    return new SoakRun(drivers, TimeSpan.FromMinutes(arguments.GetValue(minutes)), arguments.GetValue(seed) ?? Random.Shared.Next()).Run();
});
return root.Parse(args).Invoke();

static bool UringIsForbidden()
{
    string? reason = null;
    EventLoop.Run(() =>
    {
        reason = EventLoop.Current!.Statistics.BackendReason;
        return Task.CompletedTask;
    });
    if (reason != null)
        Console.Out.WriteLine($"soak: without io_uring: {reason}");
    return reason != null;
}
