using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>
/// A ring inside an epoll loop. Operations are gathered while a turn runs and submitted with one call before the loop waits
/// (<see cref="Flush"/>); the ring's descriptor is watched by the loop's epoll set, so completions end the wait.
/// </summary>
/// <remarks>
/// Not with IORING_SETUP_DEFER_TASKRUN: such a ring makes completions only while it is entered, and of work that waits for that its
/// descriptor tells nobody who sleeps in epoll_wait already (only who looks, then or later). Cooperatively, completions are made as the thread
/// leaves the kernel, which the wait does.
/// </remarks>
internal sealed class LoopRing : RingRequests
{
    private const uint Entries = 256;
    private const uint Completions = 4096;
    private const int MostRefusals = 64;

    // Best first; an older kernel says EINVAL to what it does not know.
    private static readonly IoUringSetupFlags[] Modes =
    [
        IoUringSetupFlags.SingleIssuer | IoUringSetupFlags.CooperativeTaskRun | IoUringSetupFlags.TaskRunFlag, // 6.0
        IoUringSetupFlags.CooperativeTaskRun | IoUringSetupFlags.TaskRunFlag, // 5.19
        IoUringSetupFlags.None,
    ];

    // Without these there is no point in a ring: reading and writing, and taking back what was asked for.
    private static readonly IoUringOp[] Required = [IoUringOp.Read, IoUringOp.Write, IoUringOp.AsyncCancel];

    // What the kernel may still write to when even waiting for it fails: kept for ever, since nothing says when it ends.
    private static readonly ConcurrentBag<RingOperation> Lost = [];

    private int _refusals;
    private bool _isHandingOut;

    private LoopRing(Ring ring, in IoUringProbe known)
        : base(ring, known)
    {
    }

    /// <summary>Makes one on the loop's thread. Null: it cannot be had, and <paramref name="refusal"/> says why.</summary>
    internal static LoopRing? TryCreate(Kernel kernel, out string? refusal)
    {
        refusal = null;
        Ring? ring = null;
        foreach (IoUringSetupFlags mode in Modes)
        {
            try
            {
                ring = Ring.Create(kernel, Entries, Completions, mode);
                break;
            }
            catch (KernelException exception) when (exception.Errno == Errno.EINVAL)
            {
                refusal = "io_uring_setup: EINVAL: this kernel is too old";
            }
            catch (KernelException exception)
            {
                refusal = exception.Message;
                return null;
            }
        }

        if (ring == null)
            return null;
        try
        {
            ring.Probe(out IoUringProbe known);
            foreach (IoUringOp op in Required)
            {
                if (!known.Supports((int)op))
                    throw new KernelException($"io_uring_register(PROBE): {op}", ring.FileDescriptor, Errno.EOPNOTSUPP);
            }

            refusal = null;
            return new LoopRing(ring, known);
        }
        catch (KernelException exception)
        {
            refusal = exception.Message;
            ring.Dispose();
            return null;
        }
    }

    internal int FileDescriptor => Ring.FileDescriptor;

    protected override bool TryMakeRoom()
    {
        Flush();
        return Ring.HasRoomFor(1);
    }

    /// <summary>Submits what was gathered, in one call, and hands out what has completed by then. True: something has.</summary>
    internal bool Flush()
    {
        bool any = false;
        while (Ring.Unsubmitted > 0 || Ring.NeedsEntering)
        {
            uint before = Ring.Unsubmitted;
            int result = Ring.SubmitAndLook();
            any |= HandOut();
            if (result >= 0 && Ring.Unsubmitted == 0)
            {
                _refusals = 0;
                break;
            }

            if (Ring.Unsubmitted < before)
            {
                _refusals = 0;
                continue;
            }

            // Nothing was taken. For want of memory or room it may be taken in a moment, now that completions have been.
            bool passes = result is 0 or -(int)Errno.EINTR or -(int)Errno.EAGAIN or -(int)Errno.EBUSY;
            if (passes && ++_refusals < MostRefusals)
                continue;
            _refusals = 0;
            Withdraw(result == 0 ? -(int)Errno.EAGAIN : result);
            return true;
        }

        return any;
    }

    /// <summary>After a wait: hands out what has completed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Collect()
    {
        if (Ring.Ready > 0)
            HandOut();
    }

    private bool HandOut()
    {
        if (_isHandingOut || Ring.Ready == 0)
            return false;
        _isHandingOut = true;
        while (Ring.Ready > 0)
        {
            Completion completion = Ring.Peek(0);
            // Given back first: what completes may start again what is not finished, and that may need the room.
            Ring.Advance(1);
            Complete(completion);
        }

        _isHandingOut = false;
        return true;
    }

    // The kernel has taken nothing of these: they never were in flight.
    private void Withdraw(int error)
    {
        for (uint count = Ring.Unsubmitted; count > 0; count--)
            Refuse(Ring.TakeBack(), error);
    }

    internal override void EndAll()
    {
        Flush();
        if (InFlight == 0)
            return;
        if (Ring.CancelNow(AsyncCancelFlags.Any | AsyncCancelFlags.All) is < 0 and not -(int)Errno.ENOENT)
            CancelAll(); // before 6.0 there is no such call
        WaitForAll();
    }

    /// <summary>Returns when everything in flight has completed, by itself or because it was cancelled.</summary>
    internal void WaitForAll()
    {
        for (int failures = 0; InFlight > 0 && failures < MostRefusals;)
        {
            int before = InFlight;
            int result = Ring.SubmitAndWait(-1);
            HandOut();
            failures = result < 0 && result != -(int)Errno.EINTR && InFlight == before ? failures + 1 : 0;
        }
    }

    public override void Dispose()
    {
        if (IsClosed)
            return;
        EndAll();
        Close();
        foreach (RingOperation operation in Operations)
            Lost.Add(operation);
        Ring.Dispose();
    }
}
