namespace Weir.Simulation;

/// <summary>What is special about a run, in words: at each choice that was not the plain one, who was stopped where, and who ran instead.</summary>
internal sealed class ScheduleWords(World world)
{
    private const int Most = 50;

    private readonly List<string> _lines = [];
    private int _left;

    /// <summary>One line for each, in order.</summary>
    internal IReadOnlyList<string> Lines => _left == 0 ? _lines : [.. _lines, $"and {_left} more"];

    internal void Switched(List<SimThread> runnable, int taken, bool preempts)
    {
        string next = runnable[taken].Name;
        Add(preempts
            ? $"{runnable[0].Name} was stopped {Where(runnable[0], "before")}; {next} ran instead"
            : $"{next} ran, although it was {runnable[0].Name}'s turn");
    }

    internal void Struck() => Add($"a fault struck {Where(world.CurrentThread, "in")}");

    internal void WentAnotherWay(int taken, int options, object? what)
        => Add($"{what ?? "the world"} took way {taken + 1} of {options}{(what == null ? " " + Where(world.CurrentThread, "in") : "")}");

    internal void Chose<T>(string what, T taken, T plain) => Add($"{what}: {taken}, in place of {plain}");

    internal void HeldStore() => Add($"the stores of {world.CurrentThread?.Name ?? "a thread"} were held back {Where(world.CurrentThread, "at")}");

    private static string Where(SimThread? thread, string preposition)
    {
        if (thread == null)
            return "by itself";
        if (thread.Call == SystemCall.None)
            return thread.Site is { } site ? $"{preposition} the marked operation {site}" : "between two calls";
        string call = thread.Call.ManName();
        if (thread.CallDescriptor < 0)
            return $"{preposition} {call}()";
        string kind = thread.CallProcess.Descriptors.Find(thread.CallDescriptor)?.Kind ?? "closed";
        return $"{preposition} {call}(fd {thread.CallDescriptor} {kind})";
    }

    private void Add(string line)
    {
        if (_lines.Count == Most)
            _left++;
        else
            _lines.Add($"{(world.Now - SimClock.Start) / 1e9:0.000000000} s: {line}");
    }
}
