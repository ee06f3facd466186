using System.Numerics;

namespace Weir.Simulation;

public sealed unsafe partial class SimKernel
{
    // IORING_SETUP_FLAGS of Linux 6.18, and which of them are here.
    private const IoUringSetupFlags KnownSetup = (IoUringSetupFlags)0x7FFFF;

    private const IoUringSetupFlags EmulatedSetup = IoUringSetupFlags.CompletionQueueSize | IoUringSetupFlags.Clamp | IoUringSetupFlags.SubmitAll
        | IoUringSetupFlags.CooperativeTaskRun | IoUringSetupFlags.TaskRunFlag | IoUringSetupFlags.SingleIssuer | IoUringSetupFlags.DeferTaskRun
        | IoUringSetupFlags.NoSubmissionArray;

    private readonly List<WeakReference<RingFile>> _rings = [];

    /// <inheritdoc/>
    public override int IoUringSetup(uint entries, IoUringParameters* parameters)
    {
        using Call call = Begin(SystemCall.IoUringSetup);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if (!UserMemory.IsMapped(parameters, (nuint)sizeof(IoUringParameters)))
            return call.Returns(-(int)Errno.EFAULT);
        int error = CheckSetup(entries, *parameters, out uint submissions, out uint completions);
        if (error < 0)
            return call.Returns(error);
        var ring = new RingFile(this, call.Thread, parameters->Flags, submissions, completions);
        int fd = Install(ring, closeOnExec: true);
        if (fd < 0)
            return call.Returns(fd);
        _rings.RemoveAll(known => !known.TryGetTarget(out RingFile? old) || old.IsClosed);
        _rings.Add(new WeakReference<RingFile>(ring));
        parameters->SubmissionEntries = submissions;
        parameters->CompletionEntries = completions;
        parameters->Features = RingFile.Features;
        parameters->SubmissionOffsets = ring.Memory.SubmissionOffsets;
        parameters->CompletionOffsets = RingMemory.CompletionOffsets;
        return call.Returns(fd);
    }

    // io_uring_setup, io_uring_sanitise_params and io_uring_fill_params
    private static int CheckSetup(uint entries, in IoUringParameters parameters, out uint submissions, out uint completions)
    {
        IoUringSetupFlags flags = parameters.Flags;
        submissions = completions = 0;
        if ((flags & ~KnownSetup) != 0 || entries == 0)
            return -(int)Errno.EINVAL;
        if ((flags & ~EmulatedSetup) != 0)
            throw NotEmulated($"io_uring_setup({flags & ~EmulatedSetup})");
        bool clamps = (flags & IoUringSetupFlags.Clamp) != 0;
        if (entries > RingFile.MostEntries && !clamps)
            return -(int)Errno.EINVAL;
        submissions = BitOperations.RoundUpToPowerOf2(Math.Min(entries, RingFile.MostEntries));
        if ((flags & IoUringSetupFlags.CompletionQueueSize) == 0)
        {
            completions = 2 * submissions;
        }
        else
        {
            uint asked = parameters.CompletionEntries;
            if (asked == 0 || (asked > RingFile.MostCompletions && !clamps))
                return -(int)Errno.EINVAL;
            completions = BitOperations.RoundUpToPowerOf2(Math.Min(asked, RingFile.MostCompletions));
            if (completions < submissions)
                return -(int)Errno.EINVAL;
        }

        bool defers = (flags & IoUringSetupFlags.DeferTaskRun) != 0;
        bool cooperates = (flags & IoUringSetupFlags.CooperativeTaskRun) != 0;
        if ((flags & IoUringSetupFlags.TaskRunFlag) != 0 && !defers && !cooperates)
            return -(int)Errno.EINVAL;
        return defers && (flags & IoUringSetupFlags.SingleIssuer) == 0 ? -(int)Errno.EINVAL : 0;
    }

    /// <inheritdoc/>
    public override int IoUringEnter(int fd, uint toSubmit, uint minComplete, IoUringEnterFlags flags, void* argument, nuint argumentSize)
    {
        bool isRegistered = (flags & IoUringEnterFlags.RegisteredRing) != 0;
        using Call call = Begin(SystemCall.IoUringEnter, isRegistered ? -1 : fd);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        const IoUringEnterFlags Known = (IoUringEnterFlags)0xFF, Polling = (IoUringEnterFlags)6;
        if ((flags & ~Known) != 0)
            return call.Returns(-(int)Errno.EINVAL);
        SimFile? file;
        if (isRegistered)
        {
            if (call.Thread.RegisteredRings is not { } table || (uint)fd >= table.Length)
                return call.Returns(-(int)Errno.EINVAL);
            file = table[fd];
        }
        else
        {
            file = Descriptors.Find(fd);
        }

        if (file is not RingFile ring)
            return call.Returns(file == null ? -(int)Errno.EBADF : -(int)Errno.EOPNOTSUPP);
        const IoUringEnterFlags Emulated = IoUringEnterFlags.GetEvents | IoUringEnterFlags.ExtendedArgument | IoUringEnterFlags.RegisteredRing
            | IoUringEnterFlags.AbsoluteTimer | IoUringEnterFlags.NoIoWait | Polling;
        if ((flags & ~Emulated) != 0)
            throw NotEmulated($"io_uring_enter({flags})");
        ring.Acquire(); // closed while somebody waits in it, it lives until he returns
        try
        {
            return call.Returns(Enter(call.Thread, ring, toSubmit, minComplete, flags, argument, argumentSize));
        }
        finally
        {
            call.Thread.WaitIsOver &= (flags & IoUringEnterFlags.GetEvents) == 0;
            ring.Drop();
        }
    }

    private int Enter(SimThread thread, RingFile ring, uint toSubmit, uint minComplete, IoUringEnterFlags flags, void* argument, nuint argumentSize)
    {
        if (thread.Process.HasExited)
        {
            // A loop that was on its way here when its process ended; it has not been told yet. What it asks for on its way out fails.
            ring.Refuse(thread, toSubmit);
            return minComplete > 0 && ring.Ready == 0 ? throw Ended(thread) : (int)toSubmit;
        }

        int result = 0;
        long before = ring.Posted;
        if (toSubmit > 0)
        {
            result = ring.Submit(thread, toSubmit);
            if (result != toSubmit)
                return result;
            if ((flags & IoUringEnterFlags.GetEvents) != 0)
                ring.RunLocalWork(minComplete);
        }

        if ((flags & IoUringEnterFlags.GetEvents) != 0)
        {
            int error = TryWaitArgument(flags, argument, argumentSize, out long deadline);
            if (error == 0)
                error = ring.Wait(thread, minComplete, deadline);
            if (result == 0)
                result = error;
        }

        thread.Watch.AchievedNothing = toSubmit == 0 && ring.Posted == before;
        if (thread.Watch.AchievedNothing && minComplete == 0 && !World.IsLive)
            World.Clock.AdvanceTo(World.Now + EmptyLook);
        return result;
    }

    // io_get_ext_arg
    private int TryWaitArgument(IoUringEnterFlags flags, void* argument, nuint size, out long deadline)
    {
        deadline = World.Never;
        if ((flags & IoUringEnterFlags.ExtendedArgument) == 0)
            return argument == null ? 0 : throw NotEmulated("io_uring_enter with a mask of signals");
        if (size != (nuint)sizeof(IoUringWaitArgument))
            return -(int)Errno.EINVAL;
        if (!UserMemory.IsMapped(argument, size))
            return -(int)Errno.EFAULT;
        var wait = (IoUringWaitArgument*)argument;
        if (wait->SignalMask != null || wait->MinWaitMicroseconds != 0)
            throw NotEmulated("io_uring_enter with a mask of signals, or a least time to wait");
        if (wait->Timeout == null)
            return 0;
        if (!UserMemory.IsMapped(wait->Timeout, (nuint)sizeof(TimeSpec)))
            return -(int)Errno.EFAULT;
        bool absolute = (flags & IoUringEnterFlags.AbsoluteTimer) != 0;
        deadline = TimeoutFlags.Deadline(World, *wait->Timeout, absolute ? IoUringTimeoutFlags.Absolute : IoUringTimeoutFlags.None);
        return 0;
    }

    /// <inheritdoc/>
    public override int IoUringRegister(int fd, IoUringRegisterOp operation, void* argument, uint count)
    {
        using Call call = Begin(SystemCall.IoUringRegister, fd, (int)operation);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        // -1 stands for no ring at all, for operations that need none.
        if ((uint)operation >= RingFile.LastRegisterOp || fd == -1)
            return call.Returns(-(int)Errno.EINVAL);
        SimFile? file = Descriptors.Find(fd);
        if (file is not RingFile ring)
            return call.Returns(file == null ? -(int)Errno.EBADF : -(int)Errno.EOPNOTSUPP);
        ring.Acquire();
        try
        {
            return call.Returns(ring.Register(this, call.Thread, operation, argument, count));
        }
        finally
        {
            ring.Drop();
        }
    }

    // For requests, which make no calls: what the calls of these names do

    /// <summary>A number for a new descriptor, or -EMFILE, -ENFILE.</summary>
    internal int FreeDescriptor() => Machine.OpenFiles >= Machine.MaxOpenFiles ? -(int)Errno.ENFILE : Descriptors.FindFree();

    internal int CloseNow(int fd)
    {
        SimFile? file = Descriptors.Take(fd);
        if (file == null)
            return -(int)Errno.EBADF;
        file.Drop();
        World.Detectors.Closed(this, fd, file);
        return 0;
    }

    internal int OpenNow(SimThread thread, int directory, byte* path, FileFlags flags, int mode)
    {
        if (!TryPath(path, out string name, out int error))
            return error;
        if (directory != StatXRequest.WorkingDirectory && name[0] != '/')
            throw NotEmulated("openat relative to a directory");
        int fd = FreeDescriptor();
        if (fd < 0)
            return fd;
        SimFile? file = Machine.OpenPath(thread, name, flags, mode, out error);
        return file == null ? error : Install(file, (flags & FileFlags.CloseOnExec) != 0);
    }

    private void AbandonRings()
    {
        foreach (WeakReference<RingFile> known in _rings)
        {
            if (known.TryGetTarget(out RingFile? ring) && !ring.IsClosed)
                ring.Abandon(this);
        }
    }
}
