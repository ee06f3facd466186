namespace Weir;

/// <summary>What a loop is doing, as far as others must know it who want it awake.</summary>
internal enum LoopPhase
{
    /// <summary>Awake; nobody has left anything since the turn began.</summary>
    Running,

    /// <summary>Awake, and must look again before it sleeps.</summary>
    RunAgain,

    /// <summary>In the kernel, until its published deadline or a wake-up.</summary>
    Sleeping,

    /// <summary>Someone has promised the wake-up and is about to deliver it.</summary>
    Waking,

    /// <summary>For good.</summary>
    Stopped,
}

/// <summary>What follows for the one who wanted the loop awake.</summary>
internal enum WakeDebt
{
    /// <summary>Nothing: the loop is awake, or someone else has promised.</summary>
    None,

    /// <summary>The caller must wake the driver, and then call <see cref="LoopState.WakeDelivered"/>.</summary>
    Owed,

    /// <summary>The loop has stopped and wakes no more.</summary>
    Stopped,
}

/// <summary>
/// The sleep and wake protocol between a loop and the threads that post to it: one word that holds the phase and, while asleep, the
/// deadline. Every transition is a named method; those that wake say whether the caller owes a wake-up, so that a sleeping loop costs
/// its wakers together exactly one system call and a waking one none.
/// </summary>
/// <remarks>
/// <para>Sleeping: the loop publishes (<see cref="TrySleep"/>, a full fence), and only then takes its last look at the inbox. Posting: the
/// poster puts its entry there, a full fence follows, and only then it looks at the phase. So one of the two sees the other.</para>
/// <para>Closing: a waker counts itself in before it promises and out after it has written, and <see cref="Stop"/> waits for the count,
/// so that no wake-up is written to a descriptor that was closed and became a stranger's.</para>
/// <para>All of it is marked (<see cref="Marks"/>) but for the statistics.</para>
/// </remarks>
internal sealed class LoopState
{
    private const int PhaseBits = 3;
    private const long PhaseMask = (1 << PhaseBits) - 1;

    /// <summary>The latest deadline that can be published, in nanoseconds: 36 years of uptime. Later ones count as never.</summary>
    private const long Never = long.MaxValue >> PhaseBits;

    private MarkedInt64 _word;
    private MarkedInt64 _wakers;
    private long _wakesOwed;
    private long _wakesSaved;

    internal LoopState()
    {
        _word = new MarkedInt64(this, (long)LoopPhase.Running);
        _wakers = new MarkedInt64(this, 0);
    }

    /// <summary>The phase at this moment; it may have changed by the time the caller looks at it.</summary>
    internal LoopPhase Phase => PhaseOf(_word.Read(Mark.Phase));

    /// <summary>As <see cref="Phase"/>, for onlookers.</summary>
    internal LoopPhase PhaseAsSeen => PhaseOf(_word.Peek());

    /// <summary>Wake-ups that cost a system call.</summary>
    internal long WakesOwed => Volatile.Read(ref _wakesOwed);

    /// <summary>Wake-ups that cost none since the loop was awake. Approximate: counted without a lock by those who saw RunAgain newly set.</summary>
    internal long WakesSaved => Volatile.Read(ref _wakesSaved);

    private static LoopPhase PhaseOf(long word) => (LoopPhase)(word & PhaseMask);

    // Loop's thread only.

    /// <summary>A turn begins: whatever was left until now is taken up by it. False: stopped.</summary>
    internal bool BeginTurn()
    {
        while (true)
        {
            long word = _word.Read(Mark.BeginTurnLook);
            switch (PhaseOf(word))
            {
                case LoopPhase.Running:
                    return true;
                case LoopPhase.Stopped:
                    return false;
                default:
                    // RunAgain; Sleeping and Waking end in Leave before a turn begins. The exchange is a full fence: entries
                    // that posters put in before they set RunAgain are visible to the look at the inbox that follows.
                    if (_word.CompareExchange(Mark.BeginTurn, (long)LoopPhase.Running, word) == word)
                        return true;
                    break;
            }
        }
    }

    /// <summary>Publishes that the loop sleeps until <paramref name="deadline"/>. False: someone wants another turn first.</summary>
    internal bool TrySleep(long deadline)
    {
        long sleeping = (Math.Clamp(deadline, 0, Never) << PhaseBits) | (long)LoopPhase.Sleeping;
        return _word.CompareExchange(Mark.TrySleep, sleeping, (long)LoopPhase.Running) == (long)LoopPhase.Running;
    }

    /// <summary>
    /// Awake again, for whatever reason. From here on wakers see that no wake-up is needed. If one has promised already, its write comes
    /// and is one event too many, which nobody minds.
    /// </summary>
    internal void Leave()
    {
        long word = _word.Read(Mark.LeaveLook);
        while (PhaseOf(word) is LoopPhase.Sleeping or LoopPhase.Waking)
        {
            long seen = _word.CompareExchange(Mark.Leave, (long)LoopPhase.Running, word);
            if (seen == word)
                return;
            word = seen;
        }
    }

    /// <summary>Ends the loop for all wakers, and returns when the last that had promised a wake-up has delivered it.</summary>
    internal void Stop()
    {
        _word.Exchange(Mark.Stop, (long)LoopPhase.Stopped);
        SpinWait spin = default;
        while (_wakers.Read(Mark.StopWakers) != 0)
            Marks.Spin(Mark.StopWakers, ref spin);
    }

    // Any thread.

    /// <summary>Someone has left an entry. Must be called after the entry is in, and begins with a full fence.</summary>
    internal WakeDebt Wake() => Wake(long.MinValue);

    /// <summary>Someone has left a timer due at <paramref name="deadline"/>: a sleeper that wakes by then anyway is left asleep.</summary>
    internal WakeDebt WakeFor(long deadline) => Wake(Math.Max(deadline, 0));

    private WakeDebt Wake(long deadline)
    {
        Marks.Fence(Mark.WakeFence); // the entry before the look at the phase; the loop has its fence the other way round in TrySleep
        long word = _word.Read(Mark.WakeLook);
        while (true)
        {
            switch (PhaseOf(word))
            {
                case LoopPhase.Stopped:
                    return WakeDebt.Stopped;
                case LoopPhase.RunAgain:
                case LoopPhase.Waking:
                    return WakeDebt.None;
                case LoopPhase.Running:
                {
                    long seen = _word.CompareExchange(Mark.WakeAgain, (long)LoopPhase.RunAgain, word);
                    if (seen == word)
                    {
                        Interlocked.Increment(ref _wakesSaved);
                        return WakeDebt.None;
                    }

                    word = seen;
                    break;
                }

                default:
                {
                    if (word >> PhaseBits <= deadline)
                        return WakeDebt.None;
                    _wakers.Increment(Mark.WakerIn);
                    long seen = _word.CompareExchange(Mark.WakePromise, (long)LoopPhase.Waking, word);
                    if (seen == word)
                    {
                        Interlocked.Increment(ref _wakesOwed);
                        return WakeDebt.Owed;
                    }

                    _wakers.Decrement(Mark.WakerOut);
                    word = seen;
                    break;
                }
            }
        }
    }

    /// <summary>The owed wake-up has been written; the loop may close its descriptors now.</summary>
    internal void WakeDelivered() => _wakers.Decrement(Mark.WakeDelivered);
}
