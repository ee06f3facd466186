namespace Weir.Simulation;

/// <summary>
/// An open file description: what descriptors of one or several processes refer to, what an epoll instance watches, and what lives
/// until the last of them is closed. Derived classes are the kinds of file.
/// </summary>
/// <remarks>
/// A state change is finished before its wakes go out, and nothing is changed after them: a wake polls other files and must never meet
/// one half-way. Calls return the result or a negated errno, as the door does.
/// </remarks>
internal abstract class SimFile
{
    /// <summary>FIONREAD of ioctl(2): bytes that can be read.</summary>
    protected const uint FileRead = 0x541B;

    private int _references;
    private Machine? _countedBy;

    protected SimFile(World world, FileFlags flags)
    {
        World = world;
        Flags = flags;
        Number = world.NextFileNumber();
    }

    /// <summary>Counts up over a simulation: names the file in traces and findings.</summary>
    internal int Number { get; }

    internal World World { get; }

    /// <summary>Access mode and status flags; those that F_SETFL may change are changed here.</summary>
    internal FileFlags Flags { get; set; }

    internal bool IsNonBlocking => (Flags & FileFlags.NonBlock) != 0;

    /// <summary>"eventfd", "pipe[read]": for people.</summary>
    internal abstract string Kind { get; }

    /// <summary>The registrations that watch it, the youngest first (struct file's f_ep).</summary>
    internal List<EpollItem> Watchers { get; } = [];

    /// <summary>False: epoll refuses it with EPERM, and poll(2) calls it always ready.</summary>
    internal virtual bool CanPoll => true;

    /// <summary>Bytes without boundaries, of which a call may move any number: pipes, stream sockets.</summary>
    internal virtual bool IsStream => false;

    /// <summary>Readiness that a fault keeps from everybody for a while: what it stands for has not arrived yet.</summary>
    internal EpollEvents Held { get; set; }

    /// <summary>The name that it was opened by, which it holds on to; null for files without one.</summary>
    internal Dentry? Place { get; private set; }

    /// <summary>What the detectors keep with it.</summary>
    internal FileWatch Watch;

    /// <summary>What is true of it now, as its f_op->poll would say.</summary>
    internal abstract EpollEvents Poll();

    /// <summary>As <see cref="Poll()"/>, for onlookers: looking must leave no mark that a later wake depends on.</summary>
    internal virtual EpollEvents Readiness => Poll();

    /// <summary>As <see cref="Poll()"/>, judged for a thread: signalfd tells every thread of its own signals.</summary>
    internal virtual EpollEvents PollFor(SimThread? thread) => Poll();

    /// <summary>Where those wait who want to hear of changes.</summary>
    internal abstract WaitQueue WaitQueue { get; }

    /// <summary>A second such place, where a file has one for each direction (a FIFO opened for both).</summary>
    internal virtual WaitQueue? SecondWaitQueue => null;

    internal virtual nint Read(SimThread thread, ref UserBuffer buffer) => Error(Errno.EINVAL);

    internal virtual nint Write(SimThread thread, ref UserBuffer buffer) => Error(Errno.EINVAL);

    internal virtual unsafe int Ioctl(uint request, void* argument) => -(int)Errno.ENOTTY;

    internal virtual int Fcntl(FcntlCommand command, nint argument)
        => command is FcntlCommand.GetPipeSize or FcntlCommand.SetPipeSize ? -(int)Errno.EBADF : -(int)Errno.EINVAL;

    /// <summary>
    /// f_op->splice_read: moves at most <paramref name="length"/> bytes, for which there is room, into slots of a pipe. <see cref="Pipe.Fill"/>
    /// does that by way of <see cref="Read"/>.
    /// </summary>
    internal virtual nint SpliceRead(SimThread thread, Pipe pipe, nuint length, SpliceFlags flags) => Error(Errno.EINVAL);

    /// <summary>f_op->splice_write: moves bytes out of slots of a pipe. <see cref="Pipe.Drain"/> does that by way of <see cref="Write"/>.</summary>
    internal virtual nint SpliceWrite(SimThread thread, Pipe pipe, nuint length, SpliceFlags flags) => Error(Errno.EINVAL);

    /// <summary>The last reference is gone; registrations have been removed already.</summary>
    protected virtual void Release()
    {
    }

    internal int References => _references;

    internal bool IsPathOnly => (Flags & OpenFlags.Path) != 0;

    /// <summary>On its first descriptor: has a machine count it among its open files until it is gone. False: there are too many.</summary>
    internal bool CountIn(Machine machine)
    {
        if (_countedBy != null)
            return true;
        if (machine.OpenFiles >= machine.MaxOpenFiles)
            return false;
        machine.OpenFiles++;
        _countedBy = machine;
        return true;
    }

    internal void Acquire() => _references++;

    /// <summary>It has been opened by a name.</summary>
    internal void OpenedAt(Dentry place)
    {
        Place = place;
        place.Pin();
    }

    /// <summary>__fput: watchers of the name hear of it first, epoll lets go of it, and then it goes itself.</summary>
    internal void Drop()
    {
        if (--_references > 0)
            return;
        FsNotify.OfFile(this, SimKernel.IsWritable(this) ? InotifyEvents.CloseWrite : InotifyEvents.CloseNoWrite);
        World.Log.FileReleased(this);
        while (Watchers.Count > 0)
            Watchers[^1].Epoll.Remove(Watchers[^1]);
        if (_countedBy != null)
            _countedBy.OpenFiles--;
        Release();
        Place?.Unpin();
    }

    /// <summary>put_user of an int.</summary>
    protected static unsafe int PutInt(void* to, int value)
    {
        if (!UserMemory.IsMapped(to, sizeof(int)))
            return -(int)Errno.EFAULT;
        *(int*)to = value;
        return 0;
    }

    protected static nint Error(Errno errno) => -(nint)(int)errno;

    public override string ToString() => $"{Kind} #{Number}";
}
