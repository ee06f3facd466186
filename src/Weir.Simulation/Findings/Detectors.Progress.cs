namespace Weir.Simulation;

internal sealed partial class Detectors
{
    // Virtual time that passes means that somebody slept; what empty looks cost does not count.
    private const long NoTime = 1_000_000;

    private long _splices;

    // Busy loops

    private void CheckProgress(SimThread thread, Traits traits, nint result)
    {
        bool progress = thread.Call == SystemCall.IoUringEnter ? !thread.Watch.AchievedNothing : (traits & (Traits.Waits | Traits.Looks)) != 0
            ? result == 0 && thread.Call is SystemCall.EpollWait or SystemCall.EpollPWait2 && result == 0
            : (traits & (Traits.Reads | Traits.Writes)) != 0 ? result > 0 : result >= 0;
        ref ThreadWatch watch = ref thread.Watch;
        if (progress)
        {
            watch.IdleCalls = 0;
            return;
        }

        if (watch.IdleCalls == 0 || _world.Now - watch.IdleSince > NoTime)
        {
            watch.IdleCalls = 0;
            watch.IdleSince = _world.Now;
        }

        if (++watch.IdleCalls <= _busyLimit || !Watches(SimDetectors.BusyLoops))
            return;
        if (watch.Told is { } item && (traits & Traits.Waits) != 0)
        {
            FoundBusy(item, watch.ToldEvents, $"{thread.Name} has made {watch.IdleCalls} calls in a row without achieving anything");
            return;
        }

        Found(
            FindingKind.BusyLoop,
            $"{thread.Name} has made {watch.IdleCalls} calls in a row without achieving anything; the last, {Report.Call(thread)}, returned {StepText.Result(result)}.",
            AdviceFor(thread, result));
    }

    // One registration is reported again and again, whatever else the thread gets done between.
    private void CountRepeat(EpollItem item, EpollEvents events)
    {
        ref ItemWatch watch = ref item.Watch;
        long moved = item.File.Watch.Moved + _splices;
        if (watch.Repeats == 0 || watch.Moved != moved || _world.Now - watch.RepeatsSince > NoTime)
        {
            watch.Repeats = 0;
            watch.Moved = moved;
            watch.RepeatsSince = _world.Now;
        }

        if (++watch.Repeats > _busyLimit && Watches(SimDetectors.BusyLoops))
            FoundBusy(item, events, $"One event was reported {watch.Repeats} times in a row and nothing was read or written between");
    }

    private void FoundBusy(EpollItem item, EpollEvents events, string what)
    {
        string advice = (events & Incoming) == 0
            ? "Take OUT out of the mask (EPOLL_CTL_MOD) when there is nothing to write, or register edge-triggered."
            : item.File is EventFdFile
                ? "Read the counter at each event, or register it edge-triggered (EPOLLET), where it need never be read."
                : item.File is SimSocket { IsListening: true }
                    ? "Accept fails and the connection stays where it is: take the listener out of the set until a descriptor is free, or keep one in reserve to accept and close with."
                    : (events & (EpollEvents.Hup | EpollEvents.Err | EpollEvents.RdHup)) != 0
                        ? "The end of the stream stays ready for ever: close the descriptor, or take it out of the set."
                        : "Read until EAGAIN, or take IN out of the mask (EPOLL_CTL_MOD) while nobody wants the data.";
        Found(
            FindingKind.BusyLoop,
            $"{what}: {item.Epoll} goes on reporting fd {item.Fd} ({item.File}) as {StepText.Mask(events)}, level-triggered, and nobody does anything about it.",
            advice,
            [Report.Registration(item)]);
    }

    private static string AdviceFor(SimThread thread, nint result) => (Errno)(int)-Math.Min(result, 0) switch
    {
        Errno.EAGAIN => "After EAGAIN wait for readiness (epoll_wait, poll) instead of trying again.",
        Errno.EMFILE or Errno.ENFILE => "No descriptors are left: wait until some are closed instead of trying again.",
        Errno.EINTR or Errno.None when thread.Call is SystemCall.Poll => "Give poll a timeout, or do something about what it reports.",
        _ => "Stop trying when a call fails for good, and wait for something before trying again.",
    };

    // Starvation

    private void CheckStarvation()
    {
        if (!Watches(SimDetectors.Starvation))
            return;
        long now = _world.Log.Count;
        foreach (SimThread thread in _world.Threads)
        {
            long since = Math.Max(thread.Watch.LastStep, thread.Watch.RunnableSince);
            if (thread.State != ThreadState.Runnable || now - since <= _starvationLimit)
                continue;
            Found(
                FindingKind.Starvation,
                $"{thread.Name} could run and has not been let for {now - since} steps, all of which others took.",
                "Whoever makes so many calls without a wait between should give way, or wait for an event instead of looking for it.");
        }

        foreach (EpollFile epoll in OpenEpolls())
        {
            if (epoll.HasWaiters || epoll.ReadyItems.FirstOrDefault() is not { } first || now - first.Watch.QueuedAt <= _starvationLimit)
                continue;
            Found(
                FindingKind.Starvation,
                $"fd {first.Fd} ({first.File}) has been ready for {now - first.Watch.QueuedAt} steps, and nobody has asked {epoll} since{(epoll.LastWaiter is { } last ? $": the last to ask was {last.Name}" : "")}.",
                "A task that always finds something to do must give way now and then (await EventLoop.Yield(), a budget per turn).",
                [Report.Registration(first)]);
        }
    }

    /// <summary>The epoll instances that some process has a descriptor of.</summary>
    private IEnumerable<EpollFile> OpenEpolls()
    {
        var seen = new HashSet<EpollFile>();
        foreach (Machine machine in _world.Machines)
        {
            foreach (SimKernel process in machine.Processes)
            {
                foreach ((_, SimFile file, _) in process.Descriptors.Open)
                {
                    if (file is EpollFile epoll && seen.Add(epoll))
                        yield return epoll;
                }
            }
        }
    }
}
