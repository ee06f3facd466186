namespace Weir.Simulation;

/// <summary>What counts as an edge for an edge-triggered registration (EPOLLET).</summary>
public enum EdgeSemantics
{
    /// <summary>
    /// As Linux has it: whatever happens to a file that is ready, each arrival say, reports it again, with all that is true of it.
    /// </summary>
    Linux,

    /// <summary>
    /// As the textbook has it: only what was not ready, and is now, is reported, and nothing beside it. A program that reads once per event and
    /// lives on the next arrival waits for ever, and is found. Counters (eventfd) are as on Linux: to write one that is never read is a wake-up
    /// that many runtimes, this one too, build on.
    /// </summary>
    Strict,
}
