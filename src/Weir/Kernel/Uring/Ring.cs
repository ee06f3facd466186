using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>
/// A ring of submissions and completions as a kernel object (io_uring(7)): set up, mapped, filled, submitted, drained, given back. It knows
/// nothing of what its entries mean.
/// </summary>
/// <remarks>
/// For one thread, the one that made it: rings are set up with IORING_SETUP_SINGLE_ISSUER. <see cref="Next"/> gives an entry to fill in;
/// nothing of it reaches the kernel before <see cref="Submit"/> or <see cref="SubmitAndWait"/>. Memory that an entry names must stay where it
/// is until its last completion.
/// </remarks>
internal sealed unsafe class Ring : IDisposable
{
    private readonly Kernel _kernel;
    private readonly byte* _rings;
    private readonly nuint _ringsLength;
    private readonly Submission* _entries;
    private readonly nuint _entriesLength;
    private readonly uint* _submissionHead, _submissionTail, _submissionFlags;
    private readonly uint* _completionHead, _completionTail, _completionOverflow;
    private readonly Completion* _completions;
    private readonly uint _submissionMask, _completionMask;
    private readonly int _enterDescriptor; // the registered number, or the descriptor itself
    private readonly IoUringEnterFlags _enterFlags;
    private uint _tail; // of the submission queue, ahead of what the kernel has been shown
    private uint _submitted;
    private bool _disposed;

    private Ring(Kernel kernel, int fd, in IoUringParameters parameters, byte* rings, nuint ringsLength, Submission* entries, nuint entriesLength)
    {
        _kernel = kernel;
        FileDescriptor = fd;
        Features = parameters.Features;
        _rings = rings;
        _ringsLength = ringsLength;
        _entries = entries;
        _entriesLength = entriesLength;
        _submissionHead = (uint*)(rings + parameters.SubmissionOffsets.Head);
        _submissionTail = (uint*)(rings + parameters.SubmissionOffsets.Tail);
        _submissionFlags = (uint*)(rings + parameters.SubmissionOffsets.Flags);
        _completionHead = (uint*)(rings + parameters.CompletionOffsets.Head);
        _completionTail = (uint*)(rings + parameters.CompletionOffsets.Tail);
        _completionOverflow = (uint*)(rings + parameters.CompletionOffsets.Overflow);
        _completions = (Completion*)(rings + parameters.CompletionOffsets.Completions);
        _submissionMask = *(uint*)(rings + parameters.SubmissionOffsets.RingMask);
        _completionMask = *(uint*)(rings + parameters.CompletionOffsets.RingMask);
        // The queue of indices stays what it is: entry i is submitted from place i.
        if ((parameters.Flags & IoUringSetupFlags.NoSubmissionArray) == 0)
        {
            uint* array = (uint*)(rings + parameters.SubmissionOffsets.Array);
            for (uint i = 0; i <= _submissionMask; i++)
                array[i] = i;
        }

        _tail = _submitted = *_submissionTail;
        // Named by a number that is the ring's own, each call is spared the look-up of its descriptor (5.18; without it, it goes as well).
        var update = new ResourceUpdate { Offset = uint.MaxValue, Data = (ulong)fd };
        bool registered = kernel.IoUringRegister(fd, IoUringRegisterOp.RingFds, &update, 1) == 1;
        _enterDescriptor = registered ? (int)update.Offset : fd;
        _enterFlags = registered ? IoUringEnterFlags.RegisteredRing : IoUringEnterFlags.None;
        // A thread that waits for messages waits for no disk: without this (6.15) it would be shown, and its processor's speed chosen, as if it did.
        if ((Features & IoUringFeatures.NoIoWait) != 0)
            _enterFlags |= IoUringEnterFlags.NoIoWait;
    }

    /// <summary>Makes a ring.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="entries">Room for submissions, a power of two; the kernel takes no more than 32768.</param>
    /// <param name="completions">Room for completions; more than that are kept by the kernel until there is room again.</param>
    /// <param name="flags">Modes. Completions of a <see cref="IoUringSetupFlags.DeferTaskRun"/> ring appear only when it is entered.</param>
    /// <exception cref="KernelException">
    /// ENOSYS: no io_uring; EPERM: forbidden by seccomp or kernel.io_uring_disabled; ENOMEM: RLIMIT_MEMLOCK; EINVAL: the kernel does not know a
    /// flag; EMFILE: no descriptors left.
    /// </exception>
    internal static Ring Create(Kernel kernel, uint entries, uint completions, IoUringSetupFlags flags)
    {
        IoUringParameters parameters = default;
        parameters.Flags = flags | IoUringSetupFlags.CompletionQueueSize | IoUringSetupFlags.SubmitAll;
        parameters.CompletionEntries = completions;
        int fd = KernelException.Check(kernel.IoUringSetup(entries, &parameters), "io_uring_setup");
        byte* rings = null;
        nuint ringsLength = 0;
        try
        {
            // Older kernels map the two queues apart (before 5.4); none of those has what the rest of this needs.
            if ((parameters.Features & IoUringFeatures.SingleMMap) == 0 || (parameters.Features & IoUringFeatures.NoDrop) == 0)
                throw new KernelException("io_uring_setup", fd, Errno.ENOSYS);
            nuint submissionEnd = parameters.SubmissionOffsets.Array + parameters.SubmissionEntries * sizeof(uint);
            nuint completionEnd = parameters.CompletionOffsets.Completions + parameters.CompletionEntries * (nuint)sizeof(Completion);
            ringsLength = Math.Max(submissionEnd, completionEnd);
            rings = (byte*)KernelException.CheckAddress(kernel.MMap(ringsLength, fd, IoUringOffset.SubmissionRing), fd);
            nuint entriesLength = parameters.SubmissionEntries * (nuint)sizeof(Submission);
            var submissions = (Submission*)KernelException.CheckAddress(kernel.MMap(entriesLength, fd, IoUringOffset.SubmissionEntries), fd);
            return new Ring(kernel, fd, parameters, rings, ringsLength, submissions, entriesLength);
        }
        catch
        {
            if (rings != null)
                kernel.MUnmap(rings, ringsLength);
            kernel.Close(fd);
            throw;
        }
    }

    /// <summary>The descriptor: readable when there are completions, or work that leads to some.</summary>
    internal int FileDescriptor { get; }

    /// <summary>What the kernel said that it can do.</summary>
    internal IoUringFeatures Features { get; }

    /// <summary>Entries handed out and not yet submitted.</summary>
    internal uint Unsubmitted => _tail - _submitted;

    /// <summary>Room for submissions.</summary>
    internal uint Capacity => _submissionMask + 1;

    /// <summary>Completions that can be read now.</summary>
    internal uint Ready
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Volatile.Read(ref *_completionTail) - *_completionHead;
    }

    /// <summary>Whether the kernel has completions in store, or work to make some of, that only a call brings out.</summary>
    internal bool NeedsEntering => ((SubmissionQueueFlags)Volatile.Read(ref *_submissionFlags) & (SubmissionQueueFlags.TaskRun | SubmissionQueueFlags.CompletionOverflow)) != 0;

    /// <summary>Whether the kernel has completions in store for which there was no room; the next call that asks for completions brings them out.</summary>
    internal bool IsOverflowing => ((SubmissionQueueFlags)Volatile.Read(ref *_submissionFlags) & SubmissionQueueFlags.CompletionOverflow) != 0;

    /// <summary>Completions that the kernel had no memory to keep. Never seen since 5.5 but for want of memory.</summary>
    internal uint Lost => Volatile.Read(ref *_completionOverflow);

    /// <summary>
    /// A cleared entry to fill in. When all are in use they are submitted first, which is the only system call it may make.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref Submission Next()
    {
        if (_tail - Volatile.Read(ref *_submissionHead) > _submissionMask)
            MakeRoom();
        ref Submission entry = ref _entries[_tail++ & _submissionMask];
        entry = default;
        return ref entry;
    }

    /// <summary>Whether so many entries can be had without a system call in between, as a chain of links needs.</summary>
    internal bool HasRoomFor(uint count) => _tail - Volatile.Read(ref *_submissionHead) + count <= _submissionMask + 1;

    private void MakeRoom()
    {
        while (_tail - Volatile.Read(ref *_submissionHead) > _submissionMask)
        {
            int result = Submit();
            // EBUSY, EAGAIN: completions must be taken, or memory found, first. The kernel keeps what does not fit, so asking for completions
            // moves things on.
            if (result < 0 && result != -(int)Errno.EINTR)
                result = Enter(0, 0, IoUringEnterFlags.GetEvents, null);
            if (result < 0 && result is not (-(int)Errno.EINTR or -(int)Errno.EBUSY or -(int)Errno.EAGAIN))
                throw new KernelException("io_uring_enter", FileDescriptor, (Errno)(-result));
        }
    }

    /// <summary>Submits what was prepared. Returns how many entries the kernel took, or a negated errno; what it did not take is tried again.</summary>
    internal int Submit() => Unsubmitted == 0 ? 0 : Enter(Show(), 0, IoUringEnterFlags.None, null);

    /// <summary>
    /// Submits what was prepared and has the kernel bring out what has completed, without waiting. No call is made when there is nothing to do.
    /// </summary>
    internal int SubmitAndLook()
    {
        return Unsubmitted == 0 && !NeedsEntering ? 0 : Look();
    }

    /// <summary>As <see cref="SubmitAndLook"/>, with a call in any case.</summary>
    internal int Look() => Enter(Show(), 0, IoUringEnterFlags.GetEvents, null);

    /// <summary>
    /// Submits what was prepared and waits, in one call, until a completion is there or <paramref name="timeout"/> nanoseconds have passed
    /// (negative: for ever). A negated errno: ETIME when the time was over, EINTR.
    /// </summary>
    internal int SubmitAndWait(long timeout)
    {
        return timeout < 0 ? Enter(Show(), 1, IoUringEnterFlags.GetEvents, null) : EnterForTime(timeout, IoUringEnterFlags.None);
    }

    /// <summary>Whether the kernel takes the end of a wait in place of its length (6.12, the release that brought this feature as well).</summary>
    internal bool TakesDeadlines => (Features & IoUringFeatures.MinimumTimeout) != 0;

    /// <summary>As <see cref="SubmitAndWait"/>, until a time of the monotonic clock, in nanoseconds; for who <see cref="TakesDeadlines"/>.</summary>
    internal int SubmitAndWaitUntil(long deadline) => EnterForTime(deadline, IoUringEnterFlags.AbsoluteTimer);

    private int EnterForTime(long nanoseconds, IoUringEnterFlags flags)
    {
        TimeSpec time = TimeSpec.FromNanoseconds(nanoseconds);
        var argument = new IoUringWaitArgument { Timeout = &time };
        return Enter(Show(), 1, IoUringEnterFlags.GetEvents | IoUringEnterFlags.ExtendedArgument | flags, &argument);
    }

    // The kernel sees the entries from here on.
    private uint Show()
    {
        Volatile.Write(ref *_submissionTail, _tail);
        return _tail - _submitted;
    }

    private int Enter(uint toSubmit, uint minComplete, IoUringEnterFlags flags, IoUringWaitArgument* argument)
    {
        int result = _kernel.IoUringEnter(_enterDescriptor, toSubmit, minComplete, flags | _enterFlags, argument, argument == null ? 0 : (nuint)sizeof(IoUringWaitArgument));
        // The head says what was taken, whatever the call returned: a wait that timed out has submitted all the same.
        _submitted = Volatile.Read(ref *_submissionHead);
        return result;
    }

    /// <summary>Takes back the youngest of the entries that the kernel has not taken, and returns its user data. There must be one.</summary>
    internal ulong TakeBack()
    {
        Debug.Assert(Unsubmitted > 0, "What was submitted is the kernel's.");
        ulong userData = _entries[--_tail & _submissionMask].UserData;
        Volatile.Write(ref *_submissionTail, _tail); // a call that failed has shown it already
        return userData;
    }

    /// <summary>The completion at a place among those that are <see cref="Ready"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref readonly Completion Peek(uint index) => ref _completions[(*_completionHead + index) & _completionMask];

    /// <summary>Gives the first <paramref name="count"/> completions' places back to the kernel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Advance(uint count) => Volatile.Write(ref *_completionHead, *_completionHead + count);

    /// <summary>Which operations this kernel knows.</summary>
    /// <exception cref="KernelException">The kernel cannot be asked (before 5.6).</exception>
    internal void Probe(out IoUringProbe probe)
    {
        fixed (IoUringProbe* place = &probe)
        {
            *place = default;
            KernelException.Check(_kernel.IoUringRegister(FileDescriptor, IoUringRegisterOp.Probe, place, IoUringProbe.Capacity), "io_uring_register(PROBE)", FileDescriptor);
        }
    }

    /// <summary>Registers something. A negated errno, or what io_uring_register(2) says.</summary>
    internal int Register(IoUringRegisterOp operation, void* argument, uint count) => _kernel.IoUringRegister(FileDescriptor, operation, argument, count);

    /// <summary>
    /// Cancels what matches and waits until it is cancelled; completions follow as always. ENOENT: nothing matched; EALREADY: it is past
    /// cancelling.
    /// </summary>
    internal int CancelNow(AsyncCancelFlags flags, ulong userData = 0, int descriptor = -1)
    {
        var request = new SyncCancelRequest { Flags = flags, UserData = userData, Descriptor = descriptor, Timeout = new TimeSpec { Seconds = -1, Nanoseconds = -1 } };
        return Register(IoUringRegisterOp.SyncCancel, &request, 1);
    }

    /// <summary>
    /// Gives the ring's memory and descriptor back. Operations in progress are cancelled by the kernel, which may go on for a moment: whose
    /// memory they name must have seen their last completions before.
    /// </summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Debug.Assert(Unsubmitted == 0 || _submitted == Volatile.Read(ref *_submissionHead), "What was prepared is dropped.");
        if ((_enterFlags & IoUringEnterFlags.RegisteredRing) != 0)
        {
            var update = new ResourceUpdate { Offset = (uint)_enterDescriptor };
            Register(IoUringRegisterOp.UnregisterRingFds, &update, 1);
        }

        _kernel.MUnmap(_entries, _entriesLength);
        _kernel.MUnmap(_rings, _ringsLength);
        _kernel.Close(FileDescriptor);
    }
}
