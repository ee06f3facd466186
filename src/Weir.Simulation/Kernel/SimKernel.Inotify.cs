namespace Weir.Simulation;

// fs/notify/inotify/inotify_user.c
public sealed unsafe partial class SimKernel
{
    private const InotifyEvents AllInotifyBits = InotifyEvents.All | InotifyEvents.Unmount | InotifyEvents.QueueOverflow | InotifyEvents.Ignored
        | InotifyEvents.OnlyDirectory | InotifyEvents.DoNotFollow | InotifyEvents.ExcludeUnlinked | InotifyEvents.MaskCreate | InotifyEvents.MaskAdd
        | InotifyEvents.IsDirectory | InotifyEvents.OneShot;

    /// <inheritdoc/>
    public override int InotifyInit()
    {
        using Call call = Begin(SystemCall.InotifyInit);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if (Machine.InotifyInstances >= Machine.MaxInotifyInstances)
            return call.Returns(-(int)Errno.EMFILE);
        return call.Returns(Install(new InotifyFile(Machine, FileFlags.NonBlock), closeOnExec: true));
    }

    /// <inheritdoc/>
    public override int InotifyAddWatch(int fd, byte* path, InotifyEvents events)
    {
        using Call call = Begin(SystemCall.InotifyAddWatch, fd);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        const InotifyEvents Contradiction = InotifyEvents.MaskAdd | InotifyEvents.MaskCreate;
        if ((events & ~AllInotifyBits) != 0 || events == 0)
            return call.Returns(-(int)Errno.EINVAL);
        int error = FindInotify(fd, out InotifyFile? inotify);
        if (inotify == null)
            return call.Returns(error);
        if ((events & Contradiction) == Contradiction)
            return call.Returns(-(int)Errno.EINVAL);
        if (!TryPath(path, out string name, out error))
            return call.Returns(error);
        FileNode? node = Machine.FindNode(name, out error);
        if (node == null)
            return call.Returns(error);
        if ((events & InotifyEvents.OnlyDirectory) != 0 && !node.IsDirectory)
            return call.Returns(-(int)Errno.ENOTDIR);
        return call.Returns(inotify.AddWatch(node, events));
    }

    /// <inheritdoc/>
    public override int InotifyRemoveWatch(int fd, int watch)
    {
        using Call call = Begin(SystemCall.InotifyRemoveWatch, fd);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        int error = FindInotify(fd, out InotifyFile? inotify);
        return call.Returns(inotify?.Remove(watch) ?? error);
    }

    private int FindInotify(int fd, out InotifyFile? inotify)
    {
        SimFile? file = Descriptors.Find(fd);
        inotify = file as InotifyFile;
        return inotify != null ? 0 : file == null ? -(int)Errno.EBADF : -(int)Errno.EINVAL;
    }
}
