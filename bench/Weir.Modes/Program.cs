using System.Globalization;
using Weir.Bench.Modes;

// Weir.Bench.Modes [--rounds N] [--group TEXT] [--strace]     the tables
// Weir.Bench.Modes --only CASE MESSAGES                       runs one case once; what strace watches
int rounds = 12;
string filter = "";
bool strace = false;
ModeCase[] cases = Catalog.Make();
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;

for (int i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--rounds":
            rounds = Math.Max(8, int.Parse(args[++i], CultureInfo.InvariantCulture));
            break;
        case "--group":
            filter = args[++i];
            break;
        case "--strace":
            strace = true;
            break;
        case "--only":
            using (ModeCase only = cases[int.Parse(args[++i], CultureInfo.InvariantCulture)])
            {
                only.Open(Weir.Kernel.Linux);
                only.Run(int.Parse(args[++i], CultureInfo.InvariantCulture));
            }

            return 0;
        default:
            Console.Error.WriteLine($"'{args[i]}' is no option; there are --rounds N, --group TEXT, --strace.");
            return 2;
    }
}

Measurement[] measurements = [.. cases.Where(c => c.Group.Contains(filter, StringComparison.OrdinalIgnoreCase)).Select(c => new Measurement(c))];
foreach (Measurement measurement in measurements)
{
    measurement.Count();
    measurement.Round(keep: false);
}

if (strace && !Strace.IsAvailable)
    Console.Error.WriteLine("strace is not there or not allowed; calls are counted at the door only.");
if (strace && Strace.IsAvailable)
{
    foreach (Measurement measurement in measurements)
        measurement.TracedCalls = Strace.Count(Array.IndexOf(cases, measurement.Case));
}

// Every round runs every case, in another order each time: what disturbs the machine for a while disturbs all of them.
Random order = new(1);
for (int round = 0; round < rounds; round++)
{
    Measurement[] shuffled = [.. measurements];
    order.Shuffle(shuffled);
    foreach (Measurement measurement in shuffled)
        measurement.Round(keep: true);
}

Console.WriteLine($"kernel {File.ReadAllText("/proc/sys/kernel/osrelease").Trim()}, .NET {Environment.Version}, {Environment.ProcessorCount} processors, {rounds} rounds");
Console.WriteLine("CPU: user and kernel time of all threads per message, against the first of the group in the same round: median [quartiles].");
foreach (IGrouping<string, Measurement> group in measurements.GroupBy(m => m.Case.Group))
{
    Console.WriteLine();
    Console.WriteLine($"{group.Key,-46}{"calls/message",14}{"by strace",11}{"CPU",8}{"[quartiles]",16}{"ns",9}");
    foreach (Measurement measurement in group)
    {
        double[] ratios = measurement.Against(group.First());
        string quartiles = $"[{Measurement.Quantile(ratios, 0.25):0.00}, {Measurement.Quantile(ratios, 0.75):0.00}]";
        double nanoseconds = Measurement.Quantile([.. measurement.Nanoseconds.Order()], 0.5);
        Console.WriteLine(
            $"  {measurement.Case.Name,-44}{measurement.Calls,14:0.00}{measurement.TracedCalls?.ToString("0.00") ?? "-",11}"
            + $"{Measurement.Quantile(ratios, 0.5),8:0.00}{quartiles,16}{nanoseconds,9:0}");
    }
}

return 0;
