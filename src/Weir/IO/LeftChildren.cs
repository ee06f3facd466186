namespace Weir;

/// <summary>
/// Children that still ran when their loop ended. Nobody waits for them any more; whenever another child is started, those that have ended
/// since are reaped, so that they do not stay zombies.
/// </summary>
internal static class LeftChildren
{
    private static readonly Lock Gate = new();
    private static readonly List<(Kernel Kernel, int PidFd)> Children = [];

    /// <summary>Takes over the pidfd of a child; reaps it at once if it has ended. Any thread.</summary>
    internal static void AddUnlessEnded(Kernel kernel, int pidFd)
    {
        if (TryReap(kernel, pidFd))
            return;
        lock (Gate)
            Children.Add((kernel, pidFd));
    }

    /// <summary>Reaps those that have ended. Any thread.</summary>
    internal static void Sweep()
    {
        lock (Gate)
            Children.RemoveAll(static child => TryReap(child.Kernel, child.PidFd));
    }

    // False: it runs. True: it has been reaped, by us or by another, and its descriptor closed.
    private static bool TryReap(Kernel kernel, int pidFd)
    {
        if (!ExitWatch.HasEnded(kernel, pidFd, reap: true, out _, out _))
            return false;
        kernel.Close(pidFd);
        return true;
    }
}
