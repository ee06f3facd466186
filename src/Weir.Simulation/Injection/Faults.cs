namespace Weir.Simulation;

/// <summary>Where things go wrong on purpose. Without a plan nothing does.</summary>
internal sealed unsafe class Faults
{
    /// <summary>Asked before each call does anything: 0, or the negated errno it returns instead.</summary>
    internal int Before(SimThread thread, SystemCall call, int fd) => 0;

    /// <summary>May cut a read or write short: then <paramref name="vectors"/> points to <paramref name="room"/>.</summary>
    internal void Shorten(SimThread thread, ref IoVector* vectors, ref int count, IoVector* room)
    {
    }
}
