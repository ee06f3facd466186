namespace Weir;

/// <summary>
/// Places for open files in a ring's table of registered files (io_uring_register_files(3)): a submission that names a place is spared the
/// look-up of a descriptor. The table holds on to a file until its place is given back. For the ring's thread.
/// </summary>
internal sealed unsafe class RegisteredFiles : IDisposable
{
    /// <summary>How many files have a place at once. The kernel takes no more than RLIMIT_NOFILE, and 8 bytes for each.</summary>
    internal const int Places = 1024;

    private const int Empty = -1;
    private const int MostRefusals = 4;

    private readonly Ring _ring;
    private readonly ushort[] _free;
    private int _freeCount;

    private RegisteredFiles(Ring ring)
    {
        _ring = ring;
        _free = new ushort[Places];
        for (int place = Places - 1; place >= 0; place--)
            _free[_freeCount++] = (ushort)place;
    }

    /// <summary>
    /// Makes the table, which a ring can have one of. Null: there is none to be had, for want of memory (ENOMEM) or descriptors (EMFILE), or on a
    /// kernel before 6.14.
    /// </summary>
    /// <remarks>
    /// Up to 6.12 a file whose place is given back stays open until everything else is done that was in flight on registered files at that moment:
    /// to close it would not end it. No feature came with 6.13, which changed that; the one asked for came next.
    /// </remarks>
    internal static RegisteredFiles? TryCreate(Ring ring)
    {
        if ((ring.Features & IoUringFeatures.ReadWriteAttributes) == 0)
            return null;
        var registration = new ResourceRegistration { Count = Places, Flags = ResourceRegistration.Sparse };
        return ring.Register(IoUringRegisterOp.Files2, &registration, (uint)sizeof(ResourceRegistration)) < 0 ? null : new RegisteredFiles(ring);
    }

    /// <summary>Gives a file a place. -1: all are taken, or the kernel refuses.</summary>
    internal int Add(int fd)
    {
        if (_freeCount == 0)
            return -1;
        int place = _free[_freeCount - 1];
        if (Put(place, fd) != 1)
            return -1;
        _freeCount--;
        return place;
    }

    /// <summary>Takes a place back: from here on the table does not hold on to the file, but what is in flight there still does.</summary>
    internal void Remove(int place)
    {
        // Nothing in the kernel can fail here. What else refuses the call may pass; if not, the file stays open as long as the table.
        for (int refusals = 0; refusals < MostRefusals; refusals++)
        {
            if (Put(place, Empty) != 1)
                continue;
            _free[_freeCount++] = (ushort)place;
            return;
        }
    }

    private int Put(int place, int fd)
    {
        var update = new ResourceUpdate { Offset = (uint)place, Data = (ulong)&fd };
        return _ring.Register(IoUringRegisterOp.FilesUpdate, &update, 1);
    }

    /// <summary>Gives the table back, before the ring: files left in a ring that is closed are let go later, by a thread of the kernel.</summary>
    public void Dispose()
    {
        if (_freeCount < Places)
            _ring.Register(IoUringRegisterOp.UnregisterFiles, null, 0);
        _freeCount = Places;
    }
}
