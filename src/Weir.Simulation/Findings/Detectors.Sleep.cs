namespace Weir.Simulation;

/// <summary>Everybody sleeps: the moments at which what was forgotten shows.</summary>
internal sealed partial class Detectors
{
    /// <summary>Readiness that somebody is expected to read something for.</summary>
    private const EpollEvents Incoming =
        EpollEvents.In | EpollEvents.Pri | EpollEvents.RdHup | EpollEvents.Hup | EpollEvents.Err | EpollEvents.RdNorm | EpollEvents.RdBand;

    private const EpollEvents Asked = Incoming & ~(EpollEvents.Hup | EpollEvents.Err);

    // For a thread of the pool that is half-way through a post to a sleeping loop, on a busy machine.
    private static readonly TimeSpan MostPatience = TimeSpan.FromSeconds(1);

    private readonly List<(string Name, Func<bool> HasWork)> _sleepers = [];
    private EscapedCall? _escaped;

    private sealed record EscapedCall(string What, string Stack);

    /// <summary>A call from outside was refused: the simulation's own threads hear of it at their next call.</summary>
    internal bool HasEscape => Volatile.Read(ref _escaped) != null;

    /// <summary>A thread that the simulation does not run has called its kernel. On that thread, at any moment.</summary>
    internal void Escaped(SimKernel process)
    {
        // Only what does not change is looked at: others are in the middle of something.
        if (_world.Scheduler.HasEnded || HasEscape)
            return;
        string what = $"A thread that the simulation does not run (\"{Thread.CurrentThread.Name ?? "thread pool"}\") called the kernel of {process.ProcessName}: work has escaped to it.";
        Interlocked.CompareExchange(ref _escaped, new EscapedCall(what, Environment.StackTrace), null);
    }

    /// <summary>The finding of such a call, made by a thread that has the world to itself.</summary>
    internal SimulationException MakeEscape() => Report.Make(
        _world,
        FindingKind.Escape,
        _escaped!.What,
        "Await it with the loop's own means (loop.TimeProvider, EventLoop.InvokeAsync), or use SimMode.Live.",
        ["The call came from", .. _escaped.Stack.Split(Environment.NewLine)]);

    /// <summary>Adds a sleeper of the program's own.</summary>
    internal void Watch(string name, Func<bool> hasWork) => _sleepers.Add((name, hasWork));

    /// <summary>Everybody sleeps, and time is about to jump to the next deadline.</summary>
    internal SimulationException? BeforeJump()
    {
        if (HasEscape)
            return MakeEscape();
        if (_on == SimDetectors.None)
            return null;
        if (Watches(SimDetectors.LostWakes) && FindLostWake() is { } lost)
            return ComesFromOutside(MostPatience, isLast: true) ? MakeEscape() : lost;
        return Watches(SimDetectors.LongStalls) && FindStalls(_world.Now - _stallLimit) is { Count: > 0 } stalls
            ? MakeStall($"For more than {StepText.Span(_stallLimit)}", stalls)
            : null;
    }

    /// <summary>Nobody can run and nothing is to come: says why.</summary>
    internal SimulationException Stuck()
    {
        if (ComesFromOutside(_world.Options.EscapePatience, isLast: false))
            return MakeEscape();
        if (Watches(SimDetectors.LostWakes) && FindLostWake() is { } lost)
            return ComesFromOutside(MostPatience, isLast: true) ? MakeEscape() : lost;
        _world.Options.EscapePatience = TimeSpan.Zero;
        if (Watches(SimDetectors.StalledEdges) && FindStalls(since: long.MaxValue) is { Count: > 0 } stalls)
            return MakeStall("Everybody sleeps and nothing is to come", stalls);
        string[] waiting = [.. _world.Threads.Where(thread => thread.State == ThreadState.Blocked).Select(Report.Thread)];
        return Report.Make(
            _world,
            FindingKind.Deadlock,
            waiting.Length == 1 ? $"Nothing is to come that could wake the one thread that is left: {waiting[0]}." : $"Nothing is to come that could wake any of the {waiting.Length} threads that wait.",
            "Look which of them should have been told, and by whom. Work that is awaited on the thread pool (Task.Run, Task.Delay without the loop's TimeProvider) is not seen by a simulation.",
            waiting.Length == 1 ? null : waiting);
    }

    // What was given to the thread pool may be about to call, and would explain why everybody sleeps. Once nothing came, whoever runs the
    // program again, many times perhaps, does not wait for it any more.
    private bool ComesFromOutside(TimeSpan patience, bool isLast)
    {
        SimOptions options = _world.Options;
        if (HasEscape || (options.EscapePatience > TimeSpan.Zero && SpinWait.SpinUntil(() => HasEscape, patience)))
            return true;
        if (isLast)
            options.EscapePatience = TimeSpan.Zero;
        return false;
    }

    // Lost wake-ups

    private SimulationException? FindLostWake()
    {
        foreach (SimLoop loop in _world.Loops)
        {
            if (loop.HasEnded || loop.EventLoop?.Queue is not { } queue)
                continue;
            LoopPhase phase = queue.State.PhaseAsSeen;
            string? what = phase switch
            {
                // An inbox that holds nothing but timers due later than the loop wakes anyway needs no wake-up.
                LoopPhase.Sleeping when queue.HasPostThatWakes => "sleeps although something was posted to it, and nobody has promised to wake it",
                LoopPhase.Waking => "sleeps although somebody promised to wake it: the write to its event counter never came",
                _ => null,
            };
            if (what == null)
                continue;
            return Report.Make(
                _world,
                FindingKind.LostWake,
                $"Loop {loop.Name} {what}.",
                "Whoever leaves something must look at the sleeper's state after that, with a full fence between; the sleeper must publish its state first and look at what was left after that.");
        }

        foreach ((string name, Func<bool> hasWork) in _sleepers)
        {
            if (!hasWork())
                continue;
            return Report.Make(
                _world,
                FindingKind.LostWake,
                $"{name} has work, and everybody sleeps: nobody has woken it.",
                "Whoever leaves work must look whether the sleeper sleeps after that, with a full fence between, and wake it; the sleeper must say that it sleeps first and look for work after that.");
        }

        return null;
    }

    // Stalled edges

    /// <summary>
    /// Registrations whose event was used up at or before <paramref name="since"/> and whose file is still ready. Whether a program has taken
    /// what it was told of shows in its reads: it has when the last of them found nothing more.
    /// </summary>
    private List<EpollItem> FindStalls(long since)
    {
        List<EpollItem> stalls = [];
        foreach (EpollFile epoll in OpenEpolls())
        {
            SimLoop? loop = _world.Loops.Find(loop => !loop.HasEnded && loop.EventLoop is { } inner && loop.Kernel.Descriptors.Find(inner.Driver.WaitDescriptor) == epoll);
            foreach (EpollItem item in epoll.Items)
            {
                if (item.ReadyNode == null && item.File is not EpollFile && item.Watch.DeliveredAt <= since && IsStalled(item, loop))
                    stalls.Add(item);
            }
        }

        return stalls;
    }

    private static bool IsStalled(EpollItem item, SimLoop? loop)
    {
        EpollEvents now = ReadinessOf(item);
        // A loop of the runtime remembers what it was told; it is stalled only if somebody waits for just that.
        if (loop != null)
            return (now & item.Events & loop.EventLoop!.Driver.Awaited(item.Data)) != 0;
        EpollEvents armed = IsDisabled(item) ? item.Watch.ArmedWith : item.Events;
        EpollEvents wanted = armed & Asked;
        if ((wanted & EpollEvents.In) != 0)
            wanted |= EpollEvents.Hup | EpollEvents.Err; // a reader learns of those by reading
        if ((now & wanted) == EpollEvents.None || (armed & (EpollEvents.EdgeTriggered | EpollEvents.OneShot)) == 0)
            return false;
        // A counter that nobody reads is one that wakes by its edges alone.
        if (item.File is EventFdFile && item.File.Watch.Reading == ReadState.Untouched)
            return false;
        return item.File.Watch.Reading != ReadState.Drained;
    }

    // A queue of signals is asked for the one who waits; all others must not notice that somebody looks.
    private static EpollEvents ReadinessOf(EpollItem item)
        => (item.File is SignalFdFile ? item.File.PollFor(item.Epoll.LastWaiter) : item.File.Readiness) & ~item.File.Held;

    private static bool IsDisabled(EpollItem item) => (item.Events & ~EpollItem.PrivateBits) == EpollEvents.None && item.Watch.DeliveredAt != 0;

    private SimulationException MakeStall(string when, List<EpollItem> stalls)
    {
        EpollItem first = stalls[0];
        EpollEvents ready = ReadinessOf(first) & Incoming;
        string told = first.Watch.DeliveredAt == 0 ? "was never told" : $"was told at {StepText.Moment(first.Watch.DeliveredAt)}";
        string who = first.Epoll.LastWaiter?.Name ?? "nobody";
        (string state, string advice) = IsDisabled(first)
            ? ("its one-shot registration has fired and was not armed again",
                "Arm it again with EPOLL_CTL_MOD each time its event has been dealt with; if it is ready by then, that reports it at once.")
            : (first.File.Watch.Reading == ReadState.Partial ? "the last read left something, and no edge will tell of it" : "nobody has read since, and no edge will tell of it again",
                "Edge-triggered: at each event read (accept) until EAGAIN, or remember that there may be more and come back to it.");
        return Report.Make(
            _world,
            FindingKind.StalledEdge,
            $"{when}, although fd {first.Fd} ({first.File}) is ready {StepText.Mask(ready)}: {who} {told}, {state}.",
            advice,
            stalls.Select(Report.Registration));
    }
}
