namespace Weir;

/// <summary>
/// The settings of one timer that other threads make. The newest counts, and one entry carries it: however often a timer is set while its
/// loop sleeps, the inbox holds it once.
/// </summary>
internal abstract class TimerSettings : LoopWork
{
    private Setting? _newest; // until the entry has run

    internal sealed override bool IsTimer => true;

    /// <summary>
    /// Whether one is on its way. What puts a timer off does not wake the loop and lies in the queue behind a deadline that has passed: the
    /// setting decides.
    /// </summary>
    internal bool AreOnTheirWay => Volatile.Read(ref _newest) != null; // set by other threads, and before their post

    /// <summary>Makes a setting from a thread that is not the loop's. False: the loop has stopped.</summary>
    internal bool Send(LoopWorkQueue queue, long deadline, long period = 0)
    {
        // One of several threads finds nothing there and posts. The exchange is a full fence: the setting before the look at the phase.
        if (Interlocked.Exchange(ref _newest, new Setting(deadline, period)) != null)
            return queue.WakeFor(deadline);
        bool isAccepted = queue.PostFor(deadline, this);
        // Who set it to an earlier time while the entry was on its way to the inbox may have woken the loop too soon.
        if (isAccepted && Volatile.Read(ref _newest) is { } newest && newest.Deadline < deadline)
            queue.WakeFor(newest.Deadline);
        return isAccepted;
    }

    /// <summary>The setting has arrived on the loop.</summary>
    protected abstract void Apply(long deadline, long period);

    internal sealed override void Execute()
    {
        Setting setting = Interlocked.Exchange(ref _newest, null)!; // whoever comes from here on posts
        Apply(setting.Deadline, setting.Period);
    }

    private sealed class Setting(long deadline, long period)
    {
        internal long Deadline { get; } = deadline;

        internal long Period { get; } = period;
    }
}
