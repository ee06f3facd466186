using System.CommandLine;
using Weir.Bench.Benchmarks;
using Weir.Bench.Parts;

namespace Weir.Bench;

/// <summary>Makes a command of a benchmark: the options all of them have, and what is done around a run.</summary>
internal static class CommandLine
{
    public static Command For(IBenchmark benchmark)
    {
        var rounds = new Option<int?>("--rounds") { Description = $"Rounds; each measures every peer once. Defaults to {benchmark.DefaultRounds}, with --quick to at most 3." };
        var seconds = new Option<double?>("--seconds") { Description = $"Length of one measurement. Defaults to {benchmark.DefaultSeconds}, with --quick to 0.3." };
        var quick = new Option<bool>("--quick") { Description = "A short run: does everything work?" };
        var json = new Option<FileInfo?>("--json") { Description = "Also write all samples to this file.", HelpName = "FILE" };
        var check = new Option<bool>("--check") { Description = "Exit with 3 when a target is missed." };
        var serverCpu = new Option<int>("--server-cpu") { Description = "CPU of the servers.", DefaultValueFactory = _ => 0 };
        var clientCpu = new Option<int>("--client-cpu") { Description = "CPU of the load generator.", DefaultValueFactory = _ => 1 };
        rounds.Validators.Add(result => Positive(result.GetValueOrDefault<int?>(), rounds, result));
        seconds.Validators.Add(result => Positive(result.GetValueOrDefault<double?>(), seconds, result));

        var command = new Command(benchmark.Name, benchmark.Description);
        foreach (Option option in benchmark.Options.Concat([rounds, seconds, quick, json, check, serverCpu, clientCpu]))
        {
            command.Add(option);
        }

        command.SetAction(arguments =>
        {
            bool isQuick = arguments.GetValue(quick);
            var settings = new Settings(
                arguments.GetValue(rounds) ?? (isQuick ? Math.Min(3, benchmark.DefaultRounds) : benchmark.DefaultRounds),
                arguments.GetValue(seconds) ?? (isQuick ? 0.3 : benchmark.DefaultSeconds),
                isQuick,
                arguments.GetValue(serverCpu),
                arguments.GetValue(clientCpu));
            var report = new Report(benchmark.Name, settings);
            try
            {
                benchmark.Run(settings, arguments, report);
                report.PrintTargets();
                if (arguments.GetValue(json) is { } file)
                {
                    report.Write(file);
                }
            }
            catch (Exception e) when (e is BenchException or IOException or UnauthorizedAccessException)
            {
                Report.Remark($"bench {benchmark.Name}: {e.Message}");
                return 1;
            }
            finally
            {
                OtherProcess.KillAll();
            }

            return arguments.GetValue(check) && report.Targets.Any(target => !target.Met) ? 3 : 0;
        });
        return command;
    }

    /// <summary>The server that <c>idle</c> starts in a process of its own.</summary>
    public static Command ForIdleServer()
    {
        var name = new Argument<string>("name");
        var port = new Argument<int>("port");
        var command = new Command("idle-server", "The server of the idle benchmark.") { Hidden = true };
        command.Add(name);
        command.Add(port);
        command.Add(Driver.Option);
        command.SetAction(arguments => IdleServer.Run(
            arguments.GetRequiredValue(name), arguments.GetRequiredValue(port), Driver.Kind(arguments.GetValue(Driver.Option)!)));
        return command;
    }

    /// <summary>The servers that <c>udp</c> starts in processes of their own.</summary>
    public static Command ForUdpServer()
    {
        var name = new Argument<string>("name");
        var command = new Command("udp-server", "A server of the udp benchmark.") { Hidden = true };
        command.Add(name);
        command.SetAction(arguments => UdpServer.Run(arguments.GetRequiredValue(name)));
        return command;
    }

    private static void Positive<T>(T? value, Option option, System.CommandLine.Parsing.OptionResult result)
        where T : struct, System.Numerics.INumber<T>
    {
        if (value is { } given && given <= T.Zero)
        {
            result.AddError($"{option.Name} must be above zero, not {given}.");
        }
    }
}
