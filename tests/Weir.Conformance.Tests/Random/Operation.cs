namespace Weir.Conformance.Random;

/// <summary>What a step of a random program does.</summary>
public enum OperationKind
{
    Counter,
    Semaphore,
    Pipe,
    FifoEnd,
    UnixPair,
    UnixMessagePair,
    FreshSocket,
    UnixListener,
    TcpListener,
    TcpPair,
    UdpPair,
    Timer,
    Set,
    Connect,
    Accept,
    Add,
    AddSet,
    Modify,
    Delete,
    Wait,
    Poll,
    Write,
    Read,
    Peek,
    Fill,
    Drain,
    Arm,
    Close,
    Duplicate,
    DuplicateOnto,
    Shutdown,
    LowWatermark,
    SendBuffer,
    PassDescriptor,
    Urgent,
    Reset,
    Waiter,
}

/// <summary>
/// One step as data. The numbers choose among the descriptors and values that fit when the step is run, so that every list of steps is a
/// program, whatever is taken out of it; a step for which there is nothing that fits does nothing.
/// </summary>
public readonly record struct Operation(OperationKind Kind, int A, int B, int C);
