namespace ReplicatedStore;

/// <summary>What a message says.</summary>
public enum MessageKind : byte
{
    /// <summary>To a replica: what do you hold for this key?</summary>
    Query = 1,

    /// <summary>To a replica: hold this, unless you hold something newer. May be said any number of times.</summary>
    Store = 2,

    /// <summary>From a replica, to either: this is what I hold now.</summary>
    Answer = 3,
}

/// <summary>A message between a client and a replica. Each request gets one answer, in the order of the requests.</summary>
/// <param name="Kind">What it says.</param>
/// <param name="Id">The client's number for the request; the answer has the same.</param>
/// <param name="Key">The key that it is about.</param>
/// <param name="Versioned">What to hold, or what is held. Of no meaning in a query.</param>
public sealed record Message(MessageKind Kind, long Id, string Key, Versioned Versioned);
