namespace ReplicatedStore;

/// <summary>Orders the writes of a key: by a counter, and where two writers counted alike by who they are. No two writes have the same one.</summary>
/// <param name="Counter">One more than any that the writer knows of.</param>
/// <param name="Writer">The number of the client that wrote.</param>
public readonly record struct Timestamp(long Counter, long Writer) : IComparable<Timestamp>
{
    public int CompareTo(Timestamp other) => (Counter, Writer).CompareTo((other.Counter, other.Writer));
}

/// <summary>What a key holds: a value, and the timestamp of the write that it is from. The default: nothing was ever written.</summary>
public readonly record struct Versioned(Timestamp Timestamp, string? Value)
{
    public bool IsNewerThan(Versioned other) => Timestamp.CompareTo(other.Timestamp) > 0;
}
