namespace Weir;

/// <summary>What a submission of the io_uring driver was for; part of what its completion brings back.</summary>
internal enum UringRequest : byte
{
    /// <summary>Nothing that anyone waits for: a cancellation.</summary>
    None,

    /// <summary>The poll that other threads wake the loop by.</summary>
    Wake,

    /// <summary>A multishot receive into the common buffers.</summary>
    Receive,

    /// <summary>A send from the loop's buffers.</summary>
    Send,

    /// <summary>A send from the writer's own memory.</summary>
    SendDirectly,

    /// <summary>A multishot accept.</summary>
    Accept,

    /// <summary>A multishot poll of an owned descriptor.</summary>
    Watch,

    /// <summary>One poll for something to read.</summary>
    PollIn,

    /// <summary>One poll for room to write.</summary>
    PollOut,

    /// <summary>A <see cref="RingOperation"/>, whose place is in a table of its own.</summary>
    Operation,
}
