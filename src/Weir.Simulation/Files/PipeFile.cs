namespace Weir.Simulation;

/// <summary>An end of a pipe, or a FIFO opened for reading, for writing or for both: pipefifo_fops of fs/pipe.c.</summary>
internal sealed class PipeFile : SimFile
{
    private readonly Pipe _pipe;
    private readonly FifoNode? _node;
    private readonly bool _reads;
    private readonly bool _writes;

    /// <param name="world">The simulation.</param>
    /// <param name="pipe">What it is an end of; the opener has counted it in.</param>
    /// <param name="flags">How it is opened.</param>
    /// <param name="node">The name in the file system, null for a pipe.</param>
    internal PipeFile(World world, Pipe pipe, FileFlags flags, FifoNode? node)
        : base(world, flags)
    {
        _pipe = pipe;
        _node = node;
        _reads = SimKernel.IsReadable(this);
        _writes = SimKernel.IsWritable(this);
    }

    internal override string Kind => (_node == null ? "pipe" : "fifo") + (_reads && _writes ? "" : _reads ? "[read]" : "[write]");

    internal override bool IsStream => (Flags & OpenFlags.Direct) == 0;

    internal Pipe Pipe => _pipe;

    /// <summary>f_pipe: how often the FIFO had been opened for writing when it was opened without a writer. No HUP until there was one.</summary>
    internal int OpenedAtWriter { get; init; }

    internal override WaitQueue WaitQueue => _reads ? _pipe.ReadQueue : _pipe.WriteQueue;

    internal override WaitQueue? SecondWaitQueue => _reads && _writes ? _pipe.WriteQueue : null;

    /// <summary>Makes both ends.</summary>
    internal static (PipeFile Read, PipeFile Write) MakePair(World world, FileFlags flags)
    {
        var pipe = new Pipe(world) { Readers = 1, Writers = 1, Files = 2 };
        return (
            new PipeFile(world, pipe, FileFlags.ReadOnly | (flags & FileFlags.NonBlock), null),
            new PipeFile(world, pipe, FileFlags.WriteOnly | (flags & (FileFlags.NonBlock | OpenFlags.Direct)), null));
    }

    // pipe_poll
    internal override EpollEvents Poll()
    {
        _pipe.IsPolled = true;
        return Readiness;
    }

    internal override EpollEvents Readiness
    {
        get
        {
            EpollEvents mask = EpollEvents.None;
            if (_reads)
            {
                if (!_pipe.IsEmpty)
                    mask |= EpollEvents.In | EpollEvents.RdNorm;
                if (_pipe.Writers == 0 && OpenedAtWriter != _pipe.WriterCounter)
                    mask |= EpollEvents.Hup;
            }

            if (_writes)
            {
                if (!_pipe.IsFull)
                    mask |= EpollEvents.Out | EpollEvents.WrNorm;
                if (_pipe.Readers == 0)
                    mask |= EpollEvents.Err;
            }

            return mask;
        }
    }

    internal override nint Read(SimThread thread, ref UserBuffer buffer) => _pipe.Read(thread, !IsNonBlocking, ref buffer);

    internal override nint Write(SimThread thread, ref UserBuffer buffer)
        => _pipe.Write(thread, !IsNonBlocking, (Flags & OpenFlags.Direct) != 0, ref buffer);

    internal override unsafe int Ioctl(uint request, void* argument) => request == FileRead ? PutInt(argument, _pipe.Count) : -(int)Errno.ENOTTY;

    internal override int Fcntl(FcntlCommand command, nint argument) => command switch
    {
        FcntlCommand.GetPipeSize => _pipe.Size,
        FcntlCommand.SetPipeSize => _pipe.Resize(argument),
        _ => base.Fcntl(command, argument),
    };

    // pipe_release
    protected override void Release()
    {
        if (_reads)
            _pipe.Readers--;
        if (_writes)
            _pipe.Writers--;
        _pipe.Files--;
        // The last of one side, but not of the other.
        if (_pipe.Readers == 0 != (_pipe.Writers == 0))
        {
            _pipe.ReadQueue.Wake(EpollEvents.None, 0);
            _pipe.WriteQueue.Wake(EpollEvents.None, 0);
        }

        FreeIfUnused(_pipe, _node);
    }

    /// <summary>put_pipe_info: nobody has it open any more, so nobody gets at what is in it.</summary>
    internal static void FreeIfUnused(Pipe pipe, FifoNode? node)
    {
        if (pipe.Files > 0)
            return;
        pipe.Free();
        if (node != null)
            node.Pipe = null;
    }
}
