namespace Weir.Simulation;

internal sealed partial class Detectors
{
    private const int MostNamed = 20;

    // Use after close

    private void CheckUseAfterClose(SimThread thread)
    {
        int fd = thread.CallDescriptor;
        bool tries = thread.Call == SystemCall.EpollCtl && thread.CallOperation == (int)EpollOp.Delete;
        if (!Watches(SimDetectors.UseAfterClose) || tries || !thread.CallProcess.Descriptors.TryFindClosed(fd, out SimFile? file, out CallPlace closed))
            return;
        Found(
            FindingKind.UseAfterClose,
            $"{thread.Name}: {thread.Call.ManName()}(fd {fd}) after the descriptor was closed. It was {file}, closed {closed}.",
            "The number may belong to somebody else by the time of such a call: let one owner close it, when nobody uses it any more.");
    }

    // Ghosts

    // A number means something to the process that added it, and after a fork to the one that took over its table.
    private void CheckGhost(SimThread thread, EpollItem item, EpollEvents events)
    {
        if (item.Owner is not { } owner || owner.Descriptors.Find(item.Fd) is var meant && meant == item.File || thread.CallProcess.Descriptors.Find(item.Fd) == item.File)
            return;
        string state = meant != null
            ? $"that number is now {meant}"
            : owner.Descriptors.TryFindClosed(item.Fd, out _, out CallPlace closed) ? $"that number was closed {closed}" : "that number is not open";
        Found(
            FindingKind.Ghost,
            $"{item.Epoll} reported {StepText.Mask(events)} for fd {item.Fd} of {owner.ProcessName}, but {state}. The registration belongs to {item.File}, which a duplicate keeps open.",
            "Call EPOLL_CTL_DEL before closing a descriptor that was duplicated, passed on or inherited; afterwards only a dup2 back to the old number can remove it.",
            [Report.Registration(item), .. Others(item.File)]);
    }

    /// <summary>A descriptor has been closed, or another file put in its place.</summary>
    internal void Closed(SimKernel process, int fd, SimFile file)
    {
        if (!Watches(SimDetectors.Ghosts) || file.References == 0 || !file.Watchers.Any(item => item.Fd == fd && item.Owner == process))
            return;
        // A call in progress may hold the file a moment longer; only a descriptor keeps it for good.
        string[] others = [.. Others(file)];
        if (others.Length == 0)
            return;
        EpollItem left = file.Watchers.First(item => item.Fd == fd && item.Owner == process);
        if (!process.Descriptors.Open.Any(open => open.File == left.Epoll))
            return; // and nobody here will hear of it
        Found(
            FindingKind.Ghost,
            $"fd {fd} of {process.ProcessName} ({file}) was closed while it is registered in {left.Epoll}, and a duplicate keeps the file open: its events go on coming under that number.",
            "Call EPOLL_CTL_DEL before the close; afterwards only a dup2 back to the old number can remove the registration.",
            [Report.Registration(left), .. others]);
    }

    private IEnumerable<string> Others(SimFile file)
        => from machine in _world.Machines
           from process in machine.Processes
           from open in process.Descriptors.Open
           where open.File == file
           select $"still open as fd {open.Fd} of {process.ProcessName}, opened {open.Opened}";

    // Leaks

    /// <summary>The simulation has ended without a failure. What it has left behind, if that is something.</summary>
    internal SimulationException? AtEnd()
    {
        if (_world.IsLive)
            return null;
        if (Watches(SimDetectors.LongStalls) && FindStalls(since: long.MaxValue) is { Count: > 0 } stalls)
            return MakeStall("At the end", stalls);
        if (!Watches(SimDetectors.Leaks))
            return null;
        List<string> left = [];
        foreach (Machine machine in _world.Machines)
        {
            foreach (SimKernel process in machine.Processes)
            {
                if (process.HasExited)
                    continue; // what a thread opened on its way out
                foreach ((int fd, SimFile file, CallPlace opened) in process.Descriptors.Open)
                {
                    if (!process.Descriptors.IsInherited(fd))
                        left.Add($"fd {fd} of {process.ProcessName}: {file}, opened {opened}");
                }
            }
        }

        if (left.Count == 0)
            return null;
        string more = left.Count > MostNamed ? $"and {left.Count - MostNamed} more" : "";
        return Report.Make(
            _world,
            FindingKind.Leak,
            left.Count == 1 ? "A descriptor is open at the end: " + left[0] + "." : $"{left.Count} descriptors are open at the end.",
            "Close what was opened, also where an exception passes by. If it is left to the end of the process on purpose, take SimDetectors.Leaks out of SimOptions.Detect.",
            left.Take(MostNamed).Append(more).Where(line => line.Length > 0));
    }

    // Two readers

    private void CheckSharedRead(SimThread thread, EpollItem item)
    {
        SimFile file = item.File;
        ref FileWatch watch = ref file.Watch;
        if (Watches(SimDetectors.SharedReads) && file.IsStream && watch.Told is { State: not ThreadState.Ended } other && other != thread && watch.MovedWhenTold == watch.Moved)
        {
            Found(
                FindingKind.SharedRead,
                $"{other.Name} was told that {file} is readable, and before it has read {thread.Name} is told so too (fd {item.Fd}): both will read, and each gets a part of the stream.",
                "Register with EPOLLONESHOT and re-arm when done, or watch a stream from one thread only.",
                [Report.Registration(item)]);
        }

        watch.Told = thread;
        watch.MovedWhenTold = watch.Moved;
    }

    /// <summary>A thread is about to block in a call.</summary>
    internal void Blocking(SimThread thread)
    {
        if (!Watches(SimDetectors.SharedReads) || (TraitsOf[(int)thread.Call] & Traits.Reads) == 0 || FileOf(thread) is not { IsStream: true } file)
            return;
        foreach (SimThread other in _world.Threads)
        {
            if (other == thread || other.State != ThreadState.Blocked || (TraitsOf[(int)other.Call] & Traits.Reads) == 0 || FileOf(other) != file)
                continue;
            Found(
                FindingKind.SharedRead,
                $"{thread.Name} and {other.Name} both wait in a read of {file}: the stream's bytes go now to one and now to the other.",
                "Let one thread read a stream and hand on what it has read.");
            return;
        }
    }

    private static SimFile? FileOf(SimThread thread) => thread.CallProcess.Descriptors.Find(thread.CallDescriptor);
}
