namespace Weir;

/// <summary>
/// An operation said in the terms of io_uring: an entry, and whoever awaits it. The memory that the entry names stays where it is from the
/// start to the completion, whatever is cancelled or disposed of meanwhile.
/// </summary>
internal abstract class RingOperation(WorkQueue queue) : LoopAwaitable(queue)
{
    /// <summary>What is asked for. The user data is filled in by who performs it.</summary>
    internal Submission Entry;

    /// <summary>The place of its file among those registered with its ring, by which it goes there; -1: by the descriptor of its entry.</summary>
    internal int Place = -1;

    /// <summary>The name under which it is in flight: a place and a generation, never a pointer.</summary>
    internal ulong InFlightToken;

    /// <summary>For queues of operations.</summary>
    internal RingOperation? Next;

    /// <summary>For queues of operations.</summary>
    internal RingOperation? Previous;

    /// <summary>The result is there and the memory is nobody's any more. May start again what is not finished.</summary>
    internal abstract void Completed(int result);

    /// <summary>It could not be started, and nothing of it has happened: <paramref name="error"/> is a negated errno.</summary>
    internal virtual void Refused(int error) => Completed(error);
}
