namespace Weir.Simulation;

public sealed unsafe partial class SimKernel
{
    /// <inheritdoc/>
    public override int Pipe2(int* fds, FileFlags flags)
    {
        using Call call = Begin(SystemCall.Pipe2);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if ((flags & ~(FileFlags.CloseOnExec | FileFlags.NonBlock | OpenFlags.Direct)) != 0)
            return call.Returns(-(int)Errno.EINVAL);
        // Of two files the kernel makes both before it looks for numbers.
        if (Machine.OpenFiles + 2 > Machine.MaxOpenFiles)
            return call.Returns(-(int)Errno.ENFILE);
        (PipeFile read, PipeFile write) = PipeFile.MakePair(World, flags);
        int* numbers = stackalloc int[2];
        int error = InstallTwo(read, write, (flags & FileFlags.CloseOnExec) != 0, numbers);
        if (error == 0 && !UserMemory.IsMapped(fds, 2 * sizeof(int)))
        {
            error = -(int)Errno.EFAULT;
            Descriptors.Take(numbers[0])!.Drop();
            Descriptors.Take(numbers[1])!.Drop();
        }

        if (error == 0)
        {
            fds[0] = numbers[0];
            fds[1] = numbers[1];
        }

        return call.Returns(error);
    }

    /// <inheritdoc/>
    public override int MakeFifo(byte* path, int mode)
    {
        using Call call = Begin(SystemCall.MakeFifo);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        return call.Returns(TryPath(path, out string name, out int error) ? Machine.MakeNode(name, new FifoNode()) : error);
    }

    /// <inheritdoc/>
    public override nint Splice(int fdIn, long* offsetIn, int fdOut, long* offsetOut, nuint length, SpliceFlags flags)
    {
        using Call call = Begin(SystemCall.Splice, fdIn);
        if (call.Fault < 0)
            return call.Returns((nint)call.Fault);
        const SpliceFlags Gift = (SpliceFlags)8;
        if (length == 0)
            return call.Returns((nint)0);
        if ((flags & ~(SpliceFlags.Move | SpliceFlags.NonBlock | SpliceFlags.More | Gift)) != 0)
            return call.Returns(-(nint)(int)Errno.EINVAL);
        SimFile? input = Descriptors.Find(fdIn), output = Descriptors.Find(fdOut);
        if (input == null || output == null)
            return call.Returns(-(nint)(int)Errno.EBADF);
        input.Acquire();
        output.Acquire();
        try
        {
            nint moved = SpliceFiles(call.Thread, input, offsetIn, output, offsetOut, length, flags);
            if (moved > 0)
            {
                FsNotify.OfFile(output, InotifyEvents.Modify);
                FsNotify.OfFile(input, InotifyEvents.Access);
            }

            return call.Returns(moved);
        }
        finally
        {
            input.Drop();
            output.Drop();
        }
    }

    // do_splice
    private static nint SpliceFiles(SimThread thread, SimFile input, long* offsetIn, SimFile output, long* offsetOut, nuint length, SpliceFlags flags)
    {
        Pipe? from = (input as PipeFile)?.Pipe, to = (output as PipeFile)?.Pipe;
        if ((from != null && offsetIn != null) || (to != null && offsetOut != null))
            return -(int)Errno.ESPIPE;
        if (!IsReadable(input) || !IsWritable(output))
            return -(int)Errno.EBADF;
        if (from == null && to == null)
            return -(int)Errno.EINVAL;
        if (offsetIn != null || offsetOut != null)
        {
            if (input is SimSocket || output is SimSocket)
                return -(int)Errno.EINVAL;
            throw NotEmulated("splice with offsets");
        }

        if ((from != null && input.IsNonBlocking) || (to != null && output.IsNonBlocking))
            flags |= SpliceFlags.NonBlock;
        if (from == null)
            return to!.SpliceFrom(thread, input, length, flags);
        if (to != null)
            return from == to ? -(int)Errno.EINVAL : from.SpliceTo(thread, to, length, flags);
        return (output.Flags & FileFlags.Append) != 0 ? -(int)Errno.EINVAL : output.SpliceWrite(thread, from, length, flags);
    }
}
