namespace Weir;

/// <summary>
/// Who is inside a <see cref="Poller"/>: the descriptors are closed by the last to leave after disposal, never under a thread that is
/// about to use their numbers (closing an epoll descriptor does not wake its waiters either, so there would be no other moment).
/// </summary>
/// <remarks>
/// One word, so that entering, leaving and closing are one atomic step each. Entering is also the full fence that a waiter needs between
/// announcing itself and looking for signals: see <see cref="Poller.Wake"/>.
/// </remarks>
internal sealed class PollerGate
{
    private const long Inside = 1;
    private const long Waiter = 1L << 32;
    private const long Closed = long.MinValue;

    // Bits 0-31: threads inside. Bits 32-62: those of them that may block. Bit 63: closed, nobody enters any more.
    private long _state;

    internal bool IsClosed => Volatile.Read(ref _state) < 0; // set by whoever disposes, on any thread

    internal int Waiters => (int)((Volatile.Read(ref _state) & ~Closed) >> 32);

    /// <summary>False when closed; else the caller is inside until it leaves.</summary>
    internal bool TryEnter(bool waits = false)
    {
        long step = waits ? Inside + Waiter : Inside;
        long seen = Volatile.Read(ref _state);
        while (seen >= 0)
        {
            // Compare-and-swap and not an addition: a thread that entered after the close would have to leave again, and the last one
            // out would no longer be unique.
            long before = Interlocked.CompareExchange(ref _state, seen + step, seen);
            if (before == seen)
                return true;
            seen = before;
        }

        return false;
    }

    /// <summary>Closes the gate with the caller inside. False when it was closed before.</summary>
    internal bool TryClose()
    {
        long seen = Volatile.Read(ref _state);
        while (seen >= 0)
        {
            long before = Interlocked.CompareExchange(ref _state, (seen + Inside) | Closed, seen);
            if (before == seen)
                return true;
            seen = before;
        }

        return false;
    }

    /// <summary>True for exactly one caller: the last to leave a closed gate.</summary>
    internal bool Leave(bool waits = false) => Interlocked.Add(ref _state, waits ? -(Inside + Waiter) : -Inside) == Closed;
}
