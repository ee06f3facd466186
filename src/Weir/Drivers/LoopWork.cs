namespace Weir;

/// <summary>Something that runs on a loop's thread when its turn in the queue comes.</summary>
internal abstract class LoopWork
{
    /// <summary>Runs on the loop's thread. An exception that leaves it goes to the loop's unhandled-exception policy.</summary>
    internal abstract void Execute();

    /// <summary>Whether it only sets a timer, which a loop that sleeps need not be woken for.</summary>
    internal virtual bool IsTimer => false;
}
