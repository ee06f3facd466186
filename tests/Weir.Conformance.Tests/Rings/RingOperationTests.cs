namespace Weir.Conformance.Rings;

/// <summary>Messages between rings, pipes, files, registrations in a set.</summary>
public sealed unsafe class RingOperationTests : RingProgramTests
{
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
