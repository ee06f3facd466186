namespace Weir;

/// <summary>What a ring has in progress for a descriptor, and what is about to end it.</summary>
[Flags]
internal enum UringState : ushort
{
    None = 0,

    /// <summary>A multishot receive or accept is in progress.</summary>
    Taking = 1 << 0,

    /// <summary>It has been told to stop; its last completion is still to come.</summary>
    StoppingTaking = 1 << 1,

    /// <summary>A multishot receive or accept has completions to come.</summary>
    TakingOrStopping = Taking | StoppingTaking,

    /// <summary>The peer has ended its direction: what was received is all there is.</summary>
    Ended = 1 << 2,

    /// <summary>What there is to read is left in the kernel, and read by calls when a poll says that there is something.</summary>
    LeavesInKernel = 1 << 3,

    /// <summary>A poll for something to read is in progress.</summary>
    PollingIn = 1 << 4,

    /// <summary>A poll for room to write is in progress.</summary>
    PollingOut = 1 << 5,

    /// <summary>A multishot poll for the descriptor's mask is in progress.</summary>
    Watching = 1 << 6,

    /// <summary>A send from the pool's buffers is in progress.</summary>
    Sending = 1 << 7,

    /// <summary>A send from the caller's own buffer is in progress.</summary>
    SendingDirectly = 1 << 8,

    /// <summary>The writing direction ends once everything was sent.</summary>
    ShutdownDue = 1 << 9,

    /// <summary>The slot was given back; the descriptor is closed once everything was sent.</summary>
    CloseDue = 1 << 10,

    /// <summary>The slot was given back, and waits for the last completions of what was in progress.</summary>
    Retired = 1 << 11,

    /// <summary>What was written is to be sent with the rest of the turn.</summary>
    SendDue = 1 << 12,

    /// <summary>The send in progress is made, or refused, while it is submitted; there is no completion of its success.</summary>
    SendingAtOnce = 1 << 13,

    /// <summary>The kernel had no room for all of the last send: the next one waits for room.</summary>
    Crowded = 1 << 14,

    /// <summary>The kernel sends nothing of it without a copy.</summary>
    SendsCopies = 1 << 15,
}

/// <summary>What the io_uring driver knows of a descriptor, beside its <see cref="Slot"/>.</summary>
internal unsafe struct UringSlot
{
    /// <summary>The buffer that is being sent, and behind it those that wait.</summary>
    internal SendBuffer* FirstUnsent;

    /// <summary>The last of those.</summary>
    internal SendBuffer* LastUnsent;

    /// <summary>The last of those that are being sent.</summary>
    internal SendBuffer* LastSending;

    /// <summary>Where the message that is being sent is described, if it is in several buffers.</summary>
    internal SendBuffer* Gather;

    /// <summary>What its submissions are named by.</summary>
    internal ulong Token;

    /// <summary>The first received buffer that was not read to its end; -1: none.</summary>
    internal int FirstReceived;

    /// <summary>The last of those.</summary>
    internal int LastReceived;

    /// <summary>Bytes in the received buffers.</summary>
    internal int HeldBytes;

    /// <summary>Bytes written and not yet sent.</summary>
    internal int Unsent;

    /// <summary>The descriptor, which the <see cref="Slot"/> has forgotten once it was given back.</summary>
    internal int Descriptor;

    /// <summary>Submissions whose last completion is still to come: until then the slot is not given to another.</summary>
    internal ushort Pending;

    /// <summary>Received buffers held.</summary>
    internal ushort Held;

    internal UringState State;

    /// <summary>Why reading has failed, told once; then it is the end.</summary>
    internal short ReceiveError;

    /// <summary>Why writing has failed.</summary>
    internal short SendError;

    /// <summary>A slot that nothing is in progress for.</summary>
    internal static UringSlot Unused => new() { FirstReceived = -1 };

    internal readonly bool Has(UringState state) => (State & state) != 0;
}
