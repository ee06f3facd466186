using System.Diagnostics;

namespace Weir.Bench.Soak;

/// <summary>
/// Cycles of phases. Each cycle has loops of its own, all drivers at once; after each phase the loops must come to rest, and after each
/// cycle the process must hold what it held before. The first cycle is a short one that only fills pools and caches.
/// </summary>
internal sealed class SoakRun(DriverKind[] drivers, TimeSpan time, int seed)
{
    private const long Mebibyte = 1 << 20;

    // Beyond what the first cycle left. Pools of the framework grow with chance; a leak grows with time.
    private const long ManagedRoom = 8 * Mebibyte;
    private const long ResidentRoom = 96 * Mebibyte;
    private const int MappingsRoom = 96;

    private static readonly TimeSpan WarmUpPhase = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan LongestPhase = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan RestLimit = TimeSpan.FromSeconds(20);

    private readonly (long Challenged, long Ignored) _refusedAtStart = Remains.RefusedResets();
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly Random _random = new(seed);

    /// <summary>The exit code.</summary>
    public int Run()
    {
        Console.Out.WriteLine($"soak: {string.Join(" and ", drivers)}, {time.TotalMinutes:0.##} min, --seed {seed}");
        try
        {
            SortedDictionary<string, int> before = ProcessState.CountDescriptors();
            Cycle(WarmUpPhase);
            RequireDescriptors(before, "after the first cycle");
            var reference = ProcessState.Take();
            Say($"all loops ended: {reference}");
            TimeSpan left;
            while ((left = time - Stopwatch.GetElapsedTime(_start)) > TimeSpan.Zero)
            {
                TimeSpan phase = left / Phase.All.Length;
                Cycle(phase < LongestPhase ? phase : LongestPhase);
                RequireDescriptors(before, "after the cycle");
                var now = ProcessState.Take();
                Say($"all loops ended: {now}");
                RequireMemory(now, reference);
            }

            Console.Out.WriteLine("ok");
            return 0;
        }
        catch (Exception exception) when (Unwrap(exception) is Finding finding)
        {
            Console.Out.WriteLine($"soak: {finding.Message}");
            Console.Error.WriteLine(finding.InnerException);
            return 1;
        }
        catch (KernelException exception)
        {
            Console.Error.WriteLine($"soak: {exception.Message}");
            return 1;
        }
    }

    private static Exception Unwrap(Exception exception)
        => exception is AggregateException { InnerException: { } inner } ? Unwrap(inner) : exception;

    private void Cycle(TimeSpan phaseTime)
    {
        var rigs = new List<Rig>();
        try
        {
            foreach (DriverKind driver in drivers)
                rigs.Add(new Rig(driver));
            // All accept loops wait now: the first of anything on a loop may set something up that stays.
            Thread.Sleep(50);
            rigs.ForEach(rig => rig.Rest());
            SortedDictionary<string, int> atRest = ProcessState.CountDescriptors();
            foreach (Phase phase in Phase.All)
            {
                Traffic[] traffic = Run(phase, phaseTime, rigs);
                ComeToRest(phase, rigs);
                RequireDescriptors(atRest, $"after {phase.Name}");
                string per = string.Join("; ", traffic.Zip(rigs, (t, rig) => $"{rig.Driver} {t.Connections:N0} connections, {t.Bytes / Mebibyte:N0} MiB, {t.Provoked:N0} provoked failures"));
                Say($"{phase.Name}: {per}; {Process.GetCurrentProcess().WorkingSet64 / Mebibyte} MiB resident");
            }
        }
        finally
        {
            rigs.ForEach(rig => rig.Dispose());
        }

        rigs.ForEach(rig => rig.ThrowIfFailed());
    }

    private Traffic[] Run(Phase phase, TimeSpan phaseTime, List<Rig> rigs)
    {
        long until = Stopwatch.GetTimestamp() + (long)(phaseTime.TotalSeconds * Stopwatch.Frequency);
        Traffic[] traffic = [.. rigs.Select(rig => new Traffic(rig, phase, new Random(_random.Next()), until))];
        Task[] running = [.. traffic.Zip(rigs, (t, rig) => (Task)rig.Client.InvokeAsync(t.RunAsync))];
        while (phase.LacksDescriptors && Stopwatch.GetTimestamp() < until && !running.Any(task => task.IsFaulted))
        {
            // A moment with room for a few connections, none at all, or plenty.
            using (DescriptorLimit.LeaveRoomFor(_random.Next(0, 12)))
                Thread.Sleep(_random.Next(5, 60));
            Thread.Sleep(_random.Next(5, 60));
        }

        // A loop that has failed would leave the others waiting.
        while (!Task.WhenAll(running).Wait(TimeSpan.FromSeconds(1)))
            rigs.ForEach(rig => rig.ThrowIfFailed());
        return traffic;
    }

    private void ComeToRest(Phase phase, List<Rig> rigs)
    {
        long start = Stopwatch.GetTimestamp();
        while (rigs.Select(rig => rig.Unrest()).FirstOrDefault(unrest => unrest != null) is { } unrest)
        {
            rigs.ForEach(rig => rig.ThrowIfFailed());
            if (Stopwatch.GetElapsedTime(start) > RestLimit)
                throw new Finding(string.Join("\n  ", [$"LEAK after {phase.Name}: {unrest}", .. Remaining(rigs)]));
            Thread.Sleep(10); // the peers' ends are on their way; no event says that they all have come
        }
    }

    private IEnumerable<string> Remaining(List<Rig> rigs)
    {
        (long challenged, long ignored) = Remains.RefusedResets();
        return Remains.Describe(rigs.SelectMany(rig => rig.EndPoints))
            .Append($"resets out of sequence since the start: {challenged - _refusedAtStart.Challenged} answered by a challenge, {ignored - _refusedAtStart.Ignored} by nothing");
    }

    private static void RequireDescriptors(SortedDictionary<string, int> before, string when)
    {
        long start = Stopwatch.GetTimestamp();
        SortedDictionary<string, int> now;
        while (!(now = ProcessState.CountDescriptors()).SequenceEqual(before))
        {
            if (Stopwatch.GetElapsedTime(start) > RestLimit)
                throw new Finding($"LEAK {when}: descriptors: {ProcessState.Show(now)}; before: {ProcessState.Show(before)}");
            Thread.Sleep(10);
        }
    }

    private static void RequireMemory(ProcessState now, ProcessState reference)
    {
        if (now.ManagedBytes > reference.ManagedBytes + ManagedRoom)
            throw new Finding($"LEAK of managed memory: {now}; after the first cycle: {reference}");
        if (now.ResidentBytes > reference.ResidentBytes + ResidentRoom)
            throw new Finding($"LEAK of native memory: {now}; after the first cycle: {reference}");
        if (now.Mappings > reference.Mappings + MappingsRoom)
            throw new Finding($"LEAK of mappings: {now}; after the first cycle: {reference}");
    }

    private void Say(string line) => Console.Out.WriteLine($"{Stopwatch.GetElapsedTime(_start).TotalSeconds,6:0.0} s  {line}");
}
