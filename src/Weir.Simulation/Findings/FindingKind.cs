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

    /// <summary>Everybody sleeps while an edge-triggered or one-shot registration's file is ready: its event was used up and nobody will be told again.</summary>
    StalledEdge,

    /// <summary>A loop sleeps although something was left for it, and nobody owes it a wake-up.</summary>
    LostWake,

    /// <summary>Events for a descriptor that was closed, or is about to: a registration outlives its number because a duplicate keeps the file open.</summary>
    Ghost,

    /// <summary>A thread calls on and on, and nothing comes of it.</summary>
    BusyLoop,

    /// <summary>A thread or an event waits for its turn for too long while others go on.</summary>
    Starvation,

    /// <summary>Descriptors are open at the end.</summary>
    Leak,

    /// <summary>A descriptor was used after it was closed.</summary>
    UseAfterClose,

    /// <summary>Two threads read one stream, so that its bytes go now to one and now to the other.</summary>
    SharedRead,

    /// <summary>Two runs with one seed were not the same: something is not determined by it.</summary>
    Nondeterminism,

    /// <summary>Memory was changed, or lent twice, while the kernel owned it.</summary>
    BufferReuse,
}
