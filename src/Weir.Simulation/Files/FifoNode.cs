namespace Weir.Simulation;

/// <summary>A FIFO's place in the file system: fifo_open of fs/pipe.c.</summary>
internal sealed class FifoNode : FileNode
{
    /// <summary>What its open files share; null while there are none.</summary>
    internal Pipe? Pipe { get; set; }

    internal override byte DirectoryType => DirectoryEntryTypes.Fifo;

    internal override SimFile? Open(SimThread thread, Machine machine, string path, FileFlags flags, out int error)
    {
        Pipe pipe = Pipe ??= new Pipe(machine.World);
        pipe.Files++;
        error = -(int)Errno.EINTR; // for a thread that ends while it waits
        try
        {
            int openedAtWriter = 0;
            error = ((int)flags & 3) switch
            {
                (int)FileFlags.ReadOnly => OpenToRead(thread, pipe, flags, out openedAtWriter),
                (int)FileFlags.WriteOnly => OpenToWrite(thread, pipe, flags),
                (int)FileFlags.ReadWrite => OpenForBoth(pipe),
                _ => -(int)Errno.EINVAL,
            };
            return error < 0 ? null : new PipeFile(machine.World, pipe, flags, this) { OpenedAtWriter = openedAtWriter };
        }
        finally
        {
            if (error < 0)
            {
                pipe.Files--;
                PipeFile.FreeIfUnused(pipe, this);
            }
        }
    }

    private static int OpenToRead(SimThread thread, Pipe pipe, FileFlags flags, out int openedAtWriter)
    {
        openedAtWriter = 0;
        pipe.ReaderCounter++;
        if (pipe.Readers++ == 0)
            WakePartner(pipe);
        if (pipe.Writers > 0)
            return 0;
        if ((flags & FileFlags.NonBlock) != 0)
        {
            openedAtWriter = pipe.WriterCounter;
            return 0;
        }

        int counter = pipe.WriterCounter, error = -(int)Errno.EINTR;
        try
        {
            do
                error = thread.World.WaitIn(thread, pipe.ReadQueue, exclusive: false);
            while (error == 0 && counter == pipe.WriterCounter);
            return error;
        }
        finally
        {
            if (error < 0 && --pipe.Readers == 0)
                pipe.WriteQueue.Wake(EpollEvents.None);
        }
    }

    private static int OpenToWrite(SimThread thread, Pipe pipe, FileFlags flags)
    {
        if ((flags & FileFlags.NonBlock) != 0 && pipe.Readers == 0)
            return -(int)Errno.ENXIO;
        pipe.WriterCounter++;
        if (pipe.Writers++ == 0)
            WakePartner(pipe);
        if (pipe.Readers > 0)
            return 0;
        int counter = pipe.ReaderCounter, error = -(int)Errno.EINTR;
        try
        {
            do
                error = thread.World.WaitIn(thread, pipe.ReadQueue, exclusive: false);
            while (error == 0 && counter == pipe.ReaderCounter);
            return error;
        }
        finally
        {
            if (error < 0 && --pipe.Writers == 0)
                pipe.ReadQueue.Wake(EpollEvents.None, 0);
        }
    }

    // Never waits: the process can talk to itself.
    private static int OpenForBoth(Pipe pipe)
    {
        pipe.Readers++;
        pipe.Writers++;
        pipe.ReaderCounter++;
        pipe.WriterCounter++;
        if (pipe.Readers == 1 || pipe.Writers == 1)
            WakePartner(pipe);
        return 0;
    }

    // Those who open and wait for the other side stand in one queue, whichever side theirs is.
    private static void WakePartner(Pipe pipe) => pipe.ReadQueue.Wake(EpollEvents.None, 0);
}
