namespace Weir;

/// <summary>
/// Who performs operations that are said in the terms of io_uring(7): a ring of the loop's driver, or something that makes the same calls in
/// another way. All of it belongs to the loop's thread.
/// </summary>
/// <remarks>
/// What is started is heard of again exactly once, by <see cref="RingOperation.Completed"/> or <see cref="RingOperation.Refused"/>, and only
/// when nobody looks at its memory any more.
/// </remarks>
internal abstract class RingOperations : IDisposable
{
    /// <summary>Its name for statistics: "io_uring".</summary>
    internal abstract string Name { get; }

    /// <summary>Operations started and not yet heard of.</summary>
    internal abstract int InFlight { get; }

    /// <summary>Whether it can do this at all.</summary>
    internal abstract bool Supports(IoUringOp op);

    /// <summary>
    /// Gives an open file a place of its own, by which its operations go from here on (<see cref="RingOperation.Place"/>); -1: there is none. It
    /// stays open until the place is given back.
    /// </summary>
    internal virtual int Register(int fd) => -1;

    /// <summary>Gives a place back, when nothing is in flight on its file.</summary>
    internal virtual void Unregister(int place)
    {
    }

    /// <summary>Takes an operation, whose entry is filled in. It may complete before this returns.</summary>
    internal abstract void Start(RingOperation operation);

    /// <summary>Asks for an end. It completes as ever, with ECANCELED or with what it has done by then.</summary>
    internal abstract void Cancel(RingOperation operation);

    /// <summary>Asks for the end of everything in flight.</summary>
    internal abstract void CancelAll();

    /// <summary>Cancels all that is in flight and returns when everything has completed.</summary>
    internal abstract void EndAll();

    /// <summary>As <see cref="EndAll"/>, and gives back what it holds.</summary>
    public abstract void Dispose();
}
