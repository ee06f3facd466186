namespace Weir;

/// <summary>
/// Something with one deadline: derive from it, arm it on a <see cref="TimerQueue"/>, arm it again as often as you like.
/// </summary>
/// <remarks>
/// The node <em>is</em> the timer: a delay, a timeout or an <see cref="ITimer"/> derives from this class, so that arming allocates nothing and
/// cancelling touches one object. A node belongs to the queue it was first armed on, for good, and to that queue's thread. The queue may hold on
/// to a cancelled node for a while (see <see cref="TimerQueue.Cancel"/>): a node that is done for drops its own references.
/// </remarks>
internal abstract class TimerNode
{
    /// <summary>While armed, the deadline; after that, the last one: <see cref="Place"/> may still depend on it.</summary>
    internal long Deadline;

    /// <summary>The number of the arming in force, unique in the queue and rising; 0 when not armed.</summary>
    internal long Order;

    /// <summary>The slot in the queue's bags that the node was last given; 0 for none. Not armed, it may have lost that slot since.</summary>
    internal int Place;

#if DEBUG
    /// <summary>The queue that the node belongs to.</summary>
    internal TimerQueue? Owner;
#endif

    /// <summary>Whether the node waits for its deadline.</summary>
    public bool IsArmed => Order != 0;

    /// <summary>
    /// The deadline has passed. The queue itself never calls this: whoever took the node with <see cref="TimerQueue.PopExpired"/> does, and the node
    /// is no longer armed then; it may be armed again from within.
    /// </summary>
    /// <param name="now">The time the caller compared deadlines with, in monotonic nanoseconds.</param>
    public abstract void OnDeadline(long now);

    /// <summary>The queue's owner ends before the deadline; the node is no longer armed.</summary>
    public virtual void OnAbandoned()
    {
    }
}
