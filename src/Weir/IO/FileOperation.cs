using System.Buffers;
using System.Runtime.InteropServices;

namespace Weir;

/// <summary>One operation of an <see cref="AsyncFile"/>, or one that makes one. A file keeps those that its loop's thread used for the next.</summary>
internal sealed unsafe class FileOperation : RingOperation
{
    /// <summary>As many buffers as one call takes (UIO_MAXIOV).</summary>
    internal const int MostBuffers = 1024;

    private readonly EventLoop _loop;
    private RingOperations? _performer;
    private ReadOnlyMemory<byte> _buffer;
    private MemoryHandle _pin;
    private IReadOnlyList<Memory<byte>>? _into;
    private IReadOnlyList<ReadOnlyMemory<byte>>? _from;
    private MemoryHandle[] _pins = [];
    private IoVector[] _vectors = []; // on the pinned heap
    private int _pinCount;
    private byte[]? _path; // on the pinned heap
    private StatXResult[]? _status; // on the pinned heap
    private string? _name; // of the file to open or to look at
    private long _left; // bytes that a write has still to move
    private bool _isStarted;
    private bool _isCancelled;
    private bool _isCounted;
    private Exception? _failure; // of the caller's own memory

    internal FileOperation(EventLoop loop, AsyncFile? file)
        : base(loop.Queue)
    {
        _loop = loop;
        File = file;
    }

    /// <summary>The file it is of. Of an open that has succeeded: the one it has made.</summary>
    internal AsyncFile? File { get; private set; }

    internal IoUringOp Op => Entry.Op;

    internal ref readonly StatXResult Found => ref _status![0];

    /// <summary>Begins a new use.</summary>
    internal FileOperation Prepare(IoUringOp op)
    {
        Begin();
        Entry = default;
        Entry.Op = op;
        _isStarted = _isCancelled = false;
        return this;
    }

    internal FileOperation PrepareTransfer(IoUringOp op, ReadOnlyMemory<byte> buffer, long offset)
    {
        Prepare(op);
        Entry.Offset = (ulong)offset;
        _buffer = buffer;
        _left = buffer.Length;
        return this;
    }

    internal FileOperation PrepareVectors(IReadOnlyList<Memory<byte>>? into, IReadOnlyList<ReadOnlyMemory<byte>>? from, long offset)
    {
        Prepare(into != null ? IoUringOp.ReadV : IoUringOp.WriteV);
        Entry.Offset = (ulong)offset;
        _into = into;
        _from = from;
        return this;
    }

    internal FileOperation PrepareOpen(string path, FileFlags flags, UnixFileMode mode)
    {
        Prepare(IoUringOp.OpenAt);
        SetPath(path);
        Entry.Descriptor = StatXRequest.WorkingDirectory;
        Entry.Length = (uint)mode;
        Entry.OperationFlags = (uint)flags;
        return this;
    }

    /// <summary>Looks at the file at a path, or with null at the file itself.</summary>
    internal FileOperation PrepareStatus(string? path, bool followLinks)
    {
        Prepare(IoUringOp.StatX);
        _status ??= GC.AllocateArray<StatXResult>(1, pinned: true);
        SetPath(path ?? "");
        Entry.Descriptor = StatXRequest.WorkingDirectory;
        Entry.Length = (uint)(StatXMask.BasicStats | StatXMask.BirthTime);
        Entry.OperationFlags = (uint)(path == null ? StatXFlags.EmptyPath : followLinks ? StatXFlags.None : StatXFlags.NoFollow);
        Entry.Offset = (ulong)Marshal.UnsafeAddrOfPinnedArrayElement(_status, 0);
        return this;
    }

    private void SetPath(string path)
    {
        _name = path;
        _path = GC.AllocateUninitializedArray<byte>(PathText.ByteCount(path) + 1, pinned: true);
        PathText.Write(path, _path);
        Entry.Address = (ulong)Marshal.UnsafeAddrOfPinnedArrayElement(_path, 0);
    }

    /// <summary>Starts it, or has it carried over to its loop. False: the loop has stopped.</summary>
    internal bool Start()
    {
        if (!Queue.IsCurrent)
            return StartFromElsewhere();
        Park();
        Launch();
        return true;
    }

    protected override bool TryFinish()
    {
        // Carried over from another thread: this is its start. It may complete at once, by an entry of its own.
        if (!_isStarted)
            Launch();
        return false;
    }

    private void Launch()
    {
        _isStarted = true;
        if (File != null)
        {
            int error = Op == IoUringOp.Close ? File.BeginClose(this) : File.Enter(out Entry.Descriptor);
            if (error < 0)
                End(error);
            if (error != 0)
                return; // refused, or a close that waits for the others
            _isCounted = Op != IoUringOp.Close;
        }

        try
        {
            PinBuffers();
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            // A list or a memory manager of the caller's own.
            _failure = exception;
            End(-(int)Errno.EFAULT);
            return;
        }

        Submit();
    }

    /// <summary>A close goes on when the last of the others has completed.</summary>
    internal void Submit()
    {
        _performer = _loop.OperationsFor(Op);
        if (Op == IoUringOp.Close)
            File!.GiveUpPlace();
        // What opens and closes goes by number, and so does statx: the kernel knows these no other way.
        Place = Op is IoUringOp.OpenAt or IoUringOp.StatX or IoUringOp.Close ? -1 : File!.PlaceIn(_performer);
        _performer.Start(this);
    }

    private void PinBuffers()
    {
        if (Op is IoUringOp.Read or IoUringOp.Write)
        {
            _pin = _buffer.Pin();
            Entry.Address = (ulong)_pin.Pointer;
            Entry.Length = (uint)_buffer.Length;
        }
        else if (_into != null || _from != null)
        {
            int count = _into?.Count ?? _from!.Count;
            if (_pins.Length < count)
            {
                _pins = new MemoryHandle[count];
                _vectors = GC.AllocateArray<IoVector>(count, pinned: true);
            }

            _left = 0;
            for (_pinCount = 0; _pinCount < count; _pinCount++)
            {
                ReadOnlyMemory<byte> buffer = _into != null ? _into[_pinCount] : _from![_pinCount];
                _pins[_pinCount] = buffer.Pin();
                _vectors[_pinCount] = new IoVector { Base = _pins[_pinCount].Pointer, Length = (nuint)buffer.Length };
                _left += buffer.Length;
            }

            Entry.Address = count == 0 ? 0 : (ulong)Marshal.UnsafeAddrOfPinnedArrayElement(_vectors, 0);
            Entry.Length = (uint)count;
        }
    }

    internal override void Completed(int result)
    {
        switch (Op)
        {
            case IoUringOp.Write or IoUringOp.WriteV when result > 0 && result < _left && !_isCancelled:
                // A full disk, a signal or the limit of one call: what is left says which.
                Advance(result);
                _performer!.Start(this);
                return;
            case IoUringOp.Write or IoUringOp.WriteV when result > 0 && result < _left:
                result = -(int)Errno.ECANCELED;
                break;
            case IoUringOp.Write or IoUringOp.WriteV when result == 0 && _left > 0:
                result = -(int)Errno.EIO; // write(2) does not say 0 of a file; if it did, this would go on for ever
                break;
            case IoUringOp.OpenAt when result >= 0:
                File = new AsyncFile(_loop, result, _name!, (FileFlags)Entry.OperationFlags);
                break;
            case IoUringOp.Close:
                result = result == -(int)Errno.ECANCELED ? File!.CloseNow() : File!.Closed(result);
                break;
        }

        if (result is -(int)Errno.ECANCELED or -(int)Errno.EINTR)
            result = -(int)(_isCancelled ? Errno.ECANCELED : IoDriver.Closed); // nobody else cancels but the loop at its end
        End(result);
    }

    internal override void Refused(int error)
    {
        if (Op == IoUringOp.Close)
            End(File!.CloseNow());
        else
            End(error);
    }

    private void Advance(int count)
    {
        _left -= count;
        Entry.Offset += (uint)count;
        if (Op == IoUringOp.Write)
        {
            Entry.Address += (uint)count;
            Entry.Length -= (uint)count;
            return;
        }

        var vectors = (IoVector*)Entry.Address;
        nuint taken = (nuint)count;
        for (; taken >= vectors->Length; vectors++, Entry.Length--)
            taken -= vectors->Length;
        vectors->Base = (byte*)vectors->Base + taken;
        vectors->Length -= taken;
        Entry.Address = (ulong)vectors;
    }

    protected override void CancelOnLoop()
    {
        if (HasResult || _isCancelled || Op == IoUringOp.Close)
            return;
        _isCancelled = true;
        if (_isStarted)
            _performer?.Cancel(this);
        else
            End(-(int)Errno.ECANCELED);
    }

    protected override void Finishing()
    {
        try
        {
            Unpin();
        }
        finally
        {
            if (_isCounted)
            {
                _isCounted = false;
                File!.Leave();
            }
        }
    }

    private void Unpin()
    {
        (_buffer, _into, _from, _path) = (default, null, null, null);
        _pin.Dispose();
        _pin = default;
        while (_pinCount > 0)
            _pins[--_pinCount].Dispose();
    }

    protected override void Released()
    {
        if (Queue.IsCurrent && Op != IoUringOp.OpenAt)
            File?.Return(this);
    }

    protected override Exception ToException(int result, CancellationToken cancellation)
    {
        Errno errno = (Errno)(-result);
        if (_failure is { } failure)
        {
            _failure = null;
            return failure;
        }

        return errno switch
        {
            Errno.ECANCELED => new OperationCanceledException(cancellation),
            IoDriver.Closed => new ObjectDisposedException(nameof(AsyncFile), "The file was closed, or its loop has stopped."),
            _ => new KernelException(CallName(), Op is IoUringOp.OpenAt || _name is { Length: > 0 } ? -1 : Entry.Descriptor, errno),
        };
    }

    private string CallName()
    {
        string name = Op switch
        {
            IoUringOp.Read => "pread",
            IoUringOp.ReadV => "preadv",
            IoUringOp.Write => "pwrite",
            IoUringOp.WriteV => "pwritev",
            IoUringOp.FSync => Entry.OperationFlags == 0 ? "fsync" : "fdatasync",
            IoUringOp.FAllocate => "fallocate",
            IoUringOp.FTruncate => "ftruncate",
            IoUringOp.StatX => _name is { Length: > 0 } ? $"statx({_name})" : "statx",
            IoUringOp.OpenAt => $"open({_name})",
            _ => "close",
        };
        return File is { IsDirect: true } ? name + "(O_DIRECT)" : name;
    }
}
