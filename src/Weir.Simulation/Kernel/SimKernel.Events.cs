namespace Weir.Simulation;

public sealed unsafe partial class SimKernel
{
    // A look that finds nothing takes this long, so that whoever looks again and again lets time pass.
    private const long EmptyLook = 100;

    private const EpollEvents AllowedWithExclusive =
        EpollEvents.In | EpollEvents.Out | EpollEvents.Err | EpollEvents.Hup | EpollEvents.WakeUp | EpollEvents.EdgeTriggered | EpollEvents.Exclusive;

    /// <inheritdoc/>
    public override int EpollCreate1(FileFlags flags)
    {
        using Call call = Begin(SystemCall.EpollCreate1);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if ((flags & ~FileFlags.CloseOnExec) != 0)
            return call.Returns(-(int)Errno.EINVAL);
        return call.Returns(Install(new EpollFile(World, Machine, FileFlags.ReadWrite), (flags & FileFlags.CloseOnExec) != 0));
    }

    /// <summary>epoll_create(2), the older call: the size says nothing, but must be one.</summary>
    internal int EpollCreate(int size)
    {
        if (size > 0)
            return EpollCreate1(0);
        using Call call = Begin(SystemCall.EpollCreate);
        return call.Returns(call.Fault < 0 ? call.Fault : -(int)Errno.EINVAL);
    }

    /// <inheritdoc/>
    public override int EpollCtl(int epfd, EpollOp op, int fd, void* epollEvent)
    {
        using Call call = Begin(SystemCall.EpollCtl, fd, (int)op);
        return call.Returns(call.Fault < 0 ? call.Fault : Control(epfd, op, fd, epollEvent));
    }

    // do_epoll_ctl: the order of the checks is the kernel's.
    internal int Control(int epfd, EpollOp op, int fd, void* epollEvent)
    {
        EpollEvents events = EpollEvents.None;
        ulong data = 0;
        if (op != EpollOp.Delete)
        {
            if (!UserMemory.IsMapped(epollEvent, (nuint)EpollEventLayout.Size))
                return -(int)Errno.EFAULT;
            events = EpollEventLayout.Events(epollEvent, 0);
            data = EpollEventLayout.Data(epollEvent, 0);
        }

        SimFile? instance = Descriptors.Find(epfd);
        if (instance == null)
            return -(int)Errno.EBADF;
        SimFile? target = Descriptors.Find(fd);
        if (target == null)
            return -(int)Errno.EBADF;
        if (!target.CanPoll)
            return -(int)Errno.EPERM;
        if (instance == target || instance is not EpollFile epoll)
            return -(int)Errno.EINVAL;
        if (op != EpollOp.Delete && (events & EpollEvents.Exclusive) != 0)
        {
            if (op == EpollOp.Modify)
                return -(int)Errno.EINVAL;
            if (op == EpollOp.Add && (target is EpollFile || (events & ~AllowedWithExclusive) != 0))
                return -(int)Errno.EINVAL;
        }

        bool checkPaths = op == EpollOp.Add && (epoll.Watchers.Count > 0 || target is EpollFile);
        if (checkPaths && target is EpollFile inner && epoll.WouldNestTooDeep(inner))
            return -(int)Errno.ELOOP;
        return op switch
        {
            EpollOp.Add when World.Faults.RefusesWatch(target) => -(int)Errno.ENOMEM,
            EpollOp.Add => epoll.Add(target, fd, events, data, checkPaths),
            EpollOp.Delete => epoll.Delete(target, fd),
            EpollOp.Modify => epoll.Modify(target, fd, events, data),
            _ => -(int)Errno.EINVAL,
        };
    }

    /// <inheritdoc/>
    public override int EpollWait(int epfd, void* events, int maxEvents, int timeoutMilliseconds)
    {
        using Call call = Begin(SystemCall.EpollWait, epfd);
        long timeout = timeoutMilliseconds < 0 ? World.Never : timeoutMilliseconds * 1_000_000L;
        return call.Returns(call.Fault < 0 ? call.Fault : WaitForEvents(call.Thread, epfd, events, maxEvents, timeout));
    }

    /// <inheritdoc/>
    public override int EpollPWait2(int epfd, void* events, int maxEvents, TimeSpec* timeout) => EpollPWait2(epfd, events, maxEvents, timeout, null, 0);

    /// <summary>As the call that the door has, with other signals blocked than usual if <paramref name="blocked"/> names a set, of so many bytes.</summary>
    internal int EpollPWait2(int epfd, void* events, int maxEvents, TimeSpec* timeout, ulong* blocked, nuint blockedSize)
    {
        using Call call = Begin(SystemCall.EpollPWait2, epfd);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        long nanoseconds = World.Never;
        if (timeout != null)
        {
            if (!UserMemory.IsMapped(timeout, (nuint)sizeof(TimeSpec)))
                return call.Returns(-(int)Errno.EFAULT);
            if (timeout->Seconds < 0 || timeout->Nanoseconds is < 0 or >= 1_000_000_000)
                return call.Returns(-(int)Errno.EINVAL);
            nanoseconds = timeout->Seconds >= World.Never / 1_000_000_000 ? World.Never : timeout->ToNanoseconds();
        }

        if (blocked == null)
            return call.Returns(WaitForEvents(call.Thread, epfd, events, maxEvents, nanoseconds));
        if (blockedSize != sizeof(ulong))
            return call.Returns(-(int)Errno.EINVAL);
        if (!UserMemory.IsMapped(blocked, sizeof(ulong)))
            return call.Returns(-(int)Errno.EFAULT);
        return call.Returns(WaitForEvents(call.Thread, epfd, events, maxEvents, nanoseconds, *blocked));
    }

    private int WaitForEvents(SimThread thread, int epfd, void* events, int maxEvents, long timeout)
    {
        if (thread.Process.HasExited)
            throw Ended(thread); // a loop that was on its way here when its process ended; it has not been told yet
        // The order of Linux 6.18; 6.12 looks at maxevents and the buffer first.
        SimFile? file = Descriptors.Find(epfd);
        if (file == null)
            return -(int)Errno.EBADF;
        if (maxEvents is <= 0 or > EpollFile.MaxEvents)
            return -(int)Errno.EINVAL;
        if (file is not EpollFile epoll)
            return -(int)Errno.EINVAL;
        epoll.Acquire(); // closed while somebody waits in it, it lives until he returns
        try
        {
            int count = epoll.Wait(thread, events, maxEvents, thread.WaitIsOver ? 0 : DeadlineAfter(timeout));
            if (count == 0 && thread.WaitIsOver && thread.HasSignal)
                count = -(int)Errno.EINTR; // it came while the loop waited outside
            thread.WaitIsOver = false;
            if (count == 0 && timeout == 0 && !World.IsLive)
                World.Clock.AdvanceTo(World.Now + EmptyLook);
            return count;
        }
        finally
        {
            epoll.Drop();
        }
    }

    /// <summary>0: at once; <see cref="World.Never"/>: never.</summary>
    private long DeadlineAfter(long timeout) => timeout switch
    {
        0 => 0,
        World.Never => World.Never,
        _ => timeout > World.Never - World.Now ? World.Never : World.Now + timeout,
    };

    /// <inheritdoc/>
    public override int Poll(PollEntry* entries, uint count, int timeoutMilliseconds)
    {
        using Call call = Begin(SystemCall.Poll);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if (count > Descriptors.SoftLimit)
            return call.Returns(-(int)Errno.EINVAL);
        if (!UserMemory.IsMapped(entries, count * (nuint)sizeof(PollEntry)))
            return call.Returns(-(int)Errno.EFAULT);
        long timeout = timeoutMilliseconds < 0 ? World.Never : timeoutMilliseconds * 1_000_000L;
        return call.Returns(PollFiles(call.Thread, new Span<PollEntry>(entries, (int)count), DeadlineAfter(timeout)));
    }

    // do_sys_poll: everybody who polls is woken, and looks at all descriptors again. A number may stand for another file by then; who is to
    // wake the thread are the files there were in the beginning.
    private int PollFiles(SimThread thread, Span<PollEntry> entries, long deadline)
    {
        var waits = new List<ThreadWait>();
        var files = new SimFile?[entries.Length];
        for (int i = 0; i < entries.Length; i++)
            (files[i] = entries[i].Descriptor < 0 ? null : Descriptors.Find(entries[i].Descriptor))?.Acquire();
        try
        {
            bool timedOut = deadline == 0;
            while (true)
            {
                int ready = 0;
                for (int i = 0; i < entries.Length; i++)
                {
                    EpollEvents found = PollFile(thread, ref entries[i], entries[i].Descriptor < 0 ? null : Descriptors.Find(entries[i].Descriptor));
                    entries[i].Returned = (short)found;
                    if (found != EpollEvents.None)
                        ready++;
                }

                if (ready > 0 || timedOut)
                    return ready;
                // Goes on if no handler has run; SA_RESTART does not count here.
                if (thread.HasSignal && thread.Process.DeliverSignals(thread) != SignalOutcome.Nothing)
                    return -(int)Errno.EINTR;
                for (int i = 0; i < entries.Length; i++)
                {
                    if (files[i] is not { CanPoll: true } file)
                        continue;
                    EpollEvents filter = (EpollEvents)(ushort)entries[i].Events | EpollEvents.Err | EpollEvents.Hup;
                    Join(file.WaitQueue, filter);
                    if (file.SecondWaitQueue != null)
                        Join(file.SecondWaitQueue, filter);
                }

                timedOut = !World.Block(thread, deadline);
                waits.ForEach(wait => wait.Leave());
                waits.Clear();
            }
        }
        finally
        {
            waits.ForEach(wait => wait.Leave());
            foreach (SimFile? file in files)
                file?.Drop();
        }

        void Join(WaitQueue queue, EpollEvents filter)
        {
            var wait = new ThreadWait(thread, filter);
            queue.AddFirst(wait);
            waits.Add(wait);
        }
    }

    private static EpollEvents PollFile(SimThread thread, ref PollEntry entry, SimFile? file)
    {
        const EpollEvents Invalid = (EpollEvents)0x20; // POLLNVAL
        const EpollEvents DefaultMask = EpollEvents.In | EpollEvents.Out | EpollEvents.RdNorm | EpollEvents.WrNorm;
        if (entry.Descriptor < 0)
            return EpollEvents.None;
        if (file == null)
            return Invalid;
        EpollEvents mask = file.CanPoll ? file.PollFor(thread) & ~file.Held : DefaultMask;
        return mask & ((EpollEvents)(ushort)entry.Events | EpollEvents.Err | EpollEvents.Hup);
    }

    /// <inheritdoc/>
    public override int EventFd(uint initialCount, EventFdFlags flags)
    {
        using Call call = Begin(SystemCall.EventFd);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if ((flags & ~(EventFdFlags.Semaphore | EventFdFlags.NonBlock | EventFdFlags.CloseOnExec)) != 0)
            return call.Returns(-(int)Errno.EINVAL);
        return call.Returns(Install(new EventFdFile(World, initialCount, flags), (flags & EventFdFlags.CloseOnExec) != 0));
    }
}
