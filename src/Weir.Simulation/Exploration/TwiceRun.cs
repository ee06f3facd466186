namespace Weir.Simulation;

/// <summary>
/// Does a run twice and compares: what happens must follow from the seed alone. The first step that differs is the first effect of whatever
/// does not, and mostly close to it.
/// </summary>
internal sealed class TwiceRun
{
    private const int ShownBefore = 5;

    private readonly List<Step> _first = [];
    private readonly List<string> _names = []; // of the first run's threads
    private World? _world; // of the run in progress
    private int _next;
    private string? _difference;

    /// <summary>The outcome of the first run, or that of the second if it differs: a finding of nondeterminism.</summary>
    internal static RunOutcome Run(SimRunner runner, Schedule schedule, Action<World>? watch)
    {
        var twice = new TwiceRun();
        RunOutcome first = runner.Run(schedule.Seed, schedule.Strategy(runner.Options), watch: world =>
        {
            twice._world = world;
            world.Log.Listener += twice.Record;
            watch?.Invoke(world);
        });
        List<Choice> firstTaken = [.. first.Choices.Taken];
        foreach (SimThread thread in twice._world!.Threads)
            twice._names.Add(thread.Name);
        RunOutcome second = runner.Run(schedule.Seed, schedule.Strategy(runner.Options), first.Choices.Points * 2 + 1000, world =>
        {
            twice._world = world;
            world.Log.Listener += twice.Compare;
        });
        // An escape is known by its own name, and explains what differs.
        if (first.Finding is { Kind: FindingKind.Escape })
            return first;
        if (second.Finding is { Kind: FindingKind.Escape })
            return second;
        string? difference = twice.Difference(first, firstTaken, second);
        if (difference == null)
            return first;
        var finding = new SimulationException(
            FindingKind.Nondeterminism,
            $"Two runs with one seed were not the same: something is not determined by it. {difference}\n"
            + "Usual reasons: Random.Shared, Guid.NewGuid, DateTime.UtcNow, Stopwatch or Environment.TickCount in place of Sim.Random and the loop's clock; static "
            + "state that outlives a run; work on the thread pool; finalizers; the order of hash tables whose keys are strings or have no hash code of their own.");
        return second with { Finding = finding };
    }

    private void Record(Step step) => _first.Add(step);

    private void Compare(Step step)
    {
        if (_difference != null)
            return;
        if (_next == _first.Count)
            _difference = Describe(_next, "(the run had ended)", Text(step, step.Thread < 0 ? "-" : _world!.Threads[step.Thread].Name));
        else if (!AreSame(_first[_next], step))
            _difference = Describe(_next, FirstText(_next), Text(step, step.Thread < 0 ? "-" : _world!.Threads[step.Thread].Name));
        _next++;
    }

    private string? Difference(in RunOutcome first, List<Choice> firstTaken, in RunOutcome second)
    {
        if (_difference != null)
            return _difference;
        if (_next < _first.Count)
            return Describe(_next, FirstText(_next), "(the run had ended)");
        if (first.Finding == null != (second.Finding == null) || (first.Finding != null && !first.Finding.IsLike(second.Finding!)))
            return $"Step by step they were, but not in how they ended.\n  first run:  {first.Finding?.Summary ?? "well"}\n  second run: {second.Finding?.Summary ?? "well"}";
        List<Choice> secondTaken = second.Choices.Taken;
        for (int i = 0; i < Math.Max(firstTaken.Count, secondTaken.Count); i++)
        {
            if (i >= firstTaken.Count || i >= secondTaken.Count || firstTaken[i] != secondTaken[i])
                return $"Step by step they were, but not in choice {i} of {firstTaken.Count} and {secondTaken.Count}.";
        }

        return null;
    }

    private string Describe(int index, string first, string second)
    {
        var before = new List<string>();
        for (int i = Math.Max(0, index - ShownBefore); i < index; i++)
            before.Add($"  {FirstText(i)}\n");
        return $"The first step that differs is number {index}.\n{string.Concat(before)}  first run:  {first}\n  second run: {second}";
    }

    private string FirstText(int index)
    {
        Step step = _first[index];
        return Text(step, step.Thread < 0 ? "-" : step.Thread < _names.Count ? _names[step.Thread] : $"thread {step.Thread}");
    }

    private static string Text(in Step step, string thread) => $"{StepText.Moment(step.Time)} {thread}: {StepText.What(step).TrimStart()}";

    private static bool AreSame(in Step a, in Step b)
        => a.Time == b.Time && a.Thread == b.Thread && a.Kind == b.Kind && a.Call == b.Call && a.Fd == b.Fd && a.Result == b.Result && a.Events == b.Events
            && AreSame(a.Subject, b.Subject);

    // Two runs have different objects for the same thing.
    private static bool AreSame(object? a, object? b) => (a, b) switch
    {
        (SimFile first, SimFile second) => first.Number == second.Number,
        (EpollItem first, EpollItem second) => first.Epoll.Number == second.Epoll.Number && first.File.Number == second.File.Number,
        (SimThread first, SimThread second) => first.Id == second.Id,
        (string first, string second) => first == second,
        _ => a?.GetType() == b?.GetType(),
    };
}
