namespace Weir.Simulation;

/// <summary>What a choice is about.</summary>
internal enum ChoiceKind : byte
{
    /// <summary>Which thread goes on. Option 0: the one that runs, if it can, else the next in turn.</summary>
    Thread,

    /// <summary>Whether a fault strikes. Option 0: no.</summary>
    Fault,

    /// <summary>Which of several delays, orders or sizes the world takes. Option 0: the plainest.</summary>
    World,

    /// <summary>Whether a buffered store is still held back. Option 0: no.</summary>
    Store,
}

/// <summary>One choice that was made.</summary>
internal readonly record struct Choice(ChoiceKind Kind, int Options, int Taken);

/// <summary>
/// Everything that a simulation leaves to chance comes through here, one choice after the other, so that a run is its list of choices:
/// it can be recorded, replayed, and shrunk by taking option 0, which is always the one where nothing special happens.
/// </summary>
internal sealed class Choices(Strategy strategy)
{
    private readonly List<Choice> _taken = [];

    /// <summary>What was chosen so far. Choices with a single option are none.</summary>
    internal IReadOnlyList<Choice> Taken => _taken;

    internal Strategy Strategy => strategy;

    /// <summary>Picks the thread to go on with; <paramref name="preempts"/>: the running one could go on, and is at index 0.</summary>
    internal int Thread(List<SimThread> runnable, bool preempts)
        => runnable.Count == 1 ? 0 : Note(ChoiceKind.Thread, runnable.Count, strategy.ChooseThread(runnable, preempts));

    /// <summary>Whether something happens that does with this probability.</summary>
    internal bool Strikes(double probability)
        => probability > 0 && Note(ChoiceKind.Fault, 2, strategy.Strikes(probability) ? 1 : 0) == 1;

    /// <summary>One of several ways the world may go.</summary>
    internal int World(int options) => options <= 1 ? 0 : Note(ChoiceKind.World, options, strategy.Choose(ChoiceKind.World, options));

    /// <summary>Whether a buffered store stays in the buffer for now.</summary>
    internal bool HoldsStore() => Note(ChoiceKind.Store, 2, strategy.Choose(ChoiceKind.Store, 2)) == 1;

    private int Note(ChoiceKind kind, int options, int taken)
    {
        taken = Math.Clamp(taken, 0, options - 1); // a replay of a changed program may ask for what is not there any more
        _taken.Add(new Choice(kind, options, taken));
        return taken;
    }
}

/// <summary>How choices are made.</summary>
internal abstract class Strategy
{
    /// <summary>An index into <paramref name="runnable"/>; <paramref name="preempts"/>: its first entry runs now and could go on.</summary>
    internal abstract int ChooseThread(List<SimThread> runnable, bool preempts);

    internal abstract bool Strikes(double probability);

    internal abstract int Choose(ChoiceKind kind, int options);
}
