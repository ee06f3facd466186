namespace Weir.Bench.Soak;

/// <summary>What clients do for a while: acts, each drawn as often as its weight says.</summary>
internal sealed record Phase(string Name, int Clients, params (Act Act, int Weight)[] Acts)
{
    /// <summary>Whether descriptors run out meanwhile, so that whatever needs a new one may fail.</summary>
    public bool LacksDescriptors { get; init; }

    public static Phase[] All { get; } =
    [
        new("churn", 32, (Act.TinyMessages, 3), (Act.HalfClose, 1)),
        new("large", 12, (Act.LargeMessage, 3), (Act.SlowReader, 1)),
        new("ends", 32, (Act.HalfClose, 2), (Act.Reset, 3), (Act.TinyMessages, 1)),
        new("cancelled", 32, (Act.CancelledReads, 3), (Act.CancelledWrite, 2), (Act.CancelledConnect, 1)),
        new("threads", 24, (Act.DisposedElsewhere, 3), (Act.UsedElsewhere, 1)),
        new("EMFILE", 24, (Act.TinyMessages, 2), (Act.Reset, 1)) { LacksDescriptors = true },
        new(
            "everything",
            48,
            (Act.TinyMessages, 6),
            (Act.LargeMessage, 1),
            (Act.SlowReader, 1),
            (Act.HalfClose, 3),
            (Act.Reset, 3),
            (Act.CancelledReads, 3),
            (Act.CancelledWrite, 1),
            (Act.CancelledConnect, 1),
            (Act.DisposedElsewhere, 2),
            (Act.UsedElsewhere, 1)),
    ];

    public Act Draw(Random random)
    {
        int left = random.Next(Acts.Sum(pair => pair.Weight));
        foreach ((Act act, int weight) in Acts)
        {
            left -= weight;
            if (left < 0)
                return act;
        }

        throw new InvalidOperationException("The weights do not add up.");
    }
}

/// <summary>What one client does with one connection.</summary>
internal enum Act
{
    /// <summary>A few messages of up to 200 bytes, one after the other.</summary>
    TinyMessages,

    /// <summary>Up to 4 MiB, written and read at once.</summary>
    LargeMessage,

    /// <summary>Up to 1 MiB, read in small pieces with pauses, so that both sides' buffers fill.</summary>
    SlowReader,

    /// <summary>Writes, ends its side, and reads what it wrote and the end.</summary>
    HalfClose,

    /// <summary>Resets the connection with messages under way, or a read waiting.</summary>
    Reset,

    /// <summary>Reads that are cancelled again and again, before and while bytes come; none may be lost.</summary>
    CancelledReads,

    /// <summary>A write that waits since nobody reads, and is cancelled.</summary>
    CancelledWrite,

    /// <summary>Connecting, cancelled at once.</summary>
    CancelledConnect,

    /// <summary>A thread of the pool disposes the connection while it reads and writes.</summary>
    DisposedElsewhere,

    /// <summary>A thread of the pool reads and writes.</summary>
    UsedElsewhere,
}
