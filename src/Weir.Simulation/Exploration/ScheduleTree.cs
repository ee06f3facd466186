namespace Weir.Simulation;

/// <summary>Which schedules belong to the tree.</summary>
internal sealed record TreeBounds(int Preemptions, int Delays, int Faults, bool AllWorlds)
{
    internal static TreeBounds Of(ExploreOptions options)
        => new(options.PreemptionBound ?? 0, options.DelayBound, options.FaultBound, options.AllWorlds);
}

/// <summary>
/// A part of the tree of all schedules, walked depth first: a run follows a path and takes option 0 from its end on; the next path branches off at
/// the deepest choice that has an option left within the bounds. Nothing is kept but the path of the last run.
/// </summary>
internal sealed class ScheduleTree
{
    private readonly TreeBounds _bounds;
    private readonly List<Choice> _path; // up to where the run is told what to take
    private int _floor; // choices before it are not this part's to change

    private ScheduleTree(TreeBounds bounds, List<Choice> path, int floor)
    {
        _bounds = bounds;
        _path = path;
        _floor = floor;
    }

    /// <summary>The whole tree.</summary>
    internal ScheduleTree(TreeBounds bounds)
        : this(bounds, [], 0)
    {
    }

    /// <summary>The choices that the next run is to take.</summary>
    internal int[] Path
    {
        get
        {
            var taken = new int[_path.Count];
            for (int i = 0; i < taken.Length; i++)
                taken[i] = _path[i].Taken;
            return taken;
        }
    }

    /// <summary>Whether a run that was to follow the path met other choices on it: then the program does not follow from them.</summary>
    internal bool WasLeftBy(List<Choice> choices, out int at)
    {
        for (at = 0; at < _path.Count; at++)
        {
            if (at >= choices.Count || choices[at] != _path[at])
                return true;
        }

        return false;
    }

    /// <summary>Goes on to the next path, from the choices of the run that followed the last one. False: there is none left.</summary>
    internal bool Next(List<Choice> choices)
    {
        int at = Find(choices, deepest: true);
        if (at < 0)
            return false;
        _path.Clear();
        for (int i = 0; i < at; i++)
            _path.Add(choices[i]);
        _path.Add(choices[at] with { Taken = choices[at].Taken + 1 });
        return true;
    }

    /// <summary>
    /// Gives away what branches off at the shallowest choice that has options left, which is mostly about as much as stays. To be called before
    /// <see cref="Next"/>. Null: there is nothing to give.
    /// </summary>
    internal ScheduleTree? Split(List<Choice> choices)
    {
        int at = Find(choices, deepest: false);
        if (at < 0)
            return null;
        List<Choice> path = choices.GetRange(0, at + 1);
        path[at] = choices[at] with { Taken = choices[at].Taken + 1 };
        _floor = at + 1;
        return new ScheduleTree(_bounds, path, at);
    }

    private int Find(List<Choice> choices, bool deepest)
    {
        int preemptions = 0, delays = 0, faults = 0, found = -1;
        for (int i = 0; i < choices.Count; i++)
        {
            Choice choice = choices[i];
            if (i >= _floor && choice.Taken + 1 < choice.Options && Allows(choice, preemptions, delays, faults))
            {
                found = i;
                if (!deepest)
                    break;
            }

            if (choice.Taken == 0)
                continue;
            switch (choice.Kind)
            {
                case ChoiceKind.Thread when choice.Preempts:
                    preemptions++;
                    break;
                case ChoiceKind.Thread:
                    delays++;
                    break;
                case ChoiceKind.Fault:
                    faults++;
                    break;
            }
        }

        return found;
    }

    // Whether a special option may be taken, after so many before it.
    private bool Allows(in Choice choice, int preemptions, int delays, int faults) => choice.Kind switch
    {
        ChoiceKind.Thread => choice.Preempts ? preemptions < _bounds.Preemptions : delays < _bounds.Delays,
        ChoiceKind.Fault => faults < _bounds.Faults,
        ChoiceKind.World => _bounds.AllWorlds,
        _ => true,
    };
}
