namespace Weir;

internal static class EndedLoop
{
    /// <summary>
    /// Whether the caller comes after the end of the loop, from elsewhere: what the loop had in care it has closed, or is about to, and its driver must not be
    /// used. Any thread.
    /// </summary>
    internal static bool HasEnded(this EventLoop loop) => !loop.IsCurrent && loop.Queue.State.Phase == LoopPhase.Stopped;
}
