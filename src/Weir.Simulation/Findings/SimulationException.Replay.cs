namespace Weir.Simulation;

public sealed partial class SimulationException
{
    private string? _schedule;

    /// <summary>The seed of the run; 0 in live mode, where there is none.</summary>
    public ulong Seed { get; private set; }

    /// <summary>
    /// Stands for exactly this run: for <see cref="Sim.Replay"/>, or as WEIR_SEED in the environment. Null in live mode, where no run can be had again.
    /// </summary>
    public string? ReplayToken { get; private set; }

    /// <summary>What was found, and how to see it again.</summary>
    public override string Message => _schedule == null ? base.Message : $"{base.Message}{Environment.NewLine}{_schedule}";

    /// <summary>Says which run found it. The last to say so is right.</summary>
    /// <param name="exact">The run's seed and choices.</param>
    /// <param name="seedIsEnough">The same comes out of the seed alone, with the same options.</param>
    /// <param name="story">What else there is to say of the run.</param>
    internal void SetSchedule(Schedule exact, bool seedIsEnough, string story = "")
    {
        Seed = exact.Seed;
        ReplayToken = exact.ToToken();
        string token = $"{Schedule.Variable}={ReplayToken}";
        string how = seedIsEnough
            ? $"Seed {Seed}. To replay it: {Schedule.Variable}={Seed} in the environment; exactly this schedule, whatever becomes of the options: {token}"
            : $"Seed {Seed}. To replay it: {token} in the environment";
        _schedule = $"{story}{how}, or Sim.Replay(\"{ReplayToken}\", program).";
    }

    /// <summary>Says something else of the run, before how to see it again.</summary>
    internal void AddToStory(string story) => _schedule = story + _schedule;

    /// <summary>The same trouble: of one kind, and by one type of exception.</summary>
    internal bool IsLike(SimulationException other) => Kind == other.Kind && InnerException?.GetType() == other.InnerException?.GetType();
}
