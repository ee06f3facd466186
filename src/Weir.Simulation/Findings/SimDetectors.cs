namespace Weir.Simulation;

/// <summary>What a simulation watches for. What each finds is said at the <see cref="FindingKind"/> of its name.</summary>
[Flags]
public enum SimDetectors
{
    /// <summary>Nothing but what ends a simulation anyway: deadlocks, escapes, misuse and the program's own failures.</summary>
    None = 0,

    /// <summary>
    /// When everybody sleeps and nothing is to come: readiness that was reported once, is still there and will not be reported again. Without it
    /// that is a deadlock like any other.
    /// </summary>
    StalledEdges = 1 << 0,

    /// <summary>When everybody sleeps: loops for which something was left.</summary>
    LostWakes = 1 << 1,

    /// <summary>Events under the number of a closed descriptor, and closes that lead to them.</summary>
    Ghosts = 1 << 2,

    /// <summary>More than <see cref="SimOptions.BusyLoopLimit"/> calls, or reports of one event, in a row with nothing done about it.</summary>
    BusyLoops = 1 << 3,

    /// <summary>Descriptors that are open when the simulation ends without a failure. A program that leaves closing to its end has them by intention.</summary>
    Leaks = 1 << 4,

    /// <summary>Calls on the number of a closed descriptor, but for EPOLL_CTL_DEL, which some programs try on the chance.</summary>
    UseAfterClose = 1 << 5,

    /// <summary>Memory that is changed while the kernel owns it.</summary>
    BufferReuse = 1 << 6,

    /// <summary>
    /// Two threads in reads of one pipe or stream socket, or both told that it is readable. Not in <see cref="Default"/>: a pipe of tokens is read
    /// by many on purpose, and so is what a lock of the program's own guards.
    /// </summary>
    SharedReads = 1 << 7,

    /// <summary>
    /// Whoever has waited for its turn for more than <see cref="SimOptions.StarvationLimit"/> steps. Not in <see cref="Default"/>: strategies with
    /// priorities starve threads on purpose.
    /// </summary>
    Starvation = 1 << 8,

    /// <summary>
    /// As <see cref="StalledEdges"/>, for readiness that nobody has seen to for <see cref="SimOptions.StallLimit"/> while timers keep the program alive, or
    /// that is left at the end. Not in <see cref="Default"/>: a program may have reasons not to read.
    /// </summary>
    LongStalls = 1 << 9,

    /// <summary>All that have no false alarms.</summary>
    Default = StalledEdges | LostWakes | Ghosts | BusyLoops | Leaks | UseAfterClose | BufferReuse,

    /// <summary>Every one.</summary>
    All = Default | SharedReads | Starvation | LongStalls,
}
