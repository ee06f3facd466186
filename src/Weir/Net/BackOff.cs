namespace Weir.Net;

/// <summary>
/// Pauses between attempts where no event tells that the next would succeed: each twice as long as the one before, up to a longest.
/// </summary>
internal struct BackOff
{
    private readonly TimeSpan _first;
    private readonly TimeSpan _longest;
    private TimeSpan _next;

    private BackOff(int firstMilliseconds, int longestMilliseconds)
    {
        _next = _first = TimeSpan.FromMilliseconds(firstMilliseconds);
        _longest = TimeSpan.FromMilliseconds(longestMilliseconds);
    }

    /// <summary>While a unix socket's receiver, or listener, has no room: nobody is told when it has again (connect(2), unix(7)).</summary>
    internal static BackOff FullUnixPeer => new(1, 50);

    /// <summary>While there are no descriptors or no memory to accept with.</summary>
    internal static BackOff Shortage => new(10, 1000);

    /// <summary>How long to pause now.</summary>
    internal TimeSpan Next()
    {
        TimeSpan pause = _next;
        _next = pause * 2 < _longest ? pause * 2 : _longest;
        return pause;
    }

    /// <summary>Begins anew: there was progress.</summary>
    internal void Reset() => _next = _first;
}
