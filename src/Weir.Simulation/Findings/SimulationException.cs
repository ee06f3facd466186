namespace Weir.Simulation;

/// <summary>
/// A simulation has found something: what, and all that a person needs to act on it. The message is a report of many lines: the finding, what
/// to do about it, seed and time, threads, descriptors, and the last steps.
/// </summary>
public sealed partial class SimulationException : Exception
{
    internal SimulationException(FindingKind kind, string message, Exception? inner = null, string? summary = null)
        : base(message, inner)
    {
        Kind = kind;
        Summary = summary ?? message;
    }

    /// <summary>What kind of thing was found.</summary>
    public FindingKind Kind { get; }

    /// <summary>What was found, in a sentence or two.</summary>
    public string Summary { get; }
}
