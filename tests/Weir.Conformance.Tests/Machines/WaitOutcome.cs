using System.Text;

namespace Weir.Conformance;

/// <summary>One event that a wait returned, or is expected to: the data that was registered, and the readiness.</summary>
public readonly record struct Ready(ulong Data, EpollEvents Events)
{
    public static implicit operator Ready((Fd Fd, EpollEvents Events) pair) => new(pair.Fd.Id, pair.Events);

    public static implicit operator Ready((int Data, EpollEvents Events) pair) => new((ulong)pair.Data, pair.Events);
}

/// <summary>What a wait returned, and a way to say what it must have been.</summary>
public sealed class WaitOutcome
{
    private readonly Machine _machine;
    private readonly string _call;

    internal WaitOutcome(Machine machine, string call, int value, Ready[] events)
    {
        _machine = machine;
        _call = call;
        Value = value;
        Events = events;
    }

    /// <summary>The result of the door: how many events, or negative for an error.</summary>
    public int Value { get; }

    /// <summary>The events in the order in which they came.</summary>
    public IReadOnlyList<Ready> Events { get; }

    /// <summary>Fails the program unless these events came, in this order.</summary>
    public WaitOutcome Is(params ReadOnlySpan<Ready> expected)
    {
        if (Value < 0 || !((Ready[])Events).AsSpan().SequenceEqual(expected))
            _machine.Fail($"{_call} gave {_machine.Show(this)} and not {_machine.Show(expected)}");
        return this;
    }

    /// <summary>Fails the program if anything came.</summary>
    public WaitOutcome IsEmpty() => Is([]);

    /// <summary>Fails the program if the wait did not fail so.</summary>
    public WaitOutcome Is(Errno expected)
    {
        if (Value != -(int)expected)
            _machine.Fail($"{_call} gave {_machine.Show(this)} and not {expected}");
        return this;
    }
}

/// <summary>Masks as the man pages write them, without the prefix.</summary>
internal static class Masks
{
    private static readonly (EpollEvents Bit, string Name)[] Bits =
    [
        (EpollEvents.In, "IN"), (EpollEvents.Pri, "PRI"), (EpollEvents.Out, "OUT"), (EpollEvents.Err, "ERR"), (EpollEvents.Hup, "HUP"),
        ((EpollEvents)0x20, "NVAL"), (EpollEvents.RdNorm, "RDNORM"), (EpollEvents.RdBand, "RDBAND"), (EpollEvents.WrNorm, "WRNORM"),
        (EpollEvents.WrBand, "WRBAND"), (EpollEvents.Msg, "MSG"), (EpollEvents.RdHup, "RDHUP"), (EpollEvents.Exclusive, "EXCLUSIVE"),
        (EpollEvents.WakeUp, "WAKEUP"), (EpollEvents.OneShot, "ONESHOT"), (EpollEvents.EdgeTriggered, "ET"),
    ];

    private static readonly (InotifyEvents Bit, string Name)[] NotifyBits =
    [
        (InotifyEvents.Access, "ACCESS"), (InotifyEvents.Modify, "MODIFY"), (InotifyEvents.Attributes, "ATTRIB"),
        (InotifyEvents.CloseWrite, "CLOSE_WRITE"), (InotifyEvents.CloseNoWrite, "CLOSE_NOWRITE"), (InotifyEvents.Open, "OPEN"),
        (InotifyEvents.MovedFrom, "MOVED_FROM"), (InotifyEvents.MovedTo, "MOVED_TO"), (InotifyEvents.Create, "CREATE"),
        (InotifyEvents.Delete, "DELETE"), (InotifyEvents.DeleteSelf, "DELETE_SELF"), (InotifyEvents.MoveSelf, "MOVE_SELF"),
        (InotifyEvents.Unmount, "UNMOUNT"), (InotifyEvents.QueueOverflow, "Q_OVERFLOW"), (InotifyEvents.Ignored, "IGNORED"),
        (InotifyEvents.IsDirectory, "ISDIR"),
    ];

    internal static string Show(InotifyEvents mask)
    {
        string names = string.Join('|', NotifyBits.Where(bit => (mask & bit.Bit) != 0).Select(bit => bit.Name));
        uint others = (uint)NotifyBits.Aggregate(mask, (rest, bit) => rest & ~bit.Bit);
        return others == 0 ? names : $"{names}|0x{others:x}";
    }

    internal static string Show(EpollEvents mask)
    {
        if (mask == 0)
            return "0";
        StringBuilder text = new();
        foreach ((EpollEvents bit, string name) in Bits)
        {
            if ((mask & bit) == 0)
                continue;
            mask &= ~bit;
            text.Append(text.Length == 0 ? "" : "|").Append(name);
        }

        if (mask != 0)
            text.Append(text.Length == 0 ? "" : "|").Append($"0x{(uint)mask:x}");
        return text.ToString();
    }
}
