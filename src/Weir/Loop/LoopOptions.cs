namespace Weir;

/// <summary>Which way of waiting a loop uses.</summary>
public enum DriverKind
{
    /// <summary>
    /// <see cref="IoUring"/> where this kernel has what it needs and permits it, else <see cref="Epoll"/>; <see cref="LoopStatistics.BackendReason"/>
    /// then says why.
    /// </summary>
    Auto,

    /// <summary>epoll(7).</summary>
    Epoll,

    /// <summary>io_uring(7); Linux 6.1.</summary>
    IoUring,
}

/// <summary>How a loop behaves. Read once, when the loop is made.</summary>
public sealed class LoopOptions
{
    /// <summary>The name in statistics and thread names. Defaults to "loop".</summary>
    public string Name { get; set; } = "loop";

    /// <summary>The kernel the loop runs on. Defaults to the one of this process.</summary>
    public Kernel Kernel { get; set; } = Kernel.Linux;

    /// <summary>The way of waiting. Defaults to <see cref="DriverKind.Auto"/>.</summary>
    public DriverKind Driver { get; set; } = DriverKind.Auto;

    /// <summary>
    /// How many buffers an io_uring loop receives into, a power of two up to 32768; all its connections share them. When none is left, connections
    /// read by calls until there are some again. Memory is used only for those that were ever needed. Defaults to 512.
    /// </summary>
    public int ReceiveBufferCount { get; set; } = 512;

    /// <summary>
    /// Bytes of each of these buffers, from 64 to 16 Mi: the most that one receive brings. Defaults to 64 KiB; of a buffer, as of all, memory is
    /// used only for what was ever received.
    /// </summary>
    public int ReceiveBufferSize { get; set; } = 64 * 1024;

    /// <summary>
    /// From how many bytes on an io_uring loop has the kernel send a write of a TCP connection without copying it (IORING_OP_SEND_ZC); writes of
    /// 16 KiB and less are copied in any case. Such a write ends, and its memory is the caller's again, when the peer's TCP has acknowledged all of it; cancelled,
    /// or closed over, before that it resets the connection. What is pinned counts against RLIMIT_MEMLOCK; what may not be pinned is copied. An epoll loop ignores it.
    /// Defaults to <see cref="int.MaxValue"/>, never: it can pay on network cards only. On loopback the kernel copies all the same, and the notification is to
    /// be paid for too.
    /// </summary>
    public int ZeroCopyThreshold { get; set; } = int.MaxValue;

    /// <summary>
    /// How long a loop with nothing to do looks for work without sleeping. Saves the processor's own sleep and wake-up (some 20 us each
    /// way) at the price of a busy core. Defaults to zero.
    /// </summary>
    public TimeSpan SpinBeforeSleep { get; set; }

    /// <summary>
    /// How late a timer may be so that it shares a wake-up with its neighbours; never early. Defaults to 50 us, as Linux's own timer slack.
    /// </summary>
    public TimeSpan TimerSlack { get; set; } = TimeSpan.FromMicroseconds(50);

    /// <summary>
    /// How many operations a task may complete in one go without waiting before it gives way. Defaults to 32: of waits, reads and writes about ten each.
    /// </summary>
    public int TaskOperationBudget { get; set; } = 32;

    /// <summary>How many bytes a task may move in one go without waiting before it gives way. Defaults to 512 KiB.</summary>
    public int TaskByteBudget { get; set; } = 512 * 1024;

    /// <summary>
    /// Called on the loop's thread with an exception that nobody can observe: from an async void method or a posted delegate. True: handled,
    /// the loop goes on. Null or false: the loop stops and <see cref="EventLoop.Run(Func{Task}, LoopOptions?)"/> throws it. Defaults to null.
    /// </summary>
    public Func<Exception, bool>? UnhandledException { get; set; }

    /// <summary>
    /// How long a loop whose main task has ended waits for the other tasks after it cancelled <see cref="EventLoop.Stopping"/>. Defaults to
    /// five seconds; then their waits end with <see cref="ObjectDisposedException"/> and what is left is abandoned.
    /// </summary>
    public TimeSpan StopTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Hooks around turns, waits and tasks. Defaults to none.</summary>
    public IList<LoopInstrument> Instruments { get; } = [];

    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Kernel);
        ArgumentOutOfRangeException.ThrowIfLessThan(SpinBeforeSleep, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(TimerSlack, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(TaskOperationBudget, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(TaskByteBudget, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(StopTimeout, TimeSpan.Zero);
        if (ReceiveBufferCount is < 1 or > 32768 || !System.Numerics.BitOperations.IsPow2(ReceiveBufferCount))
            throw new ArgumentOutOfRangeException(nameof(ReceiveBufferCount), ReceiveBufferCount, "A power of two from 1 to 32768.");
        ArgumentOutOfRangeException.ThrowIfLessThan(ReceiveBufferSize, 64);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(ReceiveBufferSize, 1 << 24);
        ArgumentOutOfRangeException.ThrowIfLessThan(ZeroCopyThreshold, 1);
        if (!Enum.IsDefined(Driver))
            throw new ArgumentOutOfRangeException(nameof(Driver), Driver, "No such driver.");
    }
}
