namespace Weir.Simulation;

// The table of registered files: io_uring/filetable.c and rsrc.c. It holds on to a file until its place is emptied; requests in flight hold on to it
// themselves.
internal sealed unsafe partial class RingFile
{
    private const uint MostRegisteredFiles = 1 << 20; // IORING_MAX_FIXED_FILES
    private const int EmptyPlace = -1, SkippedPlace = -2; // IORING_REGISTER_FILES_SKIP

    private SimFile?[]? _registeredFiles;

    /// <summary>io_file_get_fixed: null for an empty place, and where there is none.</summary>
    internal SimFile? FindRegistered(int place)
        => _registeredFiles is { } files && (uint)place < (uint)files.Length ? files[place] : null;

    // io_register_rsrc, of files
    private int RegisterFiles(SimKernel process, ResourceRegistration* registration, uint size)
    {
        if (size != sizeof(ResourceRegistration))
            return -(int)Errno.EINVAL;
        if (!UserMemory.IsMapped(registration, size))
            return -(int)Errno.EFAULT;
        if (registration->Count == 0 || (registration->Flags & ~ResourceRegistration.Sparse) != 0)
            return -(int)Errno.EINVAL;
        if (registration->Flags != 0 && registration->Data != 0)
            return -(int)Errno.EINVAL;
        if (registration->Tags != 0)
            throw new NotSupportedException("not emulated: tags of registered files");
        return RegisterFiles(process, (int*)registration->Data, registration->Count);
    }

    // io_sqe_files_register. Without descriptors all places are empty.
    private int RegisterFiles(SimKernel process, int* descriptors, uint count)
    {
        if (_registeredFiles != null)
            return -(int)Errno.EBUSY;
        if (count == 0)
            return -(int)Errno.EINVAL;
        if (count > Math.Min(MostRegisteredFiles, process.Descriptors.SoftLimit))
            return -(int)Errno.EMFILE;
        if (World.Faults.RefusesRegistration(this))
            return -(int)Errno.ENOMEM;
        _registeredFiles = new SimFile?[count];
        int error = 0;
        for (uint place = 0; place < count && descriptors != null && error == 0; place++)
        {
            if (!UserMemory.IsMapped(descriptors + place, sizeof(int)))
                error = -(int)Errno.EFAULT;
            else if (descriptors[place] != EmptyPlace)
                error = Occupy(process, place, descriptors[place]);
        }

        if (error < 0)
            ForgetRegisteredFiles();
        return error;
    }

    private int Occupy(SimKernel process, uint place, int descriptor)
    {
        // A ring would keep itself alive.
        if (process.Descriptors.Find(descriptor) is not { } file || file is RingFile)
            return -(int)Errno.EBADF;
        file.Acquire();
        _registeredFiles![place] = file;
        return 0;
    }

    // io_register_files_update: how many were changed, or why the first was not.
    private int UpdateFiles(SimKernel process, ResourceUpdate* update, uint count)
    {
        if (count == 0)
            return -(int)Errno.EINVAL;
        if (!UserMemory.IsMapped(update, (nuint)sizeof(ResourceUpdate)))
            return -(int)Errno.EFAULT;
        if (((uint*)update)[1] != 0)
            return -(int)Errno.EINVAL;
        if (update->Offset + (ulong)count > uint.MaxValue)
            return -(int)Errno.EOVERFLOW;
        if (_registeredFiles is not { } files)
            return -(int)Errno.ENXIO;
        if (update->Offset + count > files.Length)
            return -(int)Errno.EINVAL;
        for (uint done = 0; done < count; done++)
        {
            int error = UpdateFile(process, update->Offset + done, (int*)update->Data + done);
            if (error < 0)
                return done > 0 ? (int)done : error;
        }

        return (int)count;
    }

    // The place is emptied first, whatever becomes of the new file.
    private int UpdateFile(SimKernel process, uint place, int* descriptor)
    {
        if (!UserMemory.IsMapped(descriptor, sizeof(int)))
            return -(int)Errno.EFAULT;
        if (*descriptor == SkippedPlace)
            return 0;
        SimFile? before = _registeredFiles![place];
        _registeredFiles[place] = null;
        before?.Drop();
        if (*descriptor == EmptyPlace)
            return 0;
        return World.Faults.RefusesRegistration(this) ? -(int)Errno.ENOMEM : Occupy(process, place, *descriptor);
    }

    // io_sqe_files_unregister
    private int UnregisterFiles()
    {
        if (_registeredFiles == null)
            return -(int)Errno.ENXIO;
        ForgetRegisteredFiles();
        return 0;
    }

    private void ForgetRegisteredFiles()
    {
        SimFile?[]? files = _registeredFiles;
        _registeredFiles = null;
        foreach (SimFile? file in files ?? [])
            file?.Drop();
    }
}
