using System.Numerics;

namespace Weir.Simulation;

/// <summary>Signals that have been sent and not yet taken, of one thread or of a process: struct sigpending.</summary>
internal sealed class PendingSignals
{
    private readonly List<SignalInfo> _queue = [];

    /// <summary>Which (bit n-1: signal n).</summary>
    internal ulong Set { get; private set; }

    /// <summary>False: a standard signal that is pending already, of which there is only ever one (legacy_queue).</summary>
    internal bool Add(in SignalInfo info)
    {
        ulong bit = SignalNumbers.Bit(info.Signal);
        if (info.Signal < SignalNumbers.FirstRealTime && (Set & bit) != 0)
            return false;
        Set |= bit;
        _queue.Add(info);
        return true;
    }

    /// <summary>Takes the lowest number in <paramref name="wanted"/>, the oldest of that number: __dequeue_signal.</summary>
    internal bool TryTake(ulong wanted, out SignalInfo info)
    {
        info = default;
        ulong set = Set & wanted;
        if (set == 0)
            return false;
        int signal = BitOperations.TrailingZeroCount(set) + 1;
        int index = _queue.FindIndex(entry => entry.Signal == signal);
        info = _queue[index];
        _queue.RemoveAt(index);
        if (!_queue.Exists(entry => entry.Signal == signal))
            Set &= ~SignalNumbers.Bit(signal);
        return true;
    }

    /// <summary>flush_sigqueue_mask.</summary>
    internal void Remove(ulong signals)
    {
        Set &= ~signals;
        _queue.RemoveAll(entry => (SignalNumbers.Bit(entry.Signal) & signals) != 0);
    }
}
