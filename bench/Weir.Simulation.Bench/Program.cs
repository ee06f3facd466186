using System.CommandLine;
using System.Globalization;
using Weir.Bench.Parts;
using Weir.Bench.Simulation;
using Weir.Simulation;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var seeds = new Option<int?>("--seeds") { Description = "Runs of the echo server under faults. Defaults to 1000, with --quick to 50." };
var quick = new Option<bool>("--quick") { Description = "A short run: does everything work?" };
var check = new Option<bool>("--check") { Description = "Exit with 3 when a target is missed." };
seeds.Validators.Add(result =>
{
    if (result.GetValueOrDefault<int?>() is <= 0)
        result.AddError("--seeds must be above zero.");
});

var root = new RootCommand("What the emulated kernel costs: seeds, calls, idle time and schedules.") { seeds, quick, check };
root.SetAction(arguments => Measure(arguments.GetValue(seeds), arguments.GetValue(quick), arguments.GetValue(check)));
var wakes = new Command(ScheduleRate.WakesCommand, "The schedules of the sleep/wake protocol, in a process whose atomics are marked.") { Hidden = true };
wakes.Options.Add(quick);
wakes.SetAction(arguments => ScheduleRate.PrintWakes(arguments.GetValue(quick)));
root.Add(wakes);
return root.Parse(args).Invoke();

static int Measure(int? seeds, bool isQuick, bool check)
{
    var report = new Report("simulation", new Settings(Rounds: isQuick ? 1 : 5, Seconds: isQuick ? 0.1 : 0.5, isQuick, ServerCpu: -1, ClientCpu: -1));
    try
    {
        Report.Say($".NET {Environment.Version}, {Environment.ProcessorCount} processors");
        FaultyEcho.Run(report, seeds ?? (isQuick ? 50 : 1000));
        CallRate.Run(report, rounds: isQuick ? 1 : 5, seconds: isQuick ? 0.1 : 0.5);
        IdleDay.Run(report);
        ScheduleRate.Run(isQuick);
    }
    catch (Exception exception) when (exception is SimulationException or InvalidOperationException)
    {
        Report.Remark($"bench simulation: {exception.Message}");
        return 1;
    }

    report.PrintTargets();
    return check && report.Targets.Any(target => !target.Met) ? 3 : 0;
}
