namespace Weir.Simulation;

/// <summary>How a run ended.</summary>
/// <param name="Finding">Null: well.</param>
/// <param name="Choices">What it chose; overwritten by the next run.</param>
/// <param name="Steps">How much happened.</param>
/// <param name="IsTooLong">It was given up.</param>
internal readonly record struct RunOutcome(SimulationException? Finding, Choices Choices, long Steps, bool IsTooLong);

/// <summary>Runs one program many times, one run after the other, and keeps what can be used again. One thread at a time.</summary>
/// <param name="start">Sets a run up: what <see cref="Sim.Main"/> makes of a program.</param>
/// <param name="options">How it runs.</param>
internal sealed class SimRunner(Action<Sim> start, SimOptions options)
{
    private readonly List<Choice> _store = [];

    internal SimOptions Options => options;

    internal RunOutcome Run(ulong seed, Strategy strategy, long pointLimit = long.MaxValue, Action<World>? watch = null)
    {
        var choices = new Choices(strategy, _store) { PointLimit = pointLimit };
        var sim = new Sim(seed, choices, options);
        watch?.Invoke(sim.World);
        SimulationException? finding = null;
        bool isTooLong = false;
        try
        {
            sim.RunToEnd(start);
        }
        catch (SimulationException exception)
        {
            finding = exception;
        }
        catch (RunTooLongException)
        {
            isTooLong = true;
        }

        return new RunOutcome(finding, choices, sim.World.Log.Count, isTooLong);
    }

    /// <summary>Runs a schedule, if asked for twice, and says in the finding which it was.</summary>
    internal RunOutcome Run(Schedule schedule, bool twice, Action<World>? watch = null)
    {
        RunOutcome outcome = twice
            ? TwiceRun.Run(this, schedule, watch)
            : Run(schedule.Seed, schedule.Strategy(options), watch: watch);
        if (options.Mode != SimMode.Live)
            outcome.Finding?.SetSchedule(Schedule.Of(schedule.Seed, outcome.Choices.Taken), seedIsEnough: schedule.Taken == null);
        return outcome;
    }
}
