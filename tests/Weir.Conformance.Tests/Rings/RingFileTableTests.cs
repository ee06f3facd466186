namespace Weir.Conformance.Rings;

/// <summary>Registered files: the table, requests that go by a place in it, and what it keeps open.</summary>
public sealed unsafe class RingFileTableTests : RingProgramTests
{
    private static Outcome Make(Machine m, MachineRing ring, string what, uint count, uint flags = ResourceRegistration.Sparse, ulong data = 0, uint size = 32)
    {
        var registration = new ResourceRegistration { Count = count, Flags = flags, Data = data };
        return m.Call($"register {what}", ring.Inner.Register(IoUringRegisterOp.Files2, &registration, size));
    }

    private static Outcome Put(Machine m, MachineRing ring, uint place, params ReadOnlySpan<int> descriptors)
    {
        fixed (int* first = descriptors)
        {
            var update = new ResourceUpdate { Offset = place, Data = (ulong)first };
            return m.Call($"update {descriptors.Length} at {place}", ring.Inner.Register(IoUringRegisterOp.FilesUpdate, &update, (uint)descriptors.Length));
        }
    }

    private static Outcome Forget(Machine m, MachineRing ring)
        => m.Call("unregister", ring.Inner.Register(IoUringRegisterOp.UnregisterFiles, null, 0));

    private static ref Submission Fixed(MachineRing ring, IoUringOp op, ulong data, int place)
    {
        ref Submission entry = ref ring.Next(op, data, place);
        entry.Flags = SubmissionFlags.FixedFile;
        return ref entry;
    }

    private static void Complete(MachineRing ring)
    {
        ring.Submit();
        ring.WaitFor(1).Is(0);
        ring.Completions();
    }

    private static void Look(MachineRing ring)
    {
        ring.Submit();
        ring.GetEvents();
        ring.Completions(sorted: true);
    }

    [Fact]
    public void Making_a_table_checks_its_arguments() => Run(m =>
    {
        MachineRing ring = m.Ring();
        int fd = m.EventFd().Number, none = 99999, empty = -1;
        Make(m, ring, "nothing", 0).Is(EINVAL);
        Make(m, ring, "unknown flag", 4, 2).Is(EINVAL);
        Make(m, ring, "empty places and descriptors", 4, data: (ulong)&fd).Is(EINVAL);
        Make(m, ring, "bad size", 4, size: 16).Is(EINVAL);
        Make(m, ring, "too many", (1 << 20) + 1).Is(EMFILE);
        m.Call("no memory", ring.Inner.Register(IoUringRegisterOp.Files2, null, 32)).Is(EFAULT);
        Forget(m, ring).Is(ENXIO);
        m.Call("unregister with a count", ring.Inner.Register(IoUringRegisterOp.UnregisterFiles, null, 1)).Is(EINVAL);
        m.Call("unregister with memory", ring.Inner.Register(IoUringRegisterOp.UnregisterFiles, &fd, 0)).Is(EINVAL);
        Make(m, ring, "bad descriptor", 1, 0, (ulong)&none).Is(EBADF);
        Make(m, ring, "bad memory", 1, 0, 8).Is(EFAULT);
        Make(m, ring, "places that are empty without a word", 4, 0).Is(0);
        Make(m, ring, "again", 4).Is(EBUSY);
        Forget(m, ring).Is(0);
        Make(m, ring, "one", 1, 0, (ulong)&fd).Is(0);
        m.Call("again", ring.Inner.Register(IoUringRegisterOp.Files, &fd, 1)).Is(EBUSY);
        Forget(m, ring).Is(0);
        m.Call("old form", ring.Inner.Register(IoUringRegisterOp.Files, &fd, 1)).Is(0);
        Forget(m, ring).Is(0);
        m.Call("old form, nothing", ring.Inner.Register(IoUringRegisterOp.Files, &fd, 0)).Is(EINVAL);
        m.Call("old form, no memory", ring.Inner.Register(IoUringRegisterOp.Files, null, 1)).Is(EFAULT);
        m.Call("old form, bad descriptor", ring.Inner.Register(IoUringRegisterOp.Files, &none, 1)).Is(EBADF);
        m.Call("old form, empty", ring.Inner.Register(IoUringRegisterOp.Files, &empty, 1)).Is(0);
        Forget(m, ring).Is(0);
        int self = ring.Fd.Number;
        m.Call("itself", ring.Inner.Register(IoUringRegisterOp.Files, &self, 1)).Is(EBADF);
    });

    [Fact]
    public void Changing_a_table_checks_its_arguments() => Run(m =>
    {
        MachineRing ring = m.Ring();
        int fd = m.EventFd().Number;
        const int None = 99999, Skipped = -2, Empty = -1;
        Put(m, ring, 0, fd).Is(ENXIO);
        Make(m, ring, "four", 4).Is(0);
        Put(m, ring, 0, fd).Is(1);
        Put(m, ring, 0, fd).Is(1);
        Put(m, ring, 4, fd).Is(EINVAL);
        Put(m, ring, 3, fd, fd).Is(EINVAL);
        Put(m, ring, uint.MaxValue, fd, fd).Is(EOVERFLOW);
        Put(m, ring, 2, fd, None).Is(1);
        Put(m, ring, 1, None, fd).Is(EBADF);
        Put(m, ring, 0, Skipped, Empty, Skipped, fd).Is(4);
        Put(m, ring, 1, ring.Fd.Number).Is(EBADF);
        Put(m, ring, 1, Empty).Is(1);
        Put(m, ring, 0).Is(EINVAL);
        m.Call("no memory", ring.Inner.Register(IoUringRegisterOp.FilesUpdate, null, 1)).Is(EFAULT);
        var update = new ResourceUpdate { Data = 8 };
        m.Call("bad memory", ring.Inner.Register(IoUringRegisterOp.FilesUpdate, &update, 1)).Is(EFAULT);
        Put(m, ring, 2, None).Is(EBADF); // and it is empty now
        for (int place = 0; place < 5; place++)
            Fixed(ring, IoUringOp.PollAdd, (ulong)place + 1, place).OperationFlags = (uint)Out;
        Fixed(ring, IoUringOp.PollAdd, 9, -1).OperationFlags = (uint)Out;
        Look(ring);
        Forget(m, ring).Is(0);
        Fixed(ring, IoUringOp.PollAdd, 10, 0).OperationFlags = (uint)Out;
        Look(ring);
    });

    [Fact]
    public void A_file_is_read_and_written_by_its_place() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            Fd file = m.OpenNamed(m.FreshPath(), FileFlags.ReadWrite | FileFlags.Create);
            Make(m, ring, "two", 2).Is(0);
            Put(m, ring, 1, file.Number).Is(1);
            byte* letters = ring.Letters(100);
            byte* buffer = ring.Memory(100);
            var vector = (IoVector*)ring.Memory(sizeof(IoVector));
            *vector = new IoVector { Base = letters, Length = 26 };
            foreach (int place in (int[])[1, 0, 2, file.Number + 100, -1])
            {
                m.Note($"place {(place > 2 ? "of no use" : place)}");
                ref Submission entry = ref Fixed(ring, IoUringOp.Write, 1, place);
                (entry.Address, entry.Length) = ((ulong)letters, 10);
                Complete(ring);
                entry = ref Fixed(ring, IoUringOp.WriteV, 2, place);
                (entry.Address, entry.Length, entry.Offset) = ((ulong)vector, 1, 10);
                Complete(ring);
                entry = ref Fixed(ring, IoUringOp.Read, 3, place);
                (entry.Address, entry.Length, entry.Offset) = ((ulong)buffer, 100, 3);
                Complete(ring);
                m.Note($"first {buffer[0]}");
                entry = ref Fixed(ring, IoUringOp.ReadV, 4, place);
                (entry.Address, entry.Length, entry.Offset) = ((ulong)vector, 1, 0);
                Complete(ring);
                Fixed(ring, IoUringOp.FSync, 5, place);
                Complete(ring);
                entry = ref Fixed(ring, IoUringOp.FAllocate, 6, place);
                (entry.Offset, entry.Address) = (0, 5000);
                Complete(ring);
                Fixed(ring, IoUringOp.FTruncate, 7, place).Offset = 77;
                Complete(ring);
                m.Stat(file, mask: StatXMask.Size);
            }

            ring.Close();
        }
    });

    [Fact]
    public void What_opens_and_closes_knows_no_places() => Run(m =>
    {
        MachineRing ring = m.Ring();
        Fd file = m.EventFd();
        Make(m, ring, "one", 1).Is(0);
        Put(m, ring, 0, file.Number).Is(1);
        byte* path = ring.Memory(8);
        Fixed(ring, IoUringOp.OpenAt, 1, 0).Address = (ulong)path;
        Fixed(ring, IoUringOp.StatX, 2, 0).Address = (ulong)path;
        Fixed(ring, IoUringOp.Close, 3, 0);
        Look(ring);
        m.Expect(m.IsOpen(file), "it is open");
    });

    [Fact]
    public void Sockets_and_cancelling_by_place() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            (Fd a, Fd b) = m.SocketPair();
            Make(m, ring, "two", 2).Is(0);
            Put(m, ring, 0, a.Number, b.Number).Is(2);
            byte* buffer = ring.Memory(64);
            Receive(1);
            Look(ring);
            ref Submission entry = ref Fixed(ring, IoUringOp.Send, 2, 1);
            (entry.Address, entry.Length) = ((ulong)buffer, 5);
            Look(ring);
            Receive(3);
            Fixed(ring, IoUringOp.PollAdd, 4, 1).OperationFlags = (uint)In;
            Look(ring);
            Cancel(5, AsyncCancelFlags.Descriptor, 1);
            Look(ring);
            Cancel(6, AsyncCancelFlags.Descriptor, 2); // where there is no place
            Look(ring);
            Cancel(7, AsyncCancelFlags.Descriptor | AsyncCancelFlags.All, 0);
            Look(ring);
            Receive(8);
            Look(ring);
            ring.CancelNow(AsyncCancelFlags.Descriptor, 0, a);
            ring.GetEvents();
            ring.Completions();
            ring.Close();

            void Receive(ulong data)
            {
                ref Submission receive = ref Fixed(ring, IoUringOp.Receive, data, 0);
                (receive.Address, receive.Length) = ((ulong)buffer, 64);
            }

            void Cancel(ulong data, AsyncCancelFlags how, int place) => Fixed(ring, IoUringOp.AsyncCancel, data, place).OperationFlags = (uint)how;
        }
    });

    [Fact]
    public void A_registered_file_stays_open_until_its_place_is_emptied() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            Make(m, ring, "two", 2).Is(0);
            byte* letters = ring.Letters(10);

            // Emptied, replaced, with the table gone.
            for (int way = 0; way < 3; way++)
            {
                (Fd read, Fd write) = m.Pipe();
                Put(m, ring, 0, write.Number).Is(1);
                m.Close(write);
                m.Read(read).Is(EAGAIN);
                ref Submission entry = ref Fixed(ring, IoUringOp.Write, 1, 0);
                (entry.Address, entry.Length, entry.Offset) = ((ulong)letters, 3, ulong.MaxValue);
                Look(ring);
                m.Read(read, 3).Is(3);
                m.Read(read).Is(EAGAIN);
                if (way == 0)
                    Put(m, ring, 0, -1).Is(1);
                else if (way == 1)
                    Put(m, ring, 0, m.EventFd().Number).Is(1);
                else
                    Forget(m, ring).Is(0);
                m.Read(read).Is(0);
            }

            ring.Close();
        }
    });

    [Fact]
    public void What_is_in_flight_keeps_its_file_and_nobody_elses() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            Make(m, ring, "two", 2).Is(0);
            (Fd read, Fd write) = m.Pipe();
            (Fd otherRead, Fd otherWrite) = m.Pipe();
            Put(m, ring, 0, write.Number, otherWrite.Number).Is(2);
            // Waits for the end: a pipe that has room is no error.
            Fixed(ring, IoUringOp.PollAdd, 1, 0).OperationFlags = (uint)Err;
            Look(ring);
            m.Close(write);
            m.Close(otherWrite);
            Put(m, ring, 0, -1, -1).Is(2);
            m.Read(read).Is(EAGAIN);
            m.Read(otherRead).Is(0);
            ring.Cancel(AsyncCancelFlags.None, 1, null, 2);
            Look(ring);
            m.Read(read).Is(0);
            ring.Close();
        }
    });

    [Fact]
    public void A_ring_that_is_closed_lets_go_of_its_files() => Run(m =>
    {
        MachineRing ring = m.Ring();
        Make(m, ring, "one", 1).Is(0);
        (Fd read, Fd write) = m.Pipe();
        Put(m, ring, 0, write.Number).Is(1);
        m.Close(write);
        Fd set = m.Epoll();
        m.Add(set, read, In);
        m.Wait(set).IsEmpty();
        ring.Close();
        // In a moment, by a thread of the kernel, which may interrupt a wait.
        byte* events = stackalloc byte[EpollEventLayout.Size];
        while (m.Kernel.Read(read.Number, events, 1) == -(int)EAGAIN)
            m.Kernel.EpollWait(set.Number, events, 1, 5000);
        m.Read(read).Is(0);
    });
}
