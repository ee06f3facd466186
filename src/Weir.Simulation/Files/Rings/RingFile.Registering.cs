using System.Numerics;

namespace Weir.Simulation;

// io_uring_register(2).
internal sealed unsafe partial class RingFile
{
    private const int MostRegisteredRings = 16; // IO_RINGFD_REG_MAX

    /// <summary>IORING_REGISTER_LAST of Linux 6.18.</summary>
    internal const uint LastRegisterOp = 36;

    internal bool IsClosed => _closed;

    internal BufferGroup? FindGroup(ushort number) => _groups.GetValueOrDefault(number);

    internal int Register(SimKernel process, SimThread thread, IoUringRegisterOp operation, void* argument, uint count)
    {
        if (_submitter != null && _submitter != thread)
            return -(int)Errno.EEXIST;
        switch (operation)
        {
            case IoUringRegisterOp.Probe:
                return argument == null || count > IoUringProbe.Capacity ? -(int)Errno.EINVAL : Probe((IoUringProbe*)argument, (int)count);
            case IoUringRegisterOp.Files:
                return argument == null ? -(int)Errno.EFAULT : RegisterFiles(process, (int*)argument, count);
            case IoUringRegisterOp.Files2:
                return RegisterFiles(process, (ResourceRegistration*)argument, count);
            case IoUringRegisterOp.FilesUpdate:
                return UpdateFiles(process, (ResourceUpdate*)argument, count);
            case IoUringRegisterOp.UnregisterFiles:
                return argument != null || count != 0 ? -(int)Errno.EINVAL : UnregisterFiles();
            case IoUringRegisterOp.RingFds:
                return RegisterRings(process, thread, (ResourceUpdate*)argument, count);
            case IoUringRegisterOp.UnregisterRingFds:
                return UnregisterRings(thread, (ResourceUpdate*)argument, count);
            case IoUringRegisterOp.BufferRing:
                return argument == null || count != 1 ? -(int)Errno.EINVAL : AddGroup((BufferRingRegistration*)argument);
            case IoUringRegisterOp.UnregisterBufferRing:
                return argument == null || count != 1 ? -(int)Errno.EINVAL : RemoveGroup((BufferRingRegistration*)argument);
            case IoUringRegisterOp.SyncCancel:
                return argument == null || count != 1 ? -(int)Errno.EINVAL : CancelNow(process, thread, (SyncCancelRequest*)argument);
            default:
                throw new NotSupportedException($"not emulated: io_uring_register({operation})");
        }
    }

    // io_probe. Operations of Linux that are not emulated count as unknown, so that nobody relies on them.
    private static int Probe(IoUringProbe* probe, int count)
    {
        if (!UserMemory.IsMapped(probe, (nuint)(16 + 8 * count)))
            return -(int)Errno.EFAULT;
        if (!new ReadOnlySpan<byte>(probe, 16 + 8 * count).ContainsAnyExcept((byte)0))
        {
            probe->LastOp = RingOperations.Last;
            probe->Count = (byte)Math.Min(count, RingOperations.Last + 1);
            for (int op = 0; op < probe->Count; op++)
                probe->SetSupported(op, RingOperations.IsEmulated(op));
            return 0;
        }

        return -(int)Errno.EINVAL;
    }

    // Rings by numbers of their own

    private static int RegisterRings(SimKernel process, SimThread thread, ResourceUpdate* updates, uint count)
    {
        if (count is 0 or > MostRegisteredRings)
            return -(int)Errno.EINVAL;
        RingFile?[] table = thread.RegisteredRings ??= new RingFile?[MostRegisteredRings];
        for (uint i = 0; i < count; i++)
        {
            int error = RegisterOne(process, table, updates + i);
            if (error < 0)
                return i > 0 ? (int)i : error;
        }

        return (int)count;
    }

    private static int RegisterOne(SimKernel process, RingFile?[] table, ResourceUpdate* update)
    {
        if (!UserMemory.IsMapped(update, (nuint)sizeof(ResourceUpdate)))
            return -(int)Errno.EFAULT;
        int place = update->Offset == uint.MaxValue ? Array.IndexOf(table, null) : (int)update->Offset;
        if (place < 0)
            return -(int)Errno.EBUSY;
        if (place >= MostRegisteredRings)
            return -(int)Errno.EINVAL;
        if (table[place] != null)
            return -(int)Errno.EBUSY;
        SimFile? file = process.Descriptors.Find((int)update->Data);
        if (file is not RingFile ring)
            return file == null ? -(int)Errno.EBADF : -(int)Errno.EOPNOTSUPP;
        ring.Acquire();
        table[place] = ring;
        update->Offset = (uint)place;
        return 0;
    }

    private static int UnregisterRings(SimThread thread, ResourceUpdate* updates, uint count)
    {
        if (count is 0 or > MostRegisteredRings)
            return -(int)Errno.EINVAL;
        for (uint i = 0; i < count; i++)
        {
            int error = !UserMemory.IsMapped(updates + i, (nuint)sizeof(ResourceUpdate)) ? -(int)Errno.EFAULT
                : updates[i].Data != 0 || updates[i].Offset >= MostRegisteredRings ? -(int)Errno.EINVAL
                : 0;
            if (error < 0)
                return i > 0 ? (int)i : error;
            if (thread.RegisteredRings?[updates[i].Offset] is not { } ring)
                continue;
            thread.RegisteredRings[updates[i].Offset] = null;
            ring.Drop();
        }

        return (int)count;
    }

    // Groups of buffers

    private int AddGroup(BufferRingRegistration* registration)
    {
        const ushort ByKernel = 1; // IOU_PBUF_RING_MMAP
        if (!UserMemory.IsMapped(registration, (nuint)sizeof(BufferRingRegistration)))
            return -(int)Errno.EFAULT;
        if ((registration->Flags & ~3) != 0)
            return -(int)Errno.EINVAL;
        if (registration->Flags != 0)
            throw new NotSupportedException($"not emulated: {((registration->Flags & ByKernel) != 0 ? "IOU_PBUF_RING_MMAP" : "IOU_PBUF_RING_INC")}");
        if (registration->Address == 0)
            return -(int)Errno.EFAULT;
        if (registration->Address % MappedMemory.PageSize != 0 || !BitOperations.IsPow2(registration->Entries) || registration->Entries >= 65536)
            return -(int)Errno.EINVAL;
        if (_groups.ContainsKey(registration->Group))
            return -(int)Errno.EEXIST;
        _groups.Add(registration->Group, new BufferGroup(this, registration->Group, (RingBuffer*)registration->Address, registration->Entries));
        return 0;
    }

    private int RemoveGroup(BufferRingRegistration* registration)
    {
        if (!UserMemory.IsMapped(registration, (nuint)sizeof(BufferRingRegistration)))
            return -(int)Errno.EFAULT;
        if (registration->Flags != 0)
            return -(int)Errno.EINVAL;
        if (!_groups.Remove(registration->Group, out BufferGroup? group))
            return -(int)Errno.ENOENT;
        group.Forget();
        return 0;
    }

    // io_sync_cancel
    private int CancelNow(SimKernel process, SimThread thread, SyncCancelRequest* request)
    {
        if (!UserMemory.IsMapped(request, (nuint)sizeof(SyncCancelRequest)))
            return -(int)Errno.EFAULT;
        if ((request->Flags & ~CancelMatch.Known) != 0)
            return -(int)Errno.EINVAL;
        SimFile? file = null;
        if ((request->Flags & AsyncCancelFlags.Descriptor) != 0)
        {
            file = (request->Flags & CancelMatch.ByFixedFile) != 0 ? FindRegistered(request->Descriptor) : process.Descriptors.Find(request->Descriptor);
            if (file == null)
                return -(int)Errno.EBADF;
        }

        var match = new CancelMatch { Flags = request->Flags, UserData = request->UserData, Op = (IoUringOp)request->Op, File = file };
        int result = Cancel(match);
        if (result != -(int)Errno.EALREADY)
            return result;
        // A worker is at it: looked at again whenever something completes.
        long deadline = request->Timeout is { Seconds: -1, Nanoseconds: -1 } ? World.Never : TimeoutFlags.Deadline(World, request->Timeout, IoUringTimeoutFlags.None);
        while (true)
        {
            result = Cancel(match);
            if (result != -(int)Errno.EALREADY)
                return result is -(int)Errno.ENOENT or > 0 ? 0 : result;
            thread.RunTaskWork();
            if (HasLocalWork)
                RunLocalWork(int.MaxValue, int.MaxValue);
            if (thread.HasSignal)
                return -(int)Errno.EINTR;
            var entry = new ThreadWait(thread);
            _cancelWaiters.AddLast(entry);
            bool woken;
            try
            {
                woken = World.Block(thread, deadline);
            }
            finally
            {
                entry.Leave();
            }

            if (!woken)
                return -(int)Errno.ETIME;
        }
    }

    private readonly WaitQueue _cancelWaiters = new();

    // Messages from other rings

    /// <summary>io_msg_ring_data: a completion from another ring, worked out on this one's thread if only that may write completions.</summary>
    internal void Receive(SimThread sender, ulong userData, int result, CompletionFlags flags)
    {
        if (!Defers)
        {
            Post(userData, result, flags);
            return;
        }

        var message = new MessageFromRing();
        Adopt(message, _submitter ?? sender, userData);
        message.Result = result;
        message.ResultFlags = flags;
        AddWork(message, RingWorkKind.Complete, lazy: true);
    }

    /// <summary>Takes in a request that no submission made.</summary>
    internal void Adopt(RingRequest request, SimThread thread, ulong userData)
    {
        request.Take(this, thread, new Submission { UserData = userData });
        _requests.Add(request);
    }
}
