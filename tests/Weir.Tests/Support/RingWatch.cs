namespace Weir.Tests;

/// <summary>Counts what goes by registered files in a loop's ring, and what is registered there.</summary>
public sealed unsafe class RingWatch(Kernel inner) : RingViewKernel(inner)
{
    /// <summary>Submissions by the place of a registered file.</summary>
    internal int ByPlace { get; private set; }

    /// <summary>Tables that were asked for.</summary>
    internal int Tables { get; private set; }

    /// <summary>Places that were asked for.</summary>
    internal int Placed { get; private set; }

    /// <summary>Places that were to be emptied.</summary>
    internal int Emptied { get; private set; }

    /// <summary>Tables given back.</summary>
    internal int Unregistered { get; private set; }

    /// <summary>What asking for a table is refused with.</summary>
    internal Errno RefuseTables { get; set; }

    /// <summary>How many of the next places are refused.</summary>
    internal int RefusePlaces { get; set; }

    /// <summary>How often the next places cannot be emptied.</summary>
    internal int RefuseEmptying { get; set; }

    /// <summary>Whether files are registered on this kernel at all.</summary>
    internal static bool HasPlaces(Kernel kernel)
    {
        IoUringParameters parameters = default;
        int fd = kernel.IoUringSetup(1, &parameters);
        if (fd >= 0)
            kernel.Close(fd);
        return (parameters.Features & IoUringFeatures.ReadWriteAttributes) != 0;
    }

    private protected override void Submitted(in Submission entry)
    {
        if ((entry.Flags & SubmissionFlags.FixedFile) != 0)
            ByPlace++;
    }

    public override int IoUringRegister(int fd, IoUringRegisterOp operation, void* argument, uint count)
    {
        switch (operation)
        {
            case IoUringRegisterOp.Files2:
                Tables++;
                if (RefuseTables != Errno.None)
                    return -(int)RefuseTables;
                break;
            case IoUringRegisterOp.FilesUpdate when *(int*)((ResourceUpdate*)argument)->Data >= 0:
                Placed++;
                if (RefusePlaces > 0 && RefusePlaces-- > 0)
                    return -(int)Errno.ENOMEM;
                break;
            case IoUringRegisterOp.FilesUpdate:
                Emptied++;
                if (RefuseEmptying > 0 && RefuseEmptying-- > 0)
                    return -(int)Errno.EINTR;
                break;
            case IoUringRegisterOp.UnregisterFiles:
                Unregistered++;
                break;
        }

        return base.IoUringRegister(fd, operation, argument, count);
    }
}
