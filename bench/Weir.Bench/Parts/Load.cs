using System.Globalization;

namespace Weir.Bench.Parts;

/// <summary>A load: how many connections, how large the messages, how many of them under way on each.</summary>
internal sealed record Load(int Connections, int Bytes, int Depth)
{
    /// <summary>Reads a load as it is written on the command line: CONNECTIONSxBYTESxDEPTH.</summary>
    public static Load Parse(string text)
    {
        string[] parts = text.Split('x');
        int[] numbers = [.. parts.Select(part => int.TryParse(part, out int number) ? number : 0)];
        return numbers.Length == 3 && numbers.All(number => number > 0)
            ? new Load(numbers[0], numbers[1], numbers[2])
            : throw new BenchException($"a load is CONNECTIONSxBYTESxDEPTH, such as 64x64x1, not '{text}'");
    }

    /// <summary>Reads loads separated by commas.</summary>
    public static Load[] ParseAll(string text) => [.. text.Split(',').Select(Parse)];

    /// <summary>The load in words.</summary>
    public string Words => $"{Connections} connection{(Connections == 1 ? "" : "s")}, {Bytes} bytes, depth {Depth}";

    public override string ToString() => $"{Connections}x{Bytes}x{Depth}";
}

/// <summary>What the load generator found in one run. Times are microseconds.</summary>
/// <param name="Messages">Messages that returned while measuring.</param>
/// <param name="Rate">Messages per second.</param>
/// <param name="P50">Median round trip.</param>
/// <param name="P99">99th percentile of the round trip.</param>
/// <param name="Max">Longest round trip.</param>
/// <param name="SteadyP99">The 99th percentile that senders on a steady beat would have seen.</param>
/// <param name="Cpu">CPU time of the server per message, all its threads.</param>
/// <param name="UserShare">The share of it spent outside the kernel (coarse: from 10 ms ticks).</param>
/// <param name="ServerLoad">CPUs the server used.</param>
/// <param name="GeneratorLoad">CPUs the generator used; near 1 the rate measures the generator.</param>
/// <param name="OthersLoad">CPUs that neither of the two used, but somebody did.</param>
/// <param name="FloodMegabytes">Megabytes per second that the flooding connection got back.</param>
/// <param name="Total">Messages that returned in all, warm-up and end included.</param>
internal sealed record LoadResult(
    long Messages,
    double Rate,
    double P50,
    double P99,
    double Max,
    double SteadyP99,
    double Cpu,
    double UserShare,
    double ServerLoad,
    double GeneratorLoad,
    double OthersLoad,
    double FloodMegabytes,
    long Total);

/// <summary>Whether a measurement had the machine to itself.</summary>
internal static class Quiet
{
    /// <summary>More than this, in CPUs, and others compete with what is measured.</summary>
    private const double Limit = 0.1;

    /// <summary>What to say of it beside a table: how busy others kept the machine in the median run.</summary>
    public static string Remark(IEnumerable<LoadResult> results)
    {
        double others = Summary.Of(results.Select(result => result.OthersLoad)).Median;
        return $"others used {others:0.00} CPUs{(others > Limit ? ": NOT A QUIET MACHINE" : "")}";
    }
}

/// <summary>Starts the load generator against a server.</summary>
internal sealed class LoadGenerator(Settings settings)
{
    public LoadResult Run(EchoServer server, Load load, double? seconds = null, params string[] more)
    {
        double length = seconds ?? settings.Seconds;
        string[] command =
        [
            Output.LoadGenerator,
            "--port", $"{server.Port}",
            "--pid", $"{server.Id}",
            "--connections", $"{load.Connections}",
            "--bytes", $"{load.Bytes}",
            "--depth", $"{load.Depth}",
            "--seconds", length.ToString(CultureInfo.InvariantCulture),
            "--warmup", settings.WarmUpSeconds.ToString(CultureInfo.InvariantCulture),
            .. more,
        ];
        string line;
        try
        {
            line = OtherProcess.Run(settings.ClientCpu, TimeSpan.FromSeconds(length + 20), command);
        }
        catch (BenchException e)
        {
            server.ThrowIfEnded();
            throw new BenchException($"{server.Peer.Name} under {load}: {e.Message}");
        }

        return Parse(line);
    }

    private static LoadResult Parse(string line)
    {
        Dictionary<string, double> values = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => pair.Split('='))
            .ToDictionary(pair => pair[0], pair => double.Parse(pair[1], CultureInfo.InvariantCulture));
        return new LoadResult(
            (long)values["messages"],
            values["rate"],
            values["p50"],
            values["p99"],
            values["max"],
            values["steady_p99"],
            values["cpu"],
            values["user_share"],
            values["server_load"],
            values["generator_load"],
            values["others_load"],
            values["flood_mb"],
            (long)values["total"]);
    }
}
