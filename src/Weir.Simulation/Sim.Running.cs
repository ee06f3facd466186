using System.Runtime.ExceptionServices;

namespace Weir.Simulation;

public sealed partial class Sim
{
    /// <summary>
    /// Runs <paramref name="program"/> once, as the main task of a loop on <see cref="Kernel"/>, and whatever it starts, to the end. The seed is a new
    /// one each time, or the one that WEIR_SEED in the environment says.
    /// </summary>
    /// <param name="program">Starts from nothing each time it is called, and gets all that is random or depends on time from the simulation.</param>
    /// <param name="options">How it runs.</param>
    /// <exception cref="SimulationException">Something was found: the program's own failure, or trouble of the kinds in <see cref="FindingKind"/>. It says how to replay it.</exception>
    /// <exception cref="FormatException">WEIR_SEED is neither a seed nor a token.</exception>
    public static void Run(Func<Sim, Task> program, SimOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(program);
        // Short enough to be typed.
        RunOnce(Schedule.FromEnvironment() ?? new Schedule((ulong)System.Random.Shared.NextInt64(1, 1L << 32)), program, options);
    }

    /// <summary>As <see cref="Run(Func{Sim, Task}, SimOptions?)"/>, with this seed whatever the environment says.</summary>
    /// <param name="seed">Determines who runs when, what the world does, and <see cref="Random"/>.</param>
    /// <param name="program">Starts from nothing each time it is called, and gets all that is random or depends on time from the simulation.</param>
    /// <param name="options">How it runs.</param>
    /// <exception cref="SimulationException">Something was found: the program's own failure, or trouble of the kinds in <see cref="FindingKind"/>. It says how to replay it.</exception>
    public static void Run(ulong seed, Func<Sim, Task> program, SimOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(program);
        RunOnce(new Schedule(seed), program, options);
    }

    /// <summary>Runs <paramref name="program"/> exactly as it was run before.</summary>
    /// <param name="token">A <see cref="SimulationException.ReplayToken"/>, or a seed as a number.</param>
    /// <param name="program">The program it is of.</param>
    /// <param name="options">Those of the run it is of.</param>
    /// <exception cref="FormatException"><paramref name="token"/> is neither, or not whole.</exception>
    /// <exception cref="SimulationException">What was found, as before.</exception>
    public static void Replay(string token, Func<Sim, Task> program, SimOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(token);
        ArgumentNullException.ThrowIfNull(program);
        RunOnce(Schedule.TryParse(token, out string error) ?? throw new FormatException(error), program, options);
    }

    /// <summary>
    /// Runs <paramref name="program"/> many times, each under another schedule: with many seeds, or with all schedules up to a number of preemptions.
    /// Stops at the first finding, and shrinks it to the least that must happen for it to occur.
    /// </summary>
    /// <param name="program">Starts from nothing each time it is called, on several threads at once; gets all that is random or depends on time from the simulation.</param>
    /// <param name="options">Which runs, and how they run.</param>
    /// <returns>What was done, if nothing was found.</returns>
    /// <remarks>WEIR_SEED in the environment makes it run that one seed or token and nothing else.</remarks>
    /// <exception cref="SimulationException">What was found, with what is special about its schedule in words, and how to replay it.</exception>
    /// <exception cref="FormatException">WEIR_SEED is neither a seed nor a token.</exception>
    public static ExploreResult Explore(Func<Sim, Task> program, ExploreOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(program);
        options ??= new ExploreOptions();
        options.Validate();
        if (Schedule.FromEnvironment() is not { } schedule)
            return new Explorer(Main(program), options).Run();
        long began = System.Diagnostics.Stopwatch.GetTimestamp();
        long steps = RunOnce(schedule, program, options);
        return new ExploreResult { Runs = 1, Schedules = 1, Steps = steps, IsExhausted = false, Elapsed = System.Diagnostics.Stopwatch.GetElapsedTime(began) };
    }

    private static long RunOnce(Schedule schedule, Func<Sim, Task> program, SimOptions? options)
    {
        options ??= new SimOptions();
        bool isLive = options.Mode == SimMode.Live;
        var runner = new SimRunner(Main(program), options);
        RunOutcome outcome = runner.Run(schedule, options.CheckDeterminism && !isLive, world => options.Trace?.Attach(world));
        if (outcome.Finding != null)
            ExceptionDispatchInfo.Throw(outcome.Finding);
        return outcome.Steps;
    }
}
