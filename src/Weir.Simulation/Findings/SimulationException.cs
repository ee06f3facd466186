namespace Weir.Simulation;

/// <summary>What kind of trouble a simulation has found.</summary>
public enum FindingKind
{
    /// <summary>The program's own exception or failed assertion.</summary>
    Failure,

    /// <summary>The simulation is used in a way that cannot work.</summary>
    Misuse,

    /// <summary>Nobody can run and nothing is to come.</summary>
    Deadlock,

    /// <summary>Work went to a thread that the simulation does not run.</summary>
    Escape,

    /// <summary>Two runs with one seed were not the same: something is not determined by it.</summary>
    Nondeterminism,
}

/// <summary>A simulation has found something: what, and all that a person needs to act on it.</summary>
public sealed partial class SimulationException : Exception
{
    internal SimulationException(FindingKind kind, string message, Exception? inner = null)
        : base(message, inner)
    {
        Kind = kind;
    }

    /// <summary>What was found.</summary>
    public FindingKind Kind { get; }
}
