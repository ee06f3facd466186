namespace Weir.Simulation;

/// <summary>Which class is behind which operation.</summary>
internal static class RingOperations
{
    /// <summary>IORING_OP_LAST - 1 of Linux 6.18 (IORING_OP_PIPE).</summary>
    internal const int Last = 62;

    private static readonly Func<RingRequest>?[] Makers = MakeTable();

    private static Func<RingRequest>?[] MakeTable()
    {
        var table = new Func<RingRequest>?[Last + 1];
        table[(int)IoUringOp.Nop] = () => new NopRequest();
        table[(int)IoUringOp.Read] = () => new ReadRequest(isVectored: false);
        table[(int)IoUringOp.ReadV] = () => new ReadRequest(isVectored: true);
        table[(int)IoUringOp.Write] = () => new WriteRequest(isVectored: false);
        table[(int)IoUringOp.WriteV] = () => new WriteRequest(isVectored: true);
        table[(int)IoUringOp.FSync] = () => new FSyncRequest();
        table[(int)IoUringOp.FAllocate] = () => new FAllocateRequest();
        table[(int)IoUringOp.FTruncate] = () => new FTruncateRequest();
        table[(int)IoUringOp.StatX] = () => new StatXRequestEntry();
        table[(int)IoUringOp.OpenAt] = () => new OpenAtRequest();
        table[(int)IoUringOp.Close] = () => new CloseRequest();
        table[(int)IoUringOp.PollAdd] = () => new PollAddRequest();
        table[(int)IoUringOp.PollRemove] = () => new PollRemoveRequest();
        table[(int)IoUringOp.Send] = () => new SendRequest();
        table[(int)IoUringOp.Receive] = () => new ReceiveRequest();
        table[(int)IoUringOp.SendMessage] = () => new SendMessageRequest();
        table[(int)IoUringOp.ReceiveMessage] = () => new ReceiveMessageRequest();
        table[(int)IoUringOp.SendZeroCopy] = () => new SendZeroCopyRequest();
        table[(int)IoUringOp.Accept] = () => new AcceptRequest();
        table[(int)IoUringOp.Connect] = () => new ConnectRequest();
        table[(int)IoUringOp.Shutdown] = () => new ShutdownRequest();
        table[(int)IoUringOp.EpollCtl] = () => new EpollCtlRequest();
        table[(int)IoUringOp.AsyncCancel] = () => new AsyncCancelRequest();
        table[(int)IoUringOp.Timeout] = () => new TimeoutRequest();
        table[(int)IoUringOp.TimeoutRemove] = () => new TimeoutRemoveRequest();
        table[(int)IoUringOp.LinkTimeout] = () => new LinkTimeoutRequest();
        table[(int)IoUringOp.MessageRing] = () => new MessageRingRequest();
        return table;
    }

    internal static bool IsEmulated(int op) => op is >= 0 and <= Last && Makers[op] != null;

    /// <summary>A request of this kind. Null: Linux knows no such operation.</summary>
    /// <exception cref="NotSupportedException">Linux does.</exception>
    internal static RingRequest? Make(IoUringOp op)
        => (int)op > Last ? null : Makers[(int)op]?.Invoke() ?? throw new NotSupportedException($"not emulated: io_uring operation {(int)op} ({op})");
}

/// <summary>IORING_OP_NOP. With a flag it gives the result that it was given.</summary>
internal sealed class NopRequest : RingRequest
{
    private int _result;

    internal override bool NeedsFile => false;

    internal override int Prepare(in Submission entry)
    {
        const uint InjectResult = 1;
        if ((entry.OperationFlags & ~InjectResult) != 0)
            return -(int)Errno.EINVAL;
        _result = (entry.OperationFlags & InjectResult) != 0 ? (int)entry.Length : 0;
        return 0;
    }

    internal override Issue Try(bool polled) => Completed(_result);
}

/// <summary>An operation that there is none of: it completes with EINVAL.</summary>
internal sealed class UnknownRequest : RingRequest
{
    internal override bool NeedsFile => false;

    internal override int Prepare(in Submission entry) => -(int)Errno.EINVAL;

    internal override Issue Try(bool polled) => Failed(Errno.EINVAL);
}
