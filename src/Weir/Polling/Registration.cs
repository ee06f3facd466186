namespace Weir;

/// <summary>
/// A slot of the <see cref="RegistrationTable"/>: what a descriptor is registered with, under a token that is new with every change.
/// </summary>
/// <remarks>
/// Waiters read it without a lock, and the token is what keeps that consistent: a writer (always under the poller's lock) clears it,
/// writes the rest, and sets the next one; a reader takes the rest only between two looks at the token it came with. All accesses are
/// Volatile, because that order is the whole proof: none of these reads may move past the second look, none of the writes before the
/// clearing. A slot is never given back to the collector, so a late reader finds a changed token and not a stranger's object.
/// </remarks>
internal sealed class Registration(int index, int descriptor)
{
    private ulong _token;
    private nint _key;
    private uint _interest;
    private int _mode;
    private uint _generation;

    /// <summary>The number it was registered by; of a free slot, the last one. Used under the poller's lock only.</summary>
    internal int FileDescriptor { get; set; } = descriptor;

    /// <summary>The token in force; 0 when there is no registration. Used under the poller's lock only.</summary>
    internal ulong Token => _token;

    internal nint Key => _key;

    internal EpollEvents Interest => (EpollEvents)_interest;

    internal PollerMode Mode => (PollerMode)_mode;

    /// <summary>
    /// Puts new content in force and returns its token: slot number below, generation above. Generations begin at 1, so tokens below 2^32 are free for
    /// the poller's own use. After 2^32 changes of one slot they repeat; a ghost would have to be that old to be mistaken.
    /// </summary>
    internal ulong Publish(nint key, EpollEvents interest, PollerMode mode)
    {
        _generation = _generation == uint.MaxValue ? 1 : _generation + 1;
        ulong token = ((ulong)_generation << 32) | (uint)index;
        Restore(token, key, interest, mode);
        return token;
    }

    /// <summary>Puts earlier content back in force after a change that the kernel refused.</summary>
    internal void Restore(ulong token, nint key, EpollEvents interest, PollerMode mode)
    {
        Volatile.Write(ref _token, 0);
        Volatile.Write(ref _key, key);
        Volatile.Write(ref _interest, (uint)interest);
        Volatile.Write(ref _mode, (int)mode);
        Volatile.Write(ref _token, token);
    }

    /// <summary>From here on every event of it is stale.</summary>
    internal void Retire() => Volatile.Write(ref _token, 0);

    /// <summary>The content under <paramref name="token"/>, or false when that is no longer in force. Any thread, no lock.</summary>
    internal bool TryRead(ulong token, out nint key, out EpollEvents interest, out PollerMode mode)
    {
        bool current = Volatile.Read(ref _token) == token;
        key = Volatile.Read(ref _key);
        interest = (EpollEvents)Volatile.Read(ref _interest);
        mode = (PollerMode)Volatile.Read(ref _mode);
        return current && Volatile.Read(ref _token) == token;
    }
}
