namespace Weir;

/// <summary>The operations of a ring as system calls that block: for kernels without one.</summary>
internal static unsafe class BlockingCalls
{
    /// <summary>Whether there is a call for it.</summary>
    internal static bool Supports(IoUringOp op) => op is IoUringOp.Read or IoUringOp.Write or IoUringOp.ReadV or IoUringOp.WriteV
        or IoUringOp.FSync or IoUringOp.FAllocate or IoUringOp.FTruncate or IoUringOp.StatX or IoUringOp.OpenAt or IoUringOp.Close;

    /// <summary>Makes the call of an entry, again if a signal ends it; the result is that of the completion: a count or a negated errno.</summary>
    internal static int Perform(Kernel kernel, in Submission entry)
    {
        nint result;
        do
            result = PerformOnce(kernel, entry);
        while (result == -(int)Errno.EINTR && entry.Op != IoUringOp.Close);
        return (int)result;
    }

    private static nint PerformOnce(Kernel kernel, in Submission entry)
    {
        int fd = entry.Descriptor;
        var address = (void*)entry.Address;
        long offset = (long)entry.Offset;
        // No call moves more than 0x7ffff000 bytes (read(2), "Notes"), so counts fit.
        return entry.Op switch
        {
            IoUringOp.Read => kernel.PRead(fd, address, entry.Length, offset),
            IoUringOp.Write => kernel.PWrite(fd, address, entry.Length, offset),
            IoUringOp.ReadV => kernel.PReadV(fd, (IoVector*)address, (int)entry.Length, offset),
            IoUringOp.WriteV => kernel.PWriteV(fd, (IoVector*)address, (int)entry.Length, offset),
            IoUringOp.FSync => kernel.FSync(fd, (entry.OperationFlags & 1) != 0),
            IoUringOp.FAllocate => kernel.FAllocate(fd, (FileAllocation)entry.Length, offset, (long)entry.Address),
            IoUringOp.FTruncate => kernel.FTruncate(fd, offset),
            IoUringOp.StatX => kernel.StatX(fd, (byte*)address, (StatXFlags)entry.OperationFlags, (StatXMask)entry.Length, (StatXResult*)entry.Offset),
            IoUringOp.OpenAt => Open(kernel, (byte*)address, (FileFlags)entry.OperationFlags, (int)entry.Length),
            IoUringOp.Close => kernel.Close(fd),
            _ => -(int)Errno.EINVAL,
        };
    }

    // A FIFO without a writer would hold the thread for ever; regular files do not care.
    private static int Open(Kernel kernel, byte* path, FileFlags flags, int mode)
    {
        int fd = kernel.Open(path, flags | FileFlags.NonBlock, mode);
        if (fd < 0 || (flags & FileFlags.NonBlock) != 0)
            return fd;
        int status = kernel.Fcntl(fd, FcntlCommand.GetStatusFlags, 0);
        int result = status < 0 ? status : kernel.Fcntl(fd, FcntlCommand.SetStatusFlags, (nint)((FileFlags)status & ~FileFlags.NonBlock));
        if (result >= 0)
            return fd;
        kernel.Close(fd);
        return result;
    }
}
