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

/// <summary>One choice that was made. <paramref name="Preempts"/>: of a thread, where the one that ran could have gone on.</summary>
internal readonly record struct Choice(ChoiceKind Kind, int Options, int Taken, bool Preempts)
{
    /// <summary>Something happened that need not have.</summary>
    internal bool IsSpecial => Taken != 0;

    /// <summary>A thread was stopped although it could have gone on.</summary>
    internal bool IsPreemption => Preempts && Taken != 0;

    internal bool IsFault => Kind == ChoiceKind.Fault && Taken != 0;
}

/// <summary>A run has taken far longer than it should: it is not worth its end.</summary>
internal sealed class RunTooLongException() : Exception("The run went on for too long.");

/// <summary>
/// Everything that a simulation leaves to chance comes through here, one choice after the other, so that a run is its list of choices:
/// it can be recorded, replayed, and shrunk by taking option 0, which is always the one where nothing special happens.
/// </summary>
/// <param name="strategy">Makes them.</param>
/// <param name="store">Where they are kept, emptied first: for those who do many runs. Null: a list of its own.</param>
internal sealed class Choices(Strategy strategy, List<Choice>? store = null)
{
    private readonly List<Choice> _taken = Emptied(store);

    /// <summary>What was chosen so far. Choices with a single option are none.</summary>
    internal List<Choice> Taken => _taken;

    internal Strategy Strategy => strategy;

    /// <summary>How often it was asked which thread goes on, also where only one could.</summary>
    internal long Points { get; private set; }

    /// <summary>With more of these points than that, the run is given up with <see cref="RunTooLongException"/>.</summary>
    internal long PointLimit { get; set; } = long.MaxValue;

    /// <summary>Equal for two runs of one program if they took the same choices.</summary>
    internal ulong Hash { get; private set; } = 14695981039346656037;

    /// <summary>Puts what is special about the run into words.</summary>
    internal ScheduleWords? Words { get; set; }

    /// <summary>Picks the thread to go on with; <paramref name="preempts"/>: the running one could go on, and is at index 0.</summary>
    internal int Thread(List<SimThread> runnable, bool preempts)
    {
        if (++Points > PointLimit)
            throw new RunTooLongException();
        if (runnable.Count == 1)
            return 0;
        int taken = Note(ChoiceKind.Thread, runnable.Count, strategy.ChooseThread(runnable, preempts), preempts);
        if (taken != 0)
            Words?.Switched(runnable, taken, preempts);
        return taken;
    }

    /// <summary>Whether something happens that does with this probability.</summary>
    internal bool Strikes(double probability)
    {
        if (probability <= 0 || Note(ChoiceKind.Fault, 2, strategy.Strikes(probability) ? 1 : 0) == 0)
            return false;
        Words?.Struck();
        return true;
    }

    /// <summary>One of several ways the world may go; <paramref name="what"/> (as text) goes it, if there is something to name.</summary>
    internal int World(int options, object? what = null)
    {
        if (options <= 1)
            return 0;
        int taken = Note(ChoiceKind.World, options, strategy.Choose(ChoiceKind.World, options));
        if (taken != 0)
            Words?.WentAnotherWay(taken, options, what);
        return taken;
    }

    /// <summary>One of several ways the program itself may go.</summary>
    internal int Program<T>(string what, ReadOnlySpan<T> options)
    {
        if (options.Length <= 1)
            return 0;
        int taken = Note(ChoiceKind.World, options.Length, strategy.Choose(ChoiceKind.World, options.Length));
        if (taken != 0)
            Words?.Chose(what, options[taken], options[0]);
        return taken;
    }

    /// <summary>Whether a buffered store stays in the buffer for now.</summary>
    internal bool HoldsStore()
    {
        if (Note(ChoiceKind.Store, 2, strategy.Choose(ChoiceKind.Store, 2)) == 0)
            return false;
        Words?.HeldStore();
        return true;
    }

    private int Note(ChoiceKind kind, int options, int taken, bool preempts = false)
    {
        taken = Math.Clamp(taken, 0, options - 1); // a replay of a changed program may ask for what is not there any more
        _taken.Add(new Choice(kind, options, taken, preempts));
        Hash = (Hash ^ (uint)taken) * 1099511628211; // FNV-1a
        return taken;
    }

    private static List<Choice> Emptied(List<Choice>? store)
    {
        store?.Clear();
        return store ?? [];
    }
}
