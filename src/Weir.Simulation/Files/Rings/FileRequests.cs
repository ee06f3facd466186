using System.Runtime.CompilerServices;

namespace Weir.Simulation;

/// <summary>IORING_OP_FSYNC, which a worker does. What is written here is on the disk at once.</summary>
internal sealed class FSyncRequest : RingRequest
{
    internal override bool IsForWorkers => true;

    internal override int Prepare(in Submission entry)
    {
        const uint DataOnly = 1; // IORING_FSYNC_DATASYNC
        return entry.Address != 0 || entry.BufferGroup != 0 || entry.FileIndex != 0 || (entry.OperationFlags & ~DataOnly) != 0 ? -(int)Errno.EINVAL : 0;
    }

    internal override Issue Try(bool polled) => Completed(File is RegularFile or DirectoryFile ? 0 : -(int)Errno.EINVAL);
}

/// <summary>IORING_OP_FALLOCATE, which a worker does.</summary>
internal sealed class FAllocateRequest : RingRequest
{
    private FileAllocation _mode;
    private long _offset;
    private long _length;

    internal override bool IsForWorkers => true;

    internal override int Prepare(in Submission entry)
    {
        if (entry.BufferGroup != 0 || entry.OperationFlags != 0 || entry.FileIndex != 0)
            return -(int)Errno.EINVAL;
        (_mode, _offset, _length) = ((FileAllocation)entry.Length, (long)entry.Offset, (long)entry.Address);
        return 0;
    }

    internal override Issue Try(bool polled) => Completed(Process.AllocateNow(File!, _mode, _offset, _length));
}

/// <summary>IORING_OP_FTRUNCATE, which a worker does.</summary>
internal sealed class FTruncateRequest : RingRequest
{
    private long _length;

    internal override bool IsForWorkers => true;

    internal override int Prepare(in Submission entry)
    {
        if (entry.OperationFlags != 0 || entry.Address != 0 || entry.Length != 0 || entry.BufferGroup != 0 || entry.FileIndex != 0 || entry.Address3 != 0)
            return -(int)Errno.EINVAL;
        _length = (long)entry.Offset;
        return 0;
    }

    internal override Issue Try(bool polled) => Completed(Process.TruncateNow(File!, _length));
}

/// <summary>IORING_OP_STATX, which a worker does.</summary>
internal sealed unsafe class StatXRequestEntry : RingRequest
{
    private byte[] _path = [];
    private StatXFlags _flags;
    private StatXMask _mask;
    private StatXResult* _result;

    internal override bool NeedsFile => false;

    internal override bool IsForWorkers => true;

    internal override int Prepare(in Submission entry)
    {
        if (entry.BufferGroup != 0 || entry.FileIndex != 0)
            return -(int)Errno.EINVAL;
        if ((Flags & SubmissionFlags.FixedFile) != 0)
            return -(int)Errno.EBADF;
        _flags = (StatXFlags)entry.OperationFlags;
        _mask = (StatXMask)entry.Length;
        _result = (StatXResult*)entry.Offset;
        return RingPath.TryCopy((byte*)entry.Address, out _path);
    }

    internal override void LendMemory() => Lend(_result, (nuint)sizeof(StatXResult), BufferUse.KernelWrites);

    internal override Issue Try(bool polled)
    {
        fixed (byte* path = _path)
            return Completed(Process.StatXNow(Thread, Descriptor, path, _flags, _mask, _result));
    }
}

/// <summary>IORING_OP_OPENAT: at once if the file is there, by a worker if it has to be made or cut off.</summary>
internal sealed unsafe class OpenAtRequest : RingRequest
{
    private byte[] _path = [];
    private FileFlags _flags;
    private int _mode;

    internal override bool NeedsFile => false;

    internal override bool IsForWorkers => (_flags & (FileFlags.Create | FileFlags.Truncate)) != 0;

    internal override int Prepare(in Submission entry)
    {
        if (entry.BufferGroup != 0)
            return -(int)Errno.EINVAL;
        if ((Flags & SubmissionFlags.FixedFile) != 0)
            return -(int)Errno.EBADF;
        if (entry.FileIndex != 0)
            throw new NotSupportedException("not emulated: openat into a table of registered files");
        _flags = (FileFlags)entry.OperationFlags;
        _mode = (int)entry.Length;
        return RingPath.TryCopy((byte*)entry.Address, out _path);
    }

    internal override Issue Try(bool polled) => World.Faults.GoesToWorker(this) ? Issue.Again : TryBlocking();

    internal override Issue TryBlocking()
    {
        fixed (byte* path = _path)
            return Completed(Process.OpenNow(Thread, Descriptor, path, _flags, _mode));
    }
}

/// <summary>IORING_OP_CLOSE.</summary>
internal sealed class CloseRequest : RingRequest
{
    internal override bool NeedsFile => false;

    internal override int Prepare(in Submission entry)
    {
        if (entry.Offset != 0 || entry.Address != 0 || entry.Length != 0 || entry.OperationFlags != 0 || entry.BufferGroup != 0)
            return -(int)Errno.EINVAL;
        if ((Flags & SubmissionFlags.FixedFile) != 0)
            return -(int)Errno.EBADF;
        return entry.FileIndex != 0 ? throw new NotSupportedException("not emulated: close of a registered file") : 0;
    }

    // A ring is not closed from within one.
    internal override Issue Try(bool polled)
        => Process.Descriptors.Find(Descriptor) is RingFile ? Completed(-(int)Errno.EBADF) : Completed(Process.CloseNow(Descriptor));
}

/// <summary>IORING_OP_EPOLL_CTL.</summary>
internal sealed unsafe class EpollCtlRequest : RingRequest
{
    private EpollOp _op;
    private int _target;
    private Event _event;

    [InlineArray(16)]
    private struct Event
    {
        private byte _first;
    }

    internal override bool NeedsFile => false;

    internal override int Prepare(in Submission entry)
    {
        if (entry.BufferGroup != 0 || entry.FileIndex != 0)
            return -(int)Errno.EINVAL;
        (_op, _target) = ((EpollOp)(int)entry.Length, (int)entry.Offset);
        if (_op == EpollOp.Delete)
            return 0;
        var source = (byte*)entry.Address;
        if (!UserMemory.IsMapped(source, (nuint)EpollEventLayout.Size))
            return -(int)Errno.EFAULT;
        new ReadOnlySpan<byte>(source, EpollEventLayout.Size).CopyTo(_event);
        return 0;
    }

    internal override Issue Try(bool polled)
    {
        fixed (byte* first = (Span<byte>)_event)
            return Completed(Process.Control(Descriptor, _op, _target, first));
    }
}

/// <summary>Paths that a submission names: they are read then, whatever becomes of the program's memory.</summary>
internal static unsafe class RingPath
{
    internal static int TryCopy(byte* path, out byte[] copy)
    {
        copy = [0];
        if (!UserMemory.IsMapped(path, 1))
            return -(int)Errno.EFAULT;
        int length = 0;
        while (path[length] != 0)
            length++;
        copy = new ReadOnlySpan<byte>(path, length + 1).ToArray();
        return 0;
    }
}
