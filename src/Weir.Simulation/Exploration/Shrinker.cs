using System.Diagnostics;

namespace Weir.Simulation;

/// <summary>
/// Looks for the least that must happen for a failure to occur: fewer preemptions, then fewer faults, then fewer special choices of other kinds,
/// then fewer steps. Delta debugging on the list of choices, and for what needs few preemptions all schedules with fewer.
/// </summary>
internal sealed partial class Shrinker
{
    private const int MostRuns = 5000;
    private const int MostRunsOfTree = 1000; // for each bound

    private readonly SimRunner _runner;
    private readonly ulong _seed;
    private readonly SimulationException _finding;
    private readonly TimeSpan _limit;
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly HashSet<ulong> _tried = []; // by their hashes
    private List<Choice> _best;
    private Cost _cost;
    private long _points;

    /// <param name="runner">Runs the program.</param>
    /// <param name="seed">Of the run that failed.</param>
    /// <param name="outcome">How it did.</param>
    /// <param name="limit">Real time to spend.</param>
    internal Shrinker(SimRunner runner, ulong seed, in RunOutcome outcome, TimeSpan limit)
    {
        _runner = runner;
        _seed = seed;
        _finding = outcome.Finding!;
        _limit = limit;
        _best = [.. outcome.Choices.Taken];
        _cost = Cost.Of(_best, outcome.Steps);
        _points = outcome.Choices.Points;
    }

    /// <summary>What there is to a schedule, the most important first.</summary>
    internal readonly record struct Cost(int Preemptions, int Faults, int Special, long Steps) : IComparable<Cost>
    {
        internal static Cost Of(List<Choice> choices, long steps)
        {
            int preemptions = 0, faults = 0, special = 0;
            foreach (Choice choice in choices)
            {
                preemptions += choice.IsPreemption ? 1 : 0;
                faults += choice.IsFault ? 1 : 0;
                special += choice.IsSpecial ? 1 : 0;
            }

            return new Cost(preemptions, faults, special, steps);
        }

        public int CompareTo(Cost other)
            => (Preemptions, Faults, Special, Steps).CompareTo((other.Preemptions, other.Faults, other.Special, other.Steps));

        public override string ToString()
            => $"{Count(Preemptions, "preemption")}, {Count(Faults, "fault")}, {Count(Special, "choice")} in all that {(Special == 1 ? "is" : "are")} not the plain one, {Count(Steps, "step")}";

        private static string Count(long number, string what) => number == 1 ? $"1 {what}" : $"{number} {what}s";
    }

    /// <summary>Runs that it took.</summary>
    internal int Runs { get; private set; }

    /// <summary>The failure did not occur again in a run with the same choices.</summary>
    internal bool IsUnstable { get; private set; }

    internal Cost Best => _cost;

    internal Schedule BestSchedule => Schedule.Of(_seed, _best);

    private bool IsOver => Runs >= MostRuns || Stopwatch.GetElapsedTime(_began) > _limit;

    internal void Shrink()
    {
        if (!Fails(Schedule.TakenOf(_best), out _, out _))
        {
            IsUnstable = true;
            return;
        }

        bool better;
        do
        {
            better = DropTail();
            better |= ResetApart(threads: true);
            better |= ResetApart(threads: false);
            better |= ResetRuns();
            better |= RemoveRuns();
            better |= LowerValues();
        }
        while (better && !IsOver);
        for (int bound = 0; bound < _cost.Preemptions && !IsOver; bound++)
        {
            if (SearchTree(bound))
                break;
        }
    }

    // Nothing special from some point on.
    private bool DropTail()
    {
        bool better = false;
        int[] taken = Schedule.TakenOf(_best);
        for (int drop = taken.Length; drop > 0 && !IsOver; drop = Math.Min(drop / 2, taken.Length))
        {
            while (taken.Length >= drop && drop > 0 && Try(taken[..^drop]))
            {
                better = true;
                taken = Schedule.TakenOf(_best);
            }
        }

        return better;
    }

    // The plain option at some of the special choices: half of them, quarters, one by one.
    private bool ResetRuns()
    {
        bool better = false;
        for (int size = Math.Max(1, _cost.Special / 2); size > 0 && !IsOver; size /= 2)
        {
            for (int from = _cost.Special - size; from > -size && !IsOver; from -= size)
            {
                int[] taken = Schedule.TakenOf(_best);
                int special = 0;
                for (int i = 0; i < taken.Length; i++)
                {
                    if (taken[i] != 0 && special++ is int number && number >= from && number < from + size)
                        taken[i] = 0;
                }

                better |= Try(taken);
            }
        }

        return better;
    }

    // Choices taken out, so that later ones move up: what they were about may come earlier now.
    private bool RemoveRuns()
    {
        bool better = false;
        for (int size = 8; size > 0; size /= 2)
        {
            for (int from = Schedule.TakenOf(_best).Length - size; from >= 0 && !IsOver; from--)
            {
                int[] taken = Schedule.TakenOf(_best);
                if (from + size <= taken.Length && TouchesSpecial(taken, from, size))
                    better |= Try([.. taken[..from], .. taken[(from + size)..]]);
            }
        }

        return better;
    }

    // To take plain ones out from among plain ones changes nothing.
    private static bool TouchesSpecial(int[] taken, int from, int size)
        => taken.AsSpan(from, Math.Min(size + 1, taken.Length - from)).ContainsAnyExcept(0);

    private bool LowerValues()
    {
        bool better = false;
        for (int i = 0; !IsOver; i++)
        {
            int[] taken = Schedule.TakenOf(_best);
            if (i >= taken.Length)
                break;
            for (int value = 1; value < taken[i] && !IsOver; value++)
            {
                int[] lower = [.. taken];
                lower[i] = value;
                if (!Try(lower, orEqual: true))
                    continue;
                better = true;
                break;
            }
        }

        return better;
    }

    // All schedules with so few preemptions, as far as there is time for.
    private bool SearchTree(int bound)
    {
        var tree = new ScheduleTree(new TreeBounds(bound, _cost.Special, _cost.Faults, AllWorlds: false));
        for (int i = 0; i < MostRunsOfTree && !IsOver; i++)
        {
            if (Fails(tree.Path, out List<Choice> choices, out long steps))
            {
                _best = [.. choices];
                _cost = Cost.Of(_best, steps);
                return true;
            }

            if (!tree.Next(choices))
                break;
        }

        return false;
    }

    private bool Try(int[] taken, bool orEqual = false)
    {
        return !IsOver && _tried.Add(Hash(taken)) && Try(new ReplayStrategy(taken), orEqual);
    }

    private bool Try(Strategy strategy, bool orEqual = false)
    {
        if (!Fails(strategy, out List<Choice> choices, out long steps))
            return false;
        var cost = Cost.Of(choices, steps);
        int order = cost.CompareTo(_cost);
        if (order > 0 || (order == 0 && !orEqual))
            return false;
        _best = [.. choices];
        _cost = cost;
        return true;
    }

    // FNV-1a, of all but the plain ones at the end.
    private static ulong Hash(int[] taken)
    {
        ulong hash = 14695981039346656037;
        int length = taken.AsSpan().LastIndexOfAnyExcept(0) + 1;
        for (int i = 0; i < length; i++)
            hash = (hash ^ (uint)taken[i]) * 1099511628211;
        return hash;
    }

    private bool Fails(int[] taken, out List<Choice> choices, out long steps) => Fails(new ReplayStrategy(taken), out choices, out steps);

    private bool Fails(Strategy strategy, out List<Choice> choices, out long steps)
    {
        Runs++;
        RunOutcome outcome = _runner.Run(_seed, strategy, _points * 4 + 1000);
        choices = outcome.Choices.Taken;
        steps = outcome.Steps;
        return outcome.Finding != null && outcome.Finding.IsLike(_finding);
    }
}
