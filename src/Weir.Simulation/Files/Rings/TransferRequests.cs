namespace Weir.Simulation;

/// <summary>What reads and writes have in common: io_uring/rw.c. On regular files they are done at once or by a worker, as the strategy chooses.</summary>
internal abstract unsafe class TransferRequest(bool isVectored) : RingRequest
{
    private const long FilePosition = -1;

    private ulong _address;
    private uint _length;
    private IoVector[] _vectors = [];

    internal override bool UsesPriority => true;

    /// <summary>Where in the file; negative: at its own position.</summary>
    protected long Position { get; private set; }

    protected IoVector[] Vectors => _vectors;

    protected ushort Group { get; private set; }

    protected uint Length => _length;

    protected abstract BufferUse Use { get; }

    internal override int Prepare(in Submission entry)
    {
        if (entry.Priority != 0)
            return -(int)Errno.EINVAL;
        if (entry.OperationFlags != 0)
            throw new NotSupportedException($"not emulated: RWF flags {entry.OperationFlags:x} of a ring's read or write");
        if (entry.AttributeTypes != 0)
            throw new NotSupportedException($"not emulated: attributes {entry.AttributeTypes:x} of a ring's read or write");
        Position = (long)entry.Offset;
        Group = entry.BufferGroup;
        _address = entry.Address;
        _length = entry.Length;
        if (isVectored)
            return TryVectors(_address, _length, out _vectors);
        _vectors = [new IoVector { Base = (void*)_address, Length = _length }];
        return 0;
    }

    internal override void LendMemory()
    {
        foreach (IoVector vector in _vectors)
            Lend(vector.Base, vector.Length, Use);
    }

    protected abstract bool IsAllowed(SimFile file);

    /// <summary>Moves the bytes, without blocking.</summary>
    protected abstract nint Transfer(ref UserBuffer buffer);

    protected virtual bool TryBuffer(out IoVector[] vectors)
    {
        vectors = _vectors;
        return true;
    }

    protected virtual CompletionFlags TakeBuffer(nint count) => CompletionFlags.None;

    internal override Issue Try(bool polled)
    {
        if (!IsAllowed(File!))
            return Failed(Errno.EBADF);
        if (File is RegularFile && World.Faults.GoesToWorker(this))
            return Issue.Again;
        return TryNow();
    }

    internal override Issue TryBlocking() => IsAllowed(File!) ? TryNow() : Failed(Errno.EBADF);

    private Issue TryNow()
    {
        if (!TryBuffer(out IoVector[] vectors))
            return Failed(Errno.ENOBUFS);
        if (Position < FilePosition && File is RegularFile)
            return Failed(Errno.EINVAL);
        nint count;
        fixed (IoVector* first = vectors)
        {
            var buffer = new UserBuffer(first, vectors.Length);
            using (new NonBlockingScope(File!))
                count = World.Faults.MayTransfer(Thread, File!, reads: Use == BufferUse.KernelWrites) ? Transfer(ref buffer) : -(int)Errno.EAGAIN;
        }

        World.Faults.AfterRing(Thread, File!, count, reads: Use == BufferUse.KernelWrites);
        if (count == -(int)Errno.EAGAIN)
            return Issue.Again;
        return Completed(count, TakeBuffer(count));
    }
}

/// <summary>IORING_OP_READ and IORING_OP_READV.</summary>
internal sealed class ReadRequest(bool isVectored) : TransferRequest(isVectored)
{
    private readonly bool _isVectored = isVectored;
    private BufferGroup? _selected;
    private ushort _bufferId;

    internal override bool MaySelectBuffer => true;

    internal override EpollEvents WaitsFor => EpollEvents.In | EpollEvents.RdNorm;

    protected override BufferUse Use => BufferUse.KernelWrites;

    private bool SelectsBuffer => (Flags & SubmissionFlags.BufferSelect) != 0;

    internal override int Prepare(in Submission entry)
    {
        if (SelectsBuffer && _isVectored)
            throw new NotSupportedException("not emulated: IORING_OP_READV into buffers of a group");
        return base.Prepare(entry);
    }

    internal override void LendMemory()
    {
        if (!SelectsBuffer)
            base.LendMemory();
    }

    protected override bool IsAllowed(SimFile file) => SimKernel.IsReadable(file);

    protected override bool TryBuffer(out IoVector[] vectors)
    {
        if (!SelectsBuffer)
            return base.TryBuffer(out vectors);
        vectors = [];
        _selected = Ring.FindGroup(Group);
        if (_selected == null || !_selected.TrySelect(Length, out IoVector vector, out _bufferId))
            return false;
        vectors = [vector];
        return true;
    }

    protected override CompletionFlags TakeBuffer(nint count)
    {
        if (_selected is not { } group || count <= 0)
            return CompletionFlags.None;
        group.Commit();
        return CompletionFlags.Buffer | (CompletionFlags)((uint)_bufferId << 16);
    }

    protected override nint Transfer(ref UserBuffer buffer)
        => File is RegularFile file && Position >= 0 ? file.ReadAt(ref buffer, Position) : File!.Read(Thread, ref buffer);
}

/// <summary>IORING_OP_WRITE and IORING_OP_WRITEV.</summary>
internal sealed class WriteRequest(bool isVectored) : TransferRequest(isVectored)
{
    internal override EpollEvents WaitsFor => EpollEvents.Out | EpollEvents.WrNorm;

    protected override BufferUse Use => BufferUse.KernelReads;

    protected override bool IsAllowed(SimFile file) => SimKernel.IsWritable(file);

    protected override nint Transfer(ref UserBuffer buffer)
        => File is RegularFile file && Position >= 0 ? file.WriteAt(ref buffer, Position) : File!.Write(Thread, ref buffer);
}
