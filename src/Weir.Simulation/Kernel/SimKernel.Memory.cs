namespace Weir.Simulation;

// Memory that a program has mapped by the door: rings, and pages of its own.
public sealed unsafe partial class SimKernel
{
    private readonly Dictionary<nint, Mapping> _mappings = [];
    private readonly List<MappedMemory> _lostMemory = []; // unmapped while the kernel owned some of it

    private sealed class Mapping
    {
        internal required MappedMemory Memory { get; init; }

        /// <summary>What is mapped: kept open by that.</summary>
        internal SimFile? File { get; init; }

        internal required nuint Length { get; init; }

        /// <summary>How often; all mappings of one thing are at one address here.</summary>
        internal int Count { get; set; } = 1;
    }

    /// <inheritdoc/>
    public override nint MMap(nuint length, int fd, long offset)
    {
        using Call call = Begin(SystemCall.MMap, fd);
        if (call.Fault < 0)
            return call.Returns((nint)call.Fault);
        if (length == 0 || offset % (long)MappedMemory.PageSize != 0)
            return call.Returns(-(nint)(int)Errno.EINVAL);
        if (fd < 0)
            return call.ReturnsAddress(Enter(new Mapping { Memory = new MappedMemory(length), Length = length }));
        switch (Descriptors.Find(fd))
        {
            case null:
                return call.Returns(-(nint)(int)Errno.EBADF);
            case RingFile ring:
                const long Parts = 0xF8000000; // IORING_OFF_MMAP_MASK
                MappedMemory? memory = (offset & Parts) switch
                {
                    IoUringOffset.SubmissionRing or IoUringOffset.CompletionRing => ring.Memory.Rings,
                    IoUringOffset.SubmissionEntries => ring.Memory.Entries,
                    _ => null,
                };
                if (memory == null)
                    return call.Returns(-(nint)(int)Errno.ENOMEM); // no place is found for it
                ring.Acquire();
                return call.ReturnsAddress(Enter(new Mapping { Memory = memory, File = ring, Length = length }));
            case RegularFile:
                throw NotEmulated("mmap of a file");
            default:
                return call.Returns(-(nint)(int)Errno.ENODEV);
        }
    }

    private nint Enter(Mapping mapping)
    {
        nint address = (nint)mapping.Memory.Start;
        if (_mappings.TryGetValue(address, out Mapping? same))
            same.Count++;
        else
            _mappings.Add(address, mapping);
        return address;
    }

    /// <inheritdoc/>
    public override int MUnmap(void* address, nuint length)
    {
        using Call call = Begin(SystemCall.MUnmap);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if (length == 0 || (nuint)address % MappedMemory.PageSize != 0)
            return call.Returns(-(int)Errno.EINVAL);
        if (!_mappings.TryGetValue((nint)address, out Mapping? mapping))
        {
            // Where nothing is mapped, there is nothing to do.
            return _mappings.Values.Any(known => known.Memory.Overlaps((nuint)address, length)) ? throw NotEmulated("munmap of a part") : call.Returns(0);
        }

        if (length < mapping.Length)
            throw NotEmulated("munmap of a part");
        Unmap((nint)address, mapping);
        return call.Returns(0);
    }

    private void Unmap(nint address, Mapping mapping)
    {
        mapping.File?.Drop();
        if (--mapping.Count > 0)
            return;
        _mappings.Remove(address);
        if (mapping.File != null)
            return; // the ring's own, and gone with it
        // A request in progress may still read or write it; a ring does without asking.
        if (HasExited)
            return;
        bool isFree = World.Detectors.Buffers.Unmapped((void*)address, mapping.Memory.Length);
        if (isFree && !HasRequests)
            mapping.Memory.Free();
        else
            _lostMemory.Add(mapping.Memory);
    }

    private bool HasRequests => _rings.Any(known => known.TryGetTarget(out RingFile? ring) && ring is { IsClosed: false, Requests.Count: > 0 });

    private void UnmapAll()
    {
        foreach ((nint address, Mapping mapping) in _mappings.ToArray())
        {
            _lostMemory.Add(mapping.Memory);
            (mapping.File as RingFile)?.KeepMemory();
            for (int left = mapping.Count; left > 0; left--)
                Unmap(address, mapping);
        }
    }
}
