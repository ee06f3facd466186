using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>Operations over io_uring(7).</summary>
/// <remarks>
/// <para>Connections are received from by one multishot receive each, into buffers that the kernel picks from a common pool; a read copies
/// from there and gives the buffer back. What is written is copied into buffers of the loop and sent from them; large writes are sent from the
/// writer's own memory, and then the write completes with the kernel's last word, cancelled or not. Listeners have a multishot accept.
/// Everything else is watched by polls, and read and written by calls, as the epoll driver does it: never by a read submitted on an eventfd
/// or a timer.</para>
/// <para>Submissions are gathered and handed over by the call that waits: a turn costs one system call.</para>
/// </remarks>
internal sealed partial class UringDriver : ReadinessDriver
{
    private const uint Submissions = 1024;
    private const uint Completions = 8192;

    private readonly Ring _ring;
    private readonly ReceivePool _receivePool;
    private readonly SendPool _sendPool;
    private readonly UringSlotTable _lines = new();
    private long _events;
    private bool _disposed;

    /// <summary>A driver with so many buffers of so many bytes to receive into, and sends without a copy from so many bytes on.</summary>
    /// <exception cref="KernelException">
    /// The kernel has no io_uring (ENOSYS), forbids it (EPERM), lacks what this needs (EINVAL, EOPNOTSUPP) or has no memory or descriptors for it.
    /// </exception>
    internal UringDriver(Kernel kernel, WorkQueue queue, int receiveBuffers, int receiveBufferSize, int zeroCopyThreshold)
        : base(kernel, queue)
    {
        _zeroCopyThreshold = zeroCopyThreshold;
        _ring = Ring.Create(kernel, Submissions, Completions, IoUringSetupFlags.SingleIssuer | IoUringSetupFlags.DeferTaskRun | IoUringSetupFlags.TaskRunFlag);
        _sendPool = new SendPool(kernel);
        _receivePool = null!;
        try
        {
            _operations = new OperationRing(this, RequireOperations());
            // An odd number of cache lines: with powers of two all buffers would begin in the same few places of the cache.
            _receivePool = new ReceivePool(kernel, _ring, 0, receiveBuffers, (receiveBufferSize / 64 | 1) * 64);
            OpenWake();
            WatchWake();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    internal override string Name => "io_uring";

    // Receives that go on and on came with 6.0, as did the operations that are asked for here; what else is needed is older.
    private IoUringProbe RequireOperations()
    {
        _ring.Probe(out IoUringProbe probe);
        if (!probe.Supports((int)IoUringOp.SendZeroCopy) || (_ring.Features & IoUringFeatures.ExtendedArgument) == 0)
            throw new KernelException("io_uring_register(PROBE)", _ring.FileDescriptor, Errno.EOPNOTSUPP);
        return probe;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref Submission Submit(UringRequest request, IoUringOp op, ref UringSlot line)
    {
        ref Submission entry = ref _ring.Next();
        entry.Op = op;
        entry.Descriptor = line.Descriptor;
        entry.UserData = RingUserData.Of(request, line.Token);
        line.Pending++;
        return ref entry;
    }

    /// <summary>Asks the kernel to give something up; its own completion says when it has.</summary>
    private void Cancel(UringRequest request, ref readonly UringSlot line)
    {
        ref Submission entry = ref _ring.Next();
        entry.Op = IoUringOp.AsyncCancel;
        entry.Flags = SubmissionFlags.SkipSuccess;
        entry.Descriptor = -1;
        entry.Address = RingUserData.Of(request, line.Token);
        entry.UserData = RingUserData.Of(UringRequest.None, 0);
    }

    protected override void Allocated(int index)
    {
        _lines.Prepare(index);
        ref UringSlot line = ref _lines.At(index);
        line.Descriptor = Slots.At(index).Descriptor;
        line.Token = Slots.TokenOf(index);
    }

    // The place is free once nothing is in progress for it: a completion that comes late must not meet a stranger there.
    protected override void FreeSlot(int index)
    {
        ref UringSlot line = ref _lines.At(index);
        // Of a lent descriptor that was found to be another file's by now.
        Stop(UringState.PollingIn, UringRequest.PollIn, ref line);
        Stop(UringState.PollingOut, UringRequest.PollOut, ref line);
        Slots.Retire(index);
        line.State |= UringState.Retired;
        ReleaseIfDone(index, ref line);
    }

    private void ReleaseIfDone(int index, ref UringSlot line)
    {
        if (line.Pending != 0 || !line.Has(UringState.Retired) || line.Has(UringState.SendDue))
            return;
        DropUnsent(ref line);
        if (line.Has(UringState.CloseDue))
            Kernel.Close(line.Descriptor);
        _lines.Reset(index);
        Slots.Release(index);
    }

    internal override void BeforeWait() => Check(Flush());

    // What is not submitted yet names a number that is about to be another's, and what is in progress holds its file open.
    private void FlushAll()
    {
        do
            Check(Flush());
        while (_ring.Unsubmitted > 0);
    }

    private int Flush()
    {
        while (true)
        {
            SubmitSends();
            int result = _ring.SubmitAndLook();
            if (_ring.Ready > 0)
                return result;
            ConcludeSends();
            if (_sendsDue.Count == 0)
                return result;
        }
    }

    internal override int Wait(long timeout, long deadline)
    {
        // Sends of which the end is known only now may have something to follow them.
        bool looksOnly = timeout == 0 || _sentAtOnce.Count > 0;
        SubmitSends();
        if (WaitsElsewhere)
            Check(_ring.Look());
        else if (looksOnly || _ring.Ready > 0)
            Check(_ring.SubmitAndLook());
        else
            Check(SubmitAndWait(timeout, deadline));
        return (int)_ring.Ready;
    }

    private int SubmitAndWait(long timeout, long deadline)
        => timeout > 0 && _ring.TakesDeadlines ? _ring.SubmitAndWaitUntil(deadline) : _ring.SubmitAndWait(timeout);

    // EAGAIN, EBUSY: the kernel has no memory for all that was submitted, or wants its completions taken first; it is submitted again.
    private void Check(int result)
    {
        if (result < 0 && result is not (-(int)Errno.ETIME or -(int)Errno.EINTR or -(int)Errno.EAGAIN or -(int)Errno.EBUSY))
            throw new KernelException("io_uring_enter", _ring.FileDescriptor, (Errno)(-result));
    }

    /// <summary>Waits in the kernel for what must come, outside of a turn.</summary>
    private void AwaitCompletions()
    {
        Check(_ring.SubmitAndWait(-1));
        Dispatch(int.MaxValue);
    }

    internal override int WaitDescriptor => _disposed ? -1 : _ring.FileDescriptor;

    internal override void Dispatch(int count)
    {
        uint ready = Math.Min((uint)count, _ring.Ready), seen = 0;
        try
        {
            while (seen < ready)
                Complete(_ring.Peek(seen++));
        }
        finally
        {
            // Whatever a caller's own memory throws as it is let go of: what was seen is not seen again.
            _ring.Advance(seen);
            _events += seen;
        }

        if (_ring.Ready == 0)
            ConcludeSends();
    }

    private void Complete(in Completion completion)
    {
        UringRequest request = RingUserData.RequestIn(completion.UserData);
        if (request <= UringRequest.Wake)
        {
            if (request == UringRequest.Wake && (completion.Flags & CompletionFlags.More) == 0 && !_disposed)
                WatchWake();
            return;
        }

        if (request == UringRequest.Operation)
        {
            _operations!.Complete(completion);
            return;
        }

        int index = RingUserData.IndexIn(completion.UserData);
        ref Slot slot = ref Slots.At(index);
        ref UringSlot line = ref _lines.At(index);
        bool more = (completion.Flags & CompletionFlags.More) != 0;
        if (!more)
            line.Pending--;
        bool live = SlotTable.GenerationOf(Slots.TokenOf(index)) == SlotTable.GenerationOf(completion.UserData);
        switch (request)
        {
            case UringRequest.Receive:
                Received(ref slot, ref line, live, completion, more);
                break;
            case UringRequest.Send:
                NoteRoom(ref line);
                Sent(ref slot, ref line, live, completion.Result);
                break;
            case UringRequest.SendDirectly:
                SentDirectly(index, ref slot, ref line, completion);
                break;
            case UringRequest.Accept:
                Accepted(index, ref slot, ref line, live, completion.Result, more);
                break;
            case UringRequest.PollIn when !live:
                PeerHasSent(ref line, completion.Result);
                break;
            default:
                if (live)
                    Polled(request, ref slot, ref line, completion.Result, more);
                break;
        }

        if (!live)
            ReleaseIfDone(index, ref line);
    }

    // A poll that goes on and on.
    private void WatchWake()
    {
        ref Submission entry = ref _ring.Next();
        entry.Op = IoUringOp.PollAdd;
        entry.Descriptor = WakeDescriptor;
        entry.Length = (uint)PollAddFlags.Multishot;
        entry.OperationFlags = (uint)EpollEvents.In;
        entry.UserData = RingUserData.Of(UringRequest.Wake, 0);
    }

    internal override DriverCounts Counts => CountSlots(_events, 0, 0) with { ReceiveBuffersInUse = _receivePool.InUse };

    /// <summary>
    /// Cancels what is in progress and waits until the kernel is done with all memory, then closes the descriptors still in care and gives
    /// everything back.
    /// </summary>
    public override void Dispose()
    {
        if (_disposed)
            return;
        if (_receivePool != null)
            EndAll(); // whoever has begun to wait since would be waited for
        _disposed = true;
        _operations?.Dispose();
        if (_receivePool != null)
        {
            Flush();
            GiveUpEverything();
            CloseAccepted();
            for (int i = 0; i < Slots.Extent; i++)
            {
                ref UringSlot line = ref _lines.At(i);
                if (line.Has(UringState.CloseDue))
                    Kernel.Close(line.Descriptor);
            }

            CloseDescriptors();
            _receivePool.Dispose();
        }

        _sendPool.Dispose();
        _ring.Dispose();
        _lines.Dispose();
        CloseWake();
    }

    private void GiveUpEverything()
    {
        const long Patience = 1_000_000_000;
        while (true)
        {
            int result = _ring.CancelNow(AsyncCancelFlags.Any | AsyncCancelFlags.All);
            _ring.SubmitAndLook();
            Dispatch(int.MaxValue);
            if (!_lines.AnyPending(Slots.Extent) && _operations is null or { InFlight: 0 })
                return;
            // Cancelled by now, or past cancelling: the completion is on its way.
            if (_ring.Ready == 0 && _ring.SubmitAndWait(Patience) == -(int)Errno.ETIME && result < 0)
                throw new KernelException("io_uring_register(SYNC_CANCEL)", _ring.FileDescriptor, (Errno)(-result));
        }
    }
}
