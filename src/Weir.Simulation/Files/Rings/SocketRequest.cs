namespace Weir.Simulation;

/// <summary>What operations on sockets have in common: io_uring/net.c.</summary>
internal abstract unsafe class SocketRequest : RingRequest
{
    private bool _pollsFirst;

    internal override bool UsesPriority => true;

    protected SimSocket? Socket => File as SimSocket;

    protected MessageFlags MessageFlags { get; set; }

    /// <summary>Bytes moved by earlier tries (done_io).</summary>
    protected nint Done { get; set; }

    protected void NotePriority(ushort priority, ushort pollFirst) => _pollsFirst = (priority & pollFirst) != 0;

    /// <summary>The file has been waited for once; else the submission may have asked for just that.</summary>
    protected bool MustPollFirst => _pollsFirst && !HasPolled;

    /// <summary>io_net_retry: a part is not enough, and the rest can follow.</summary>
    protected bool WantsRest => (MessageFlags & MessageFlags.WaitAll) != 0 && (Socket!.Type is SocketKind.Stream or SocketKind.SeqPacket);

    /// <summary>The result with what earlier tries have moved.</summary>
    protected nint Total(nint result) => result >= 0 ? result + Done : Done != 0 ? Done : result;

    internal override void OnFailure()
    {
        if (Done != 0)
            Result = (int)Done;
    }
}

/// <summary>Calls that may block for a file that says it may: here they never do.</summary>
internal readonly ref struct NonBlockingScope
{
    private readonly SimFile _file;
    private readonly FileFlags _before;

    internal NonBlockingScope(SimFile file)
    {
        _file = file;
        _before = file.Flags & FileFlags.NonBlock;
        file.Flags |= FileFlags.NonBlock;
    }

    public void Dispose() => _file.Flags = (_file.Flags & ~FileFlags.NonBlock) | _before;
}
