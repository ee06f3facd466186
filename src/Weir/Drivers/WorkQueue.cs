namespace Weir;

/// <summary>
/// What is to run next on one loop: where drivers and operations put what has become ready, without knowing the loop.
/// </summary>
internal abstract class WorkQueue
{
    [ThreadStatic]
    private static WorkQueue? CurrentOnThread;

    /// <summary>The queue of the loop that runs on this thread, if any.</summary>
    internal static WorkQueue? Current
    {
        get => CurrentOnThread;
        set => CurrentOnThread = value;
    }

    /// <summary>Whether the caller runs on the loop's thread.</summary>
    internal bool IsCurrent => CurrentOnThread == this;

    /// <summary>The loop's driver. Set once, before anything runs.</summary>
    internal IoDriver Driver { get; set; } = null!;

    /// <summary>The context that brings awaiting code back to this loop.</summary>
    internal abstract SynchronizationContext Context { get; }

    /// <summary>Adds work from the loop's own thread: no fence, no wake-up.</summary>
    internal abstract void Enqueue(LoopWork work);

    /// <summary>Adds work from any thread and wakes the loop if it sleeps. False: the loop has stopped, the work will not run.</summary>
    internal abstract bool Post(LoopWork work);

    /// <summary>As <see cref="Post"/>, but a loop that wakes by <paramref name="deadline"/> (monotonic nanoseconds) anyway is left asleep.</summary>
    internal abstract bool PostFor(long deadline, LoopWork work);

    /// <summary>
    /// Whether the running task may go on without waiting. False: it has had its share of this turn and must give way to its neighbours.
    /// </summary>
    internal bool HasBudget => _operationsLeft > 0 && _bytesLeft > 0;

    /// <summary>Takes one operation that moved <paramref name="bytes"/> bytes off the running task's budget.</summary>
    internal void Spend(int bytes)
    {
        _operationsLeft--;
        _bytesLeft -= bytes;
    }

    /// <summary>Gives the entry that runs next a full budget.</summary>
    protected void RefillBudget(int operations, int bytes)
    {
        _operationsLeft = operations;
        _bytesLeft = bytes;
    }

    private int _operationsLeft;
    private int _bytesLeft;

    /// <summary>How often a task gave way though it could have gone on.</summary>
    internal long BudgetYields;

    /// <summary>How often an awaiting caller had to be resumed away from the loop.</summary>
    internal long HopsOffLoop;
}
