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
            ? $"{runnable[0].Name} was stopped {Where(runnable[0])}; {next} ran instead"
            : $"{next} ran, although it was {runnable[0].Name}'s turn");
    }

    internal void Struck() => Add($"a fault struck {Where(world.CurrentThread)}");

    internal void WentAnotherWay(int taken, int options) => Add($"the world took way {taken + 1} of {options} {Where(world.CurrentThread)}");

    internal void HeldStore() => Add($"a store of {world.CurrentThread?.Name ?? "a thread"} was held back");

    private static string Where(SimThread? thread)
    {
        if (thread == null)
            return "by itself";
        if (thread.Call == SystemCall.None)
            return "between two calls";
        string call = thread.Call.ManName();
        if (thread.CallDescriptor < 0)
            return $"at {call}()";
        string kind = thread.Process.Descriptors.Find(thread.CallDescriptor)?.Kind ?? "closed";
        return $"at {call}(fd {thread.CallDescriptor} {kind})";
    }

    private void Add(string line)
    {
        if (_lines.Count == Most)
            _left++;
        else
            _lines.Add($"{(world.Now - SimClock.Start) / 1e9:0.000000000} s: {line}");
    }
}
