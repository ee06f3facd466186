namespace Weir.Simulation;

/// <summary>
/// Real locks. A simulated thread that waits for one never comes back to the scheduler, and if the lock's owner is a thread that was stopped
/// inside it, neither does that: nobody would ever go on, and nobody say why.
/// </summary>
internal sealed partial class BatonScheduler
{
    // On the main thread: waits for the baton, and looks now and then whether it can still come.
    private void TakeBack()
    {
        (SimThread? Thread, long Step) seen = default;
        while (!_main.TryTake(_world.Options.LockPatience))
        {
            (SimThread? Thread, long Step) now = (_running, _world.Log.Count);
            bool waits = _running?.Runner is Runner { Real: { } real } && (real.ThreadState & System.Threading.ThreadState.WaitSleepJoin) != 0;
            if (!waits || now != seen)
            {
                seen = waits ? now : default;
                continue;
            }

            // The world is still: who runs is the one that waits.
            Fail(Report.Make(
                _world,
                FindingKind.Misuse,
                $"{_running!.Name} waits for something that is not the simulation's (a lock, an event, a task), and does not come back: perhaps for a lock whose owner was stopped in a system call.",
                "Make no system calls while holding a lock, wait by the kernel's means, and have the runtime's own locks taken into account: set Weir.Marks in the project file (docs/simulation.md)."));
            return;
        }
    }
}
