namespace Weir;

/// <summary>
/// A counter that any thread adds to and the loop waits on: eventfd(2). Signals are never lost, though many may arrive as one event: the
/// wait returns their sum, or takes one at a time in semaphore mode.
/// </summary>
public sealed class EventSignal : IDisposable
{
    private readonly Source _source;

    /// <summary>A signal on the current loop.</summary>
    /// <param name="initialCount">Signals that are there from the start.</param>
    /// <param name="semaphore">Each wait takes one signal instead of all.</param>
    /// <exception cref="KernelException">No descriptors left.</exception>
    public EventSignal(uint initialCount = 0, bool semaphore = false)
    {
        EventLoop loop = EventLoop.Required;
        EventFdFlags flags = EventFdFlags.NonBlock | EventFdFlags.CloseOnExec | (semaphore ? EventFdFlags.Semaphore : 0);
        int fd = KernelException.Check(loop.Kernel.EventFd(initialCount, flags), "eventfd");
        _source = new Source(loop, fd);
    }

    /// <summary>The descriptor, to be handed to code that signals by itself; -1 once disposed.</summary>
    public int FileDescriptor => _source.FileDescriptor;

    /// <summary>Adds to the counter. Any thread, one system call.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Zero or less.</exception>
    /// <exception cref="KernelException">EAGAIN: the counter would pass 2^64-2.</exception>
    public void Signal(long count = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        _source.Signal((ulong)count);
    }

    /// <summary>Waits until the counter is above zero and returns what it took from it. One waiter at a time, on the loop's thread.</summary>
    public ValueTask<long> WaitAsync(CancellationToken cancellationToken = default) => _source.WaitAsync(cancellationToken);

    /// <summary>Closes it; a wait ends with <see cref="ObjectDisposedException"/>. Any thread.</summary>
    public void Dispose() => _source.Dispose();

    private sealed class Source : CounterStream
    {
        private readonly Lock _closing = new();
        private bool _closed;

        internal Source(EventLoop loop, int fd)
            : base(loop, fd)
        {
            loop.DisposeAtEnd(this);
        }

        public override bool CanWrite => true;

        internal unsafe void Signal(ulong count)
        {
            // The lock keeps the number from being closed, and perhaps reused, between the look at it and the write.
            using (Marks.Enter(Mark.SignalLock, _closing))
            {
                ObjectDisposedException.ThrowIf(_closed, typeof(EventSignal));
                int fd = FileDescriptor;
                nint result = Kernel.Write(fd, &count, sizeof(ulong));
                if (result < 0)
                    throw new KernelException("write", fd, (Errno)(-(int)result));
            }
        }

        protected override void Dispose(bool disposing)
        {
            using (Marks.Enter(Mark.SignalLock, _closing))
                _closed = true;
            base.Dispose(disposing);
        }

        private protected override void CloseOnLoop()
        {
            base.CloseOnLoop();
            Loop.ForgetAtEnd(this);
        }
    }
}
