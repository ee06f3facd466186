namespace Weir.Simulation;

public sealed partial class Sim
{
    /// <summary>
    /// Leaves to the schedule which way the program itself goes: what a client does next, what fails, how long it takes. Unlike what comes from
    /// <see cref="Random"/>, a failing run is shrunk to one where as many of these choices as possible take the first option: let that be the plainest.
    /// </summary>
    /// <param name="what">What is chosen, for findings and traces.</param>
    /// <param name="options">What there is to choose from; said in findings as its <see cref="object.ToString"/>.</param>
    /// <returns>One of the options.</returns>
    /// <remarks>With seeds all options are equally likely. When all schedules are run, all options are only under <see cref="ExploreOptions.AllWorlds"/>.</remarks>
    /// <exception cref="ArgumentException">There is no option.</exception>
    public T Choose<T>(string what, params ReadOnlySpan<T> options)
    {
        ArgumentNullException.ThrowIfNull(what);
        if (options.IsEmpty)
            throw new ArgumentException("There is nothing to choose from.", nameof(options));
        using SimNetwork.Entry entry = Network.Enter();
        int taken = _world.Choices.Program(what, options);
        if (taken != 0)
            _world.Log.Note($"{what}: {options[taken]}");
        return options[taken];
    }
}
