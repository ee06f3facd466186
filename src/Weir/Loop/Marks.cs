using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>
/// The marked operations: those by which a loop and the threads that post to it, wake it and wait for its end agree. A simulator that lets
/// one thread run at a time changes threads at them, and decides when a store becomes visible to the others.
/// </summary>
/// <remarks>
/// Nothing else is marked: how an awaiting caller and the completion meet (<see cref="LoopAwaitable"/>), what timers are set to on their way and
/// the statistics happen between two marks, as one step.
/// </remarks>
internal static class Marks
{
    /// <summary>
    /// Whether marked operations go to <see cref="Observer"/>: AppContext's switch "Weir.Marks", read once. It is static and read-only so that
    /// the JIT takes it for a constant: where it is false, which is everywhere but in the simulator, nothing of a mark is left in the code.
    /// </summary>
    internal static readonly bool On = AppContext.TryGetSwitch("Weir.Marks", out bool on) && on;

    /// <summary>
    /// Who does the marked operations when they are on. One for the process, set before the loops that it is to see are made; an observer of
    /// several simulations tells them apart by the calling thread.
    /// </summary>
    internal static MarkObserver Observer { get; set; } = new();

    /// <summary>A full fence.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Fence(Mark site)
    {
        if (On)
            Observer.Fence(site);
        else
            Interlocked.MemoryBarrier();
    }

    /// <summary>One round of a loop that waits for another thread's store.</summary>
    internal static void Spin(Mark site, ref SpinWait spin)
    {
        if (On)
            Observer.Spin(site);
        else
            spin.SpinOnce();
    }

    /// <summary>Enters a lock under which there are marked operations or system calls; the scope leaves it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Lock.Scope Enter(Mark site, Lock gate) => On ? EnterObserved(site, gate) : gate.EnterScope();

    private static Lock.Scope EnterObserved(Mark site, Lock gate)
    {
        Observer.Enter(site, gate);
        Lock.Scope scope = gate.EnterScope(); // again: only so does one get a scope
        gate.Exit();
        return scope;
    }

    /// <summary>Blocks until another thread has set <paramref name="done"/>.</summary>
    internal static void Wait(Mark site, ManualResetEventSlim done)
    {
        while (On && !done.IsSet)
            Observer.Spin(site);
        done.Wait();
    }
}

/// <summary>The places in the code where a marked operation is. (In brackets: what it is.)</summary>
internal enum Mark
{
    /// <summary>What does the loop do? Asked by posters beforehand and by the curious; a poster asks again after its entry (read).</summary>
    Phase,

    // The loop

    /// <summary><see cref="LoopState.BeginTurn"/>: was something left (read)?</summary>
    BeginTurnLook,

    /// <summary><see cref="LoopState.BeginTurn"/>: from here on this turn takes it up (compare and exchange).</summary>
    BeginTurn,

    /// <summary>The loop takes an entry from the inbox (dequeue).</summary>
    InboxTake,

    /// <summary>A spinning loop looks at the inbox (read).</summary>
    SpinLook,

    /// <summary><see cref="LoopState.TrySleep"/>: the publication of Sleeping (compare and exchange).</summary>
    TrySleep,

    /// <summary>The look at the inbox after the publication (read).</summary>
    LastLook,

    /// <summary><see cref="LoopState.Leave"/>: has someone promised (read)?</summary>
    LeaveLook,

    /// <summary><see cref="LoopState.Leave"/>: awake again (compare and exchange).</summary>
    Leave,

    /// <summary><see cref="LoopState.Stop"/>: no wakers from here on (exchange).</summary>
    Stop,

    /// <summary><see cref="LoopState.Stop"/>: are there wakers still (read, spin)?</summary>
    StopWakers,

    /// <summary>Nothing is taken from the inbox any more (store).</summary>
    Seal,

    // Posters and wakers

    /// <summary>A poster puts its entry in the inbox (store).</summary>
    InboxPut,

    /// <summary>The fence between the entry and the look at the phase (fence).</summary>
    WakeFence,

    /// <summary>A waker looks at the phase and the deadline (read).</summary>
    WakeLook,

    /// <summary>A waker asks a loop that is awake to look again (compare and exchange).</summary>
    WakeAgain,

    /// <summary>A waker counts itself in (increment).</summary>
    WakerIn,

    /// <summary>A waker promises the wake-up of a sleeper (compare and exchange).</summary>
    WakePromise,

    /// <summary>A waker counts itself out, since another was first (decrement).</summary>
    WakerOut,

    /// <summary>A waker counts itself out after its write (decrement).</summary>
    WakeDelivered,

    /// <summary>A poster whom the loop's end overtook waits for it to seal the inbox (read, spin).</summary>
    SealLook,

    /// <summary>Such posters one at a time (lock).</summary>
    ClaimLock,

    /// <summary>Such a poster takes what was left behind in the inbox (dequeue).</summary>
    ClaimTake,

    /// <summary>A thread waits for what it sent to a loop (spin).</summary>
    SendWait,

    /// <summary>An <see cref="EventSignal"/> is written to, or closed (lock).</summary>
    SignalLock,
}
