namespace Weir.Conformance.Rings;

/// <summary>Cancelling, timeouts, links, messages between rings, pipes and files.</summary>
public sealed unsafe class RingOperationTests : ConformanceTests
{
    private const IoUringSetupFlags Coop = IoUringSetupFlags.CooperativeTaskRun | IoUringSetupFlags.TaskRunFlag;

    private static readonly IoUringSetupFlags[] Modes = [IoUringSetupFlags.None, Coop, Machine.Deferring];

    [Fact]
    public void Cancelling() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            Fd one = m.EventFd(), two = m.EventFd();
            (Fd a, Fd b) = m.SocketPair();
            byte* buffer = ring.Memory(64);
            ring.Poll(one, In, 1);
            ring.Poll(one, In, 2, multishot: true);
            ring.Poll(two, In, 2);
            ring.Receive(a, buffer, 16, 3);
            ring.Receive(a, buffer + 16, 16, 3);
            ring.Timeout(100_000, 4);
            ring.Submit();
            ring.Cancel(AsyncCancelFlags.None, 77, null, 100);
            ring.Cancel(AsyncCancelFlags.All, 77, null, 101);
            ring.Cancel(AsyncCancelFlags.Descriptor, 0, b, 102);
            ring.Cancel(AsyncCancelFlags.Descriptor, 0, null, 103);
            ring.Cancel(AsyncCancelFlags.Descriptor | AsyncCancelFlags.Any, 0, a, 104);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            ring.Cancel(AsyncCancelFlags.None, 1, null, 110);
            ring.Submit();
            ring.GetEvents();
            ring.Completions(sorted: true);
            ring.Cancel(AsyncCancelFlags.All, 2, null, 111);
            ring.Submit();
            ring.GetEvents();
            ring.Completions(sorted: true);
            ring.Cancel(AsyncCancelFlags.Descriptor | AsyncCancelFlags.All, 0, a, 112);
            ring.Submit();
            ring.GetEvents();
            ring.Completions(sorted: true);
            ring.Cancel(AsyncCancelFlags.None, 4, null, 113);
            ring.Submit();
            ring.GetEvents();
            ring.Completions(sorted: true);
            ring.Poll(one, In, 5);
            ring.Poll(two, In, 6);
            ring.Timeout(100_000, 7);
            ring.Cancel(AsyncCancelFlags.Any, 0, null, 114);
            ring.Submit();
            ring.GetEvents();
            ring.Completions(sorted: true);
            ring.Poll(one, In, 8);
            ring.Submit();
            ring.CancelNow(AsyncCancelFlags.None, 8);
            ring.CancelNow(AsyncCancelFlags.None, 8);
            ring.CancelNow(AsyncCancelFlags.Any, 0);
            ring.GetEvents();
            ring.Completions();
            ring.Close();
        }
    });

    [Fact]
    public void What_has_been_woken_is_cancelled_all_the_same() => Run(m =>
    {
        MachineRing ring = m.Ring();
        Fd one = m.EventFd();
        (Fd a, Fd b) = m.SocketPair();
        ring.Poll(one, In, 1);
        ring.Receive(a, ring.Memory(16), 16, 2);
        ring.Submit();
        m.WriteCount(one);
        m.Send(b, 1);
        ring.Cancel(AsyncCancelFlags.None, 1, null, 10);
        ring.Cancel(AsyncCancelFlags.None, 2, null, 20);
        ring.RemovePoll(1, 30);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
        m.Receive(a, 4).Is(1);
    });

    [Fact]
    public void A_partial_result_survives_cancelling() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd a, Fd b) = m.SocketPair();
        ring.Receive(a, ring.Memory(16), 16, 1, MessageFlags.WaitAll);
        ring.Submit();
        m.Send(b, 5);
        ring.GetEvents();
        ring.Expect();
        ring.Cancel(AsyncCancelFlags.None, 1, null, 2);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
    });

    [Fact]
    public void Timeouts() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            ring.Timeout(2, 1);
            ring.Submit();
            ring.WaitFor(5).Is(0); // a timeout ends a wait for more
            ring.Expect("1: ETIME");
            ring.Timeout(2, 2, flags: IoUringTimeoutFlags.Absolute);
            ring.Submit();
            ring.WaitFor(1).Is(0);
            ring.Expect("2: ETIME");
            ring.Timeout(100_000, 3, count: 2);
            ring.Submit();
            ring.Nop(10);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            ring.Nop(11);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            ring.Timeout(100_000, 4);
            ring.Submit();
            ring.RemoveTimeout(4, 20);
            ring.RemoveTimeout(5, 21);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            ring.Timeout(1, 5, flags: IoUringTimeoutFlags.Update);
            ring.Timeout(0, 6);
            ring.Submit();
            ring.WaitFor(2);
            ring.Completions();
            ring.Close();
        }
    });

    [Fact]
    public void Timeouts_that_count() => Run(m =>
    {
        MachineRing ring = m.Ring();
        ring.Timeout(100_000, 1, count: 3);
        ring.Timeout(100_000, 2, count: 1);
        ring.Timeout(100_000, 3, count: 2);
        ring.Timeout(100_000, 4);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
        for (ulong i = 0; i < 4; i++)
        {
            ring.Nop(100 + i);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
        }
    });

    [Fact]
    public void A_timeout_is_moved() => Run(m =>
    {
        MachineRing ring = m.Ring();
        ring.Timeout(100_000, 1);
        ring.Submit();
        var time = (TimeSpec*)ring.Memory(sizeof(TimeSpec));
        *time = TimeSpec.FromNanoseconds(1_000_000);
        ref Submission entry = ref ring.Next(IoUringOp.TimeoutRemove, 2);
        entry.Address = 1;
        entry.Offset = (ulong)time;
        entry.OperationFlags = (uint)IoUringTimeoutFlags.Update;
        ring.Submit();
        ring.Completions();
        ring.WaitFor(1);
        ring.Completions();
    });

    [Fact]
    public void Links() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            (Fd a, Fd b) = m.SocketPair();
            ring.Next(IoUringOp.Nop, 1).Flags = SubmissionFlags.Link;
            ring.Next(IoUringOp.Nop, 2).Flags = SubmissionFlags.Link;
            ring.Nop(3);
            ring.Nop(4);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            // One that fails cancels those behind it.
            ring.Next(IoUringOp.Receive, 5, -1).Flags = SubmissionFlags.Link;
            ring.Next(IoUringOp.Nop, 6).Flags = SubmissionFlags.Link;
            ring.Nop(7);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            ring.Next(IoUringOp.Receive, 8, -1).Flags = SubmissionFlags.HardLink;
            ring.Nop(9);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            // A chain with a bad entry in it does not begin.
            ring.Next(IoUringOp.Nop, 10).Flags = SubmissionFlags.Link;
            ring.Next((IoUringOp)222, 11).Flags = SubmissionFlags.Link;
            ring.Nop(12);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            // And one whose first waits.
            ring.Poll(a, In, 13);
            ref Submission poll = ref ring.Next(IoUringOp.PollAdd, 14, a.Number);
            poll.OperationFlags = (uint)In;
            poll.Flags = SubmissionFlags.Link;
            ring.Nop(15);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            m.Send(b, 1);
            ring.GetEvents();
            ring.Completions(sorted: true);
            ring.Close();
        }
    });

    [Fact]
    public void A_limit_to_what_is_in_front_of_it() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            (Fd a, Fd b) = m.SocketPair();
            byte* buffer = ring.Memory(16);
            var time = (TimeSpec*)ring.Memory(sizeof(TimeSpec));
            *time = TimeSpec.FromNanoseconds(2_000_000);
            Limited(ring, a, buffer, time, 1);
            ring.Submit();
            ring.WaitFor(2);
            ring.Completions(sorted: true);
            m.Send(b, 1);
            Limited(ring, a, buffer, time, 3);
            ring.Submit();
            ring.WaitFor(2);
            ring.Completions(sorted: true);
            *time = TimeSpec.FromNanoseconds(1_000_000_000);
            Limited(ring, a, buffer, time, 5);
            ring.Submit();
            m.Send(b, 1);
            ring.WaitFor(2);
            ring.Completions(sorted: true);
            ref Submission alone = ref ring.Next(IoUringOp.LinkTimeout, 7);
            alone.Address = (ulong)time;
            alone.Length = 1;
            ring.Submit();
            ring.Completions();
            ring.Close();
        }
    });

    private static void Limited(MachineRing ring, Fd fd, byte* buffer, TimeSpec* time, ulong data)
    {
        ref Submission receive = ref ring.Next(IoUringOp.Receive, data, fd.Number);
        receive.Address = (ulong)buffer;
        receive.Length = 16;
        receive.Flags = SubmissionFlags.Link;
        ref Submission limit = ref ring.Next(IoUringOp.LinkTimeout, data + 1);
        limit.Address = (ulong)time;
        limit.Length = 1;
    }

    [Fact]
    public void Success_is_not_told_if_it_is_not_asked_for() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd a, _) = m.SocketPair();
        ring.Next(IoUringOp.Nop, 1).Flags = SubmissionFlags.SkipSuccess;
        ring.Next(IoUringOp.Receive, 2, -1).Flags = SubmissionFlags.SkipSuccess;
        ref Submission poll = ref ring.Next(IoUringOp.PollAdd, 3, a.Number);
        poll.OperationFlags = (uint)Out;
        poll.Flags = SubmissionFlags.SkipSuccess;
        ref Submission multishot = ref ring.Next(IoUringOp.PollAdd, 4, a.Number);
        multishot.OperationFlags = (uint)Out;
        multishot.Length = (uint)PollAddFlags.Multishot;
        multishot.Flags = SubmissionFlags.SkipSuccess;
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
    });

    [Fact]
    public void Rings_tell_each_other() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing one = m.Ring(flags), two = m.Ring(flags);
            Fd set = m.Epoll();
            m.Add(set, two.Fd, In | EdgeTriggered);
            m.Wait(set);
            one.Message(two, 55, 66, 1);
            one.Submit();
            one.Completions();
            m.Wait(set);
            two.GetEvents();
            m.Wait(set);
            two.Completions();
            Fd counter = m.EventFd();
            one.Next(IoUringOp.MessageRing, 2, counter.Number);
            one.Next(IoUringOp.MessageRing, 3, -1);
            one.Next(IoUringOp.MessageRing, 4, two.Fd.Number).Address = 9;
            one.Message(one, 5, 50, 6);
            one.Submit();
            one.GetEvents();
            one.Completions(sorted: true);
            one.Close();
            two.Close();
        }
    });

    [Fact]
    public void A_message_wakes_another_thread() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing? target = null;
            MachineThread thread = m.StartBlocked("waiter", () =>
            {
                target = m.Ring(flags);
                target.WaitForever();
                target.Expect("7: 8");
            });
            MachineRing ring = m.Ring();
            ring.Message(target!, 7, 8, 1);
            ring.Submit();
            ring.Expect("1: 0");
            m.Join(thread);
        }
    });

    [Fact]
    public void Pipes_and_counters() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd read, Fd write) = m.Pipe();
        byte* letters = ring.Letters(70_000);
        byte* buffer = ring.Memory(70_000);
        ring.Read(read, buffer, 10, 1);
        ring.Submit();
        ring.GetEvents();
        ring.Expect();
        ring.Write(write, letters, 20, 2);
        ring.Submit();
        ring.GetEvents();
        ring.Completions(sorted: true);
        ring.Read(read, buffer, 100, 3);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
        ring.Write(write, letters, 70_000, 4);
        ring.Write(write, letters, 10, 5);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
        m.Drain(read);
        ring.GetEvents();
        ring.Completions();
        m.Drain(read);
        ring.Read(read, buffer, 10, 6);
        ring.Submit();
        m.Close(write);
        ring.GetEvents();
        ring.Completions();
        ring.Read(read, buffer, 10, 7);
        ring.Write(read, buffer, 10, 8);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
        Fd counter = m.EventFd();
        ring.Read(counter, buffer, 8, 9);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
        m.WriteCount(counter, 5);
        ring.GetEvents();
        ring.Completions();
        m.Note($"value {*(ulong*)buffer}");
        ring.Read(counter, buffer, 4, 10);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
        (Fd end, Fd other) = m.Pipe();
        m.Close(end);
        ring.Write(other, letters, 10, 11);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
        Fd timer = m.TimerFd();
        m.Arm(timer, 1);
        ring.Read(timer, buffer, 8, 12);
        ring.Submit();
        ring.WaitFor(1);
        ring.Completions();
    });

    [Fact]
    public void Files() => Run(m =>
    {
        MachineRing ring = m.Ring();
        Fd file = m.Unpollable(UnpollableFile.Regular);
        byte* letters = ring.Letters(100);
        byte* buffer = ring.Memory(100);
        Do(ring, () => ring.Write(file, letters, 26, 1, 0));
        Do(ring, () => ring.Read(file, buffer, 100, 2, 3));
        m.Note($"first {(char)buffer[0]}");
        Do(ring, () => ring.Read(file, buffer, 4, 3));
        Do(ring, () => ring.Read(file, buffer, 4, 4));
        m.Note($"first {(char)buffer[0]}");
        Do(ring, () => ring.Write(file, letters, 10, 5, 50));
        Do(ring, () => ring.Read(file, buffer, 100, 6, 0));
        m.Note($"first {(char)buffer[0]}, hole {buffer[30]}, then {(char)buffer[50]}");
        Do(ring, () => ring.Read(file, buffer, 100, 7, 1000));
        Do(ring, () => ring.Read(file, buffer, 100, 8, -5));
        Do(ring, () => ring.Next(IoUringOp.FSync, 9, file.Number));
        Do(ring, () => ring.Next(IoUringOp.FSync, 10, m.EventFd().Number));
        Fd directory = m.Unpollable(UnpollableFile.Directory);
        Do(ring, () => ring.Read(directory, buffer, 10, 11, 0));
        Do(ring, () => ring.Write(directory, buffer, 10, 12, 0));
        Fd none = m.Unpollable(UnpollableFile.Null);
        Do(ring, () => ring.Read(none, buffer, 10, 13, 0));
        Do(ring, () => ring.Write(none, buffer, 10, 14, 0));
        Fd path = m.Unpollable(UnpollableFile.PathOnly);
        Do(ring, () => ring.Read(path, buffer, 10, 15, 0));
    });

    private static void Do(MachineRing ring, Action prepare)
    {
        prepare();
        ring.Submit();
        ring.WaitFor(1).Is(0);
        ring.Completions();
    }

    [Fact]
    public void Opening_and_closing() => Run(m =>
    {
        MachineRing ring = m.Ring();
        byte[] name = [.. "/dev/null\0"u8];
        byte* path = ring.Memory(32);
        name.CopyTo(new Span<byte>(path, 32));
        ref Submission open = ref ring.Next(IoUringOp.OpenAt, 1, StatXRequest.WorkingDirectory);
        open.Address = (ulong)path;
        open.OperationFlags = (uint)(FileFlags.ReadWrite | FileFlags.CloseOnExec);
        ring.Submit();
        ring.WaitFor(1);
        int fd = ring.Take()[0].Result;
        m.Expect(fd >= 0, "it is open");
        ring.Next(IoUringOp.Close, 2, fd);
        ring.Submit();
        ring.WaitFor(1);
        ring.Completions();
        ring.Next(IoUringOp.Close, 3, -1);
        ring.Next(IoUringOp.Close, 4, ring.Fd.Number);
        ring.Submit();
        ring.WaitFor(2);
        ring.Completions();
        path[1] = (byte)'x';
        open = ref ring.Next(IoUringOp.OpenAt, 5, StatXRequest.WorkingDirectory);
        open.Address = (ulong)path;
        ring.Submit();
        ring.WaitFor(1);
        ring.Completions();
    });

    [Fact]
    public void Registering_in_a_set() => Run(m =>
    {
        MachineRing ring = m.Ring();
        Fd set = m.Epoll(), fd = m.EventFd(1);
        byte* entry = ring.Memory(16);
        EpollEventLayout.Set(entry, 0, In, fd.Id);
        Control(ring, set, EpollOp.Add, fd, entry, 1);
        Control(ring, set, EpollOp.Add, fd, entry, 2);
        m.Wait(set).Is((fd, In));
        EpollEventLayout.Set(entry, 0, Out, fd.Id);
        Control(ring, set, EpollOp.Modify, fd, entry, 3);
        m.Wait(set).Is((fd, Out));
        Control(ring, set, EpollOp.Delete, fd, null, 4);
        Control(ring, set, EpollOp.Delete, fd, null, 5);
        m.Wait(set).IsEmpty();
        ring.GetEvents();
        ring.Completions();
    });

    private static void Control(MachineRing ring, Fd set, EpollOp op, Fd fd, byte* entry, ulong data)
    {
        ref Submission submission = ref ring.Next(IoUringOp.EpollCtl, data, set.Number);
        submission.Length = (uint)op;
        submission.Offset = (uint)fd.Number;
        submission.Address = (ulong)entry;
        ring.Submit();
    }

    [Fact]
    public void Registering_buffers_checks_its_arguments() => Run(m =>
    {
        MachineRing ring = m.Ring();
        byte* page = (byte*)m.Kernel.MMap(8192, -1, 0);
        int Register(ulong address, uint entries, ushort group, ushort flags = 0)
        {
            var registration = new BufferRingRegistration { Address = address, Entries = entries, Group = group, Flags = flags };
            return ring.Inner.Register(IoUringRegisterOp.BufferRing, &registration, 1);
        }

        m.Call("not aligned", Register((ulong)page + 16, 8, 1)).Is(EINVAL);
        m.Call("no power", Register((ulong)page, 7, 1)).Is(EINVAL);
        m.Call("too many", Register((ulong)page, 65536, 1)).Is(EINVAL);
        m.Call("nowhere", Register(0, 8, 1)).Is(EFAULT);
        m.Call("bad flags", Register((ulong)page, 8, 1, 0x8000)).Is(EINVAL);
        m.Call("good", Register((ulong)page, 8, 1)).Is(0);
        m.Call("again", Register((ulong)page, 8, 1)).Is(EEXIST);
        m.Call("another", Register((ulong)page + 4096, 8, 100)).Is(0);
        var group = new BufferRingRegistration { Group = 1 };
        m.Call("away", ring.Inner.Register(IoUringRegisterOp.UnregisterBufferRing, &group, 1)).Is(0);
        m.Call("away again", ring.Inner.Register(IoUringRegisterOp.UnregisterBufferRing, &group, 1));
        group = new BufferRingRegistration { Group = 2 };
        m.Call("never there", ring.Inner.Register(IoUringRegisterOp.UnregisterBufferRing, &group, 1));
        m.Call("no count", ring.Inner.Register(IoUringRegisterOp.UnregisterBufferRing, &group, 2)).Is(EINVAL);
        m.Call("munmap", m.Kernel.MUnmap(page, 8192)).Is(0);
    });
}
