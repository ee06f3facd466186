namespace Weir;

/// <summary>
/// A terminal on a loop: standard input or output where that is one, or either side of a pseudo-terminal. A stream in both directions, with raw mode
/// and the size of the window.
/// </summary>
/// <remarks>
/// <para>For its loop's thread. One reader and one writer at a time.</para>
/// <para>O_NONBLOCK belongs to the open file description, which a shell shares with the programs it starts: set there, it would surprise them. So the
/// terminal is opened anew, through /proc/self/fd, and that description is this object's own. Where it cannot be (another user's terminal after su, a
/// pseudo-terminal's master, no /proc), the descriptor is used as it is, and a look precedes each call; then a read that another program
/// wins blocks the loop until the next input.</para>
/// </remarks>
public sealed unsafe class Terminal : Stream
{
    // asm-generic/ioctls.h, which x64 and arm64 share.
    private const uint GetAttributes = 0x5401, SetAttributes = 0x5402, GetWindowSize = 0x5413, SetWindowSize = 0x5414;

    private const FileFlags NoControllingTerminal = (FileFlags)0x100; // O_NOCTTY
    private const int MostWrittenAtOnce = 4096; // of a descriptor that blocks

    private readonly EventLoop _loop;
    private readonly FdWatcher _watcher;
    private readonly int _fd;
    private readonly bool _isOwn;
    private TerminalAttributes _before;
    private bool _isRaw;
    private bool _disposed;

    private Terminal(EventLoop loop, int fd, bool isOwn)
    {
        _loop = loop;
        _fd = fd;
        _isOwn = isOwn;
        _watcher = new FdWatcher(fd, isOwn ? FdOwnership.Owned : FdOwnership.Borrowed, EpollEvents.In | EpollEvents.Out);
        loop.DisposeAtEnd(this); // the mode goes with the loop
    }

    /// <summary>Whether a descriptor is a terminal: isatty(3).</summary>
    public static bool IsTerminal(int fileDescriptor)
    {
        TerminalAttributes attributes;
        return (EventLoop.Current?.Kernel ?? Kernel.Linux).Ioctl(fileDescriptor, GetAttributes, &attributes) == 0;
    }

    /// <summary>
    /// A terminal on the current loop. The descriptor stays the caller's: dispose this first, then close it.
    /// </summary>
    /// <param name="fileDescriptor">0 for the standard input, 1 for the output, or any other that is a terminal.</param>
    /// <exception cref="KernelException">ENOTTY: it is no terminal; use a stream for files, and the loop's pipes for pipes.</exception>
    public static Terminal FromDescriptor(int fileDescriptor)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(fileDescriptor);
        EventLoop loop = EventLoop.Required;
        TerminalAttributes attributes;
        KernelException.Check(loop.Kernel.Ioctl(fileDescriptor, GetAttributes, &attributes), "ioctl(TCGETS)", fileDescriptor);
        int own = OpenAnew(loop.Kernel, fileDescriptor);
        if (own < 0)
            return new Terminal(loop, fileDescriptor, isOwn: false);
        try
        {
            return new Terminal(loop, own, isOwn: true);
        }
        catch
        {
            loop.Kernel.Close(own);
            throw;
        }
    }

    // A master opened anew would be the master of another, new terminal.
    private static int OpenAnew(Kernel kernel, int fd)
    {
        const uint GetMasterNumber = 0x80045430; // TIOCGPTN, which only a master answers
        int number;
        if (kernel.Ioctl(fd, GetMasterNumber, &number) == 0)
            return -1;
        int flags = kernel.Fcntl(fd, FcntlCommand.GetStatusFlags, 0);
        if (flags < 0)
            return flags;
        fixed (byte* path = PathText.Encode($"/proc/self/fd/{fd}", terminated: true))
            return kernel.Open(path, (FileFlags)(flags & 3) | FileFlags.NonBlock | FileFlags.CloseOnExec | NoControllingTerminal, 0);
    }

    /// <summary>The descriptor it works with: its own, or the caller's.</summary>
    public int FileDescriptor => _fd;

    /// <summary>Whether it has an open file description of its own, so that no call can block the loop.</summary>
    public bool HasOwnDescription => _isOwn;

    /// <summary>Rows and columns of characters. ioctl(TIOCGWINSZ). Changes are told by SIGWINCH, which <see cref="LoopSignals"/> takes.</summary>
    public (int Rows, int Columns) WindowSize
    {
        get
        {
            ushort* size = stackalloc ushort[4]; // struct winsize: rows, columns, and two that nobody fills in
            Control(GetWindowSize, size, "ioctl(TIOCGWINSZ)");
            return (size[0], size[1]);
        }

        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value.Rows, nameof(value));
            ArgumentOutOfRangeException.ThrowIfNegative(value.Columns, nameof(value));
            ushort* size = stackalloc ushort[4] { checked((ushort)value.Rows), checked((ushort)value.Columns), 0, 0 };
            Control(SetWindowSize, size, "ioctl(TIOCSWINSZ)");
        }
    }

    /// <summary>
    /// Input as it is typed, without echo, without lines, without signals; output as it is written: cfmakeraw(3). <see cref="LeaveRawMode"/> and Dispose
    /// put back what was there. A process that is killed leaves the terminal raw; `reset` helps.
    /// </summary>
    public void EnterRawMode()
    {
        if (_isRaw)
            return;
        TerminalAttributes attributes;
        Control(GetAttributes, &attributes, "ioctl(TCGETS)");
        _before = attributes;
        attributes.MakeRaw();
        Control(SetAttributes, &attributes, "ioctl(TCSETS)");
        _isRaw = true;
    }

    /// <summary>Puts back the mode that was there before <see cref="EnterRawMode"/>.</summary>
    public void LeaveRawMode()
    {
        if (!_isRaw)
            return;
        TerminalAttributes attributes = _before;
        Control(SetAttributes, &attributes, "ioctl(TCSETS)");
        _isRaw = false;
    }

    private void Control(uint request, void* argument, string call)
    {
        RequireOpen();
        KernelException.Check(_loop.Kernel.Ioctl(_fd, request, argument), call, _fd);
    }

    /// <summary>Reads what is there: a line, or in raw mode whatever was typed. 0: the end (Ctrl+D), or the other side is gone.</summary>
    /// <exception cref="KernelException">EIO: this process runs in the background and may not read.</exception>
    /// <exception cref="BusyResourceException">Someone else is reading.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed, before or meanwhile.</exception>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        RequireOpen();
        return buffer.IsEmpty ? new ValueTask<int>(0) : TerminalTransfer.Read(this, buffer, cancellationToken);
    }

    /// <summary>Writes the whole buffer.</summary>
    /// <exception cref="KernelException">EIO: the other side is gone.</exception>
    /// <exception cref="BusyResourceException">Someone else is writing.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed, before or meanwhile.</exception>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        RequireOpen();
        return TerminalTransfer.Write(this, buffer, cancellationToken);
    }

    internal FdWatcher Watcher => _watcher;

    // -EAGAIN: not now.
    internal nint TryRead(Span<byte> buffer)
    {
        RequireOpen();
        if (!_isOwn && !IsReady(EpollEvents.In))
            return -(int)Errno.EAGAIN;
        nint count;
        fixed (byte* bytes = buffer)
            count = _loop.Kernel.Read(_fd, bytes, (nuint)buffer.Length);
        // A side whose other is gone says so with HUP, and with EIO once all is read (pts(4), tty_ldisc.c).
        return count == -(int)Errno.EIO && IsReady(EpollEvents.None) ? 0 : count;
    }

    internal nint TryWrite(ReadOnlySpan<byte> buffer)
    {
        RequireOpen();
        if (!_isOwn && !IsReady(EpollEvents.Out))
            return -(int)Errno.EAGAIN;
        fixed (byte* bytes = buffer)
            return _loop.Kernel.Write(_fd, bytes, (nuint)(_isOwn ? buffer.Length : Math.Min(buffer.Length, MostWrittenAtOnce)));
    }

    // HUP and ERR are always looked for.
    private bool IsReady(EpollEvents events)
    {
        PollEntry entry = new() { Descriptor = _fd, Events = (short)events };
        return _loop.Kernel.Poll(&entry, 1, 0) > 0;
    }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <summary>Not supported.</summary>
    public override long Length => throw new NotSupportedException("A terminal has no length.");

    /// <summary>Not supported.</summary>
    public override long Position
    {
        get => throw new NotSupportedException("A terminal has no position.");
        set => throw new NotSupportedException("A terminal has no position.");
    }

    /// <summary>Nothing is buffered here.</summary>
    public override void Flush()
    {
    }

    /// <summary>Nothing is buffered here.</summary>
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Not supported: it would stop the loop. Use ReadAsync.</summary>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("A synchronous read would stop the loop that has to complete it: use ReadAsync.");

    /// <summary>Not supported: it would stop the loop. Use WriteAsync.</summary>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("A synchronous write would stop the loop that has to complete it: use WriteAsync.");

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        ValidateBufferArguments(buffer, offset, count);
        return ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
    }

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        ValidateBufferArguments(buffer, offset, count);
        return WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
    }

    /// <summary>Not supported.</summary>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("A terminal cannot seek.");

    /// <summary>Not supported.</summary>
    public override void SetLength(long value) => throw new NotSupportedException("A terminal has no length.");

    /// <summary>
    /// Puts back the mode that was there, and lets go of the terminal; the caller's descriptor stays open. The loop does so at its end; after that any
    /// thread may call it.
    /// </summary>
    protected override void Dispose(bool disposing)
    {
        if (!_disposed && disposing && !_loop.HasEnded())
        {
            if (!_loop.IsCurrent)
                throw new InvalidOperationException("A terminal is disposed on the thread of its loop; post to the loop from elsewhere.");
            if (_isRaw)
            {
                TerminalAttributes attributes = _before;
                _loop.Kernel.Ioctl(_fd, SetAttributes, &attributes); // it may be gone
            }

            _disposed = true;
            _loop.ForgetAtEnd(this);
            _watcher.Dispose();
        }

        base.Dispose(disposing);
    }

    private void RequireOpen()
    {
        if (!_loop.IsCurrent)
            throw new InvalidOperationException("A terminal is used on the thread of its loop; post to the loop from elsewhere.");
        ObjectDisposedException.ThrowIf(_disposed, this);
    }
}
