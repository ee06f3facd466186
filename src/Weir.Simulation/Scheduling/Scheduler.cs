namespace Weir.Simulation;

/// <summary>Who runs when. One kind lets real threads run as they like, the other decides each time by the strategy.</summary>
internal abstract class Scheduler
{
    /// <summary>Nanoseconds of the monotonic clock.</summary>
    internal abstract long Now { get; }

    /// <summary>The simulation is over; threads that unwind still make calls.</summary>
    internal virtual bool HasEnded => false;

    /// <summary>
    /// A thread enters the kernel: it gets the world to itself, and may have had to let others go first. Null: it is none that the
    /// simulation runs, and must not be let in.
    /// </summary>
    internal abstract SimThread? Enter(SimKernel process);

    /// <summary>It leaves the kernel.</summary>
    internal abstract void Leave(SimThread thread);

    /// <summary>The thread has begun to block: lets others run until it has been woken.</summary>
    internal abstract void Block(SimThread thread);

    /// <summary>A blocked thread has become runnable.</summary>
    internal abstract void OnWoken(SimThread thread);
}
