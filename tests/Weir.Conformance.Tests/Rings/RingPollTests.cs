namespace Weir.Conformance.Rings;

/// <summary>Waiting for files by a ring, and for the ring itself.</summary>
public sealed class RingPollTests : RingProgramTests
{
    private const EpollEvents Everything = In | Pri | Out | RdNorm | RdBand | WrNorm | WrBand | Msg | RdHup;

    [Fact]
    public void One_shot() => Run(m =>
    {
        MachineRing ring = m.Ring();
        Fd fd = m.EventFd();
        ring.Poll(fd, In, 1);
        ring.Submit().Is(1);
        ring.GetEvents();
        ring.Expect();
        m.WriteCount(fd);
        ring.Ready().Is(0);
        ring.GetEvents();
        ring.Expect("1: 1");
        m.WriteCount(fd);
        ring.GetEvents();
        ring.Expect();
        ring.Poll(fd, In, 2);
        ring.Submit().Is(1);
        ring.Expect("2: 1");
    });

    // The key of the wake is the result: what was true and untrue again meanwhile is reported all the same.
    [Fact]
    public void A_wake_is_reported_although_it_is_over() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            Fd fd = m.EventFd();
            ring.Poll(fd, In, 1);
            ring.Submit().Is(1);
            m.WriteCount(fd);
            m.ReadCount(fd).Is(1);
            ring.GetEvents();
            ring.Completions();
            (Fd read, Fd write) = m.Pipe();
            ring.Poll(read, In | Pri | RdNorm, 2);
            ring.Submit().Is(1);
            m.Write(write, 3);
            m.Read(read, 3).Is(3);
            ring.GetEvents();
            ring.Completions();
            ring.Close();
        }
    });

    [Fact]
    public void Multishot_reports_every_wake_that_was_seen() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            Fd fd = m.EventFd();
            ring.Poll(fd, In, 1, multishot: true);
            ring.Submit().Is(1);
            m.WriteCount(fd);
            ring.GetEvents();
            ring.Completions();
            m.WriteCount(fd);
            m.WriteCount(fd);
            ring.GetEvents();
            ring.Completions();
            m.WriteCount(fd);
            m.WriteCount(fd);
            m.ReadCount(fd);
            ring.GetEvents();
            ring.Completions();
            m.WriteCount(fd);
            ring.GetEvents();
            ring.Completions();
            ring.RemovePoll(1, 2);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            ring.Close();
        }
    });

    [Fact]
    public void Every_bit_of_a_mask() => Run(m =>
    {
        MachineRing ring = m.Ring();
        ulong data = 0;
        foreach (EpollEvents bit in (EpollEvents[])[In, Pri, Out, RdNorm, RdBand, WrNorm, WrBand, Msg, RdHup, Err, Hup, 0, Everything])
        {
            Fd counter = m.EventFd(1);
            (Fd read, Fd write) = m.Pipe();
            (Fd a, Fd b) = m.SocketPair();
            (Fd c, Fd d) = m.SocketPair(SocketKind.Datagram);
            m.Write(write, 1);
            m.Send(b, 1);
            m.Send(d, 1);
            foreach (Fd fd in (Fd[])[counter, read, write, a, c])
                ring.Poll(fd, bit, ++data);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            m.Close(b);
            m.Close(write);
            m.Close(d);
            ring.GetEvents();
            ring.Completions();
            ring.CancelNow(AsyncCancelFlags.Any, 0);
            ring.GetEvents();
            ring.Completions(sorted: true);
        }
    });

    [Fact]
    public void Every_bit_of_a_mask_before_anything_is_ready() => Run(m =>
    {
        MachineRing ring = m.Ring();
        ulong data = 0;
        foreach (EpollEvents bit in (EpollEvents[])[In, Pri, RdNorm, RdBand, Msg, RdHup, Err, Hup, 0, In | Pri | RdNorm | RdBand])
        {
            Fd counter = m.EventFd();
            (Fd read, Fd write) = m.Pipe();
            (Fd a, Fd b) = m.SocketPair();
            (Fd c, Fd d) = m.SocketPair(SocketKind.SeqPacket);
            foreach (Fd fd in (Fd[])[counter, read, a, c])
                ring.Poll(fd, bit, ++data);
            ring.Submit();
            m.WriteCount(counter);
            m.Write(write, 1);
            m.Send(b, 1);
            m.Send(d, 1);
            ring.GetEvents();
            ring.Completions();
            m.Shutdown(b, ShutdownHow.Write);
            ring.GetEvents();
            ring.Completions();
            m.Close(b);
            m.Close(write);
            m.Close(d);
            ring.GetEvents();
            ring.Completions();
            ring.CancelNow(AsyncCancelFlags.Any, 0);
            ring.GetEvents();
            ring.Completions(sorted: true);
        }
    });

    [Fact]
    public void Tcp() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd client, Fd server) = m.TcpPair();
        ring.Poll(server, In | RdHup, 1, multishot: true);
        ring.Poll(client, Out, 2);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
        m.Send(client, 5);
        m.Settle();
        ring.GetEvents();
        ring.Completions();
        m.Receive(server, 8).Is(5);
        m.Shutdown(client, ShutdownHow.Write);
        m.Settle();
        ring.GetEvents();
        ring.Completions();
        m.Close(client);
        m.Settle();
        ring.GetEvents();
        ring.Completions();
    });

    [Fact]
    public void A_file_that_cannot_be_polled_is_always_ready() => Run(m =>
    {
        MachineRing ring = m.Ring();
        Fd file = m.Unpollable(UnpollableFile.Regular);
        ring.Poll(file, In, 1);
        ring.Poll(file, In | Out | RdNorm, 2);
        ring.Poll(file, Pri, 3);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
    });

    [Fact]
    public void Bad_polls() => Run(m =>
    {
        MachineRing ring = m.Ring();
        Fd fd = m.EventFd();
        ring.Next(IoUringOp.PollAdd, 1, -1).OperationFlags = 1;
        ref Submission level = ref ring.Next(IoUringOp.PollAdd, 2, fd.Number);
        level.OperationFlags = 1;
        level.Length = (uint)PollAddFlags.Level;
        ref Submission priority = ref ring.Next(IoUringOp.PollAdd, 3, fd.Number);
        priority.OperationFlags = 1;
        priority.Priority = 1;
        ref Submission selects = ref ring.Next(IoUringOp.PollAdd, 4, fd.Number);
        selects.OperationFlags = 1;
        selects.Flags = SubmissionFlags.BufferSelect;
        ref Submission isFixed = ref ring.Next(IoUringOp.PollAdd, 5, 0);
        isFixed.OperationFlags = 1;
        isFixed.Flags = SubmissionFlags.FixedFile;
        ring.RemovePoll(77, 6);
        ring.Submit();
        ring.Completions();
    });

    [Fact]
    public void A_poll_is_changed() => Run(m =>
    {
        MachineRing ring = m.Ring();
        Fd fd = m.EventFd();
        (Fd a, Fd b) = m.SocketPair();
        ring.Poll(fd, In, 1);
        ring.Poll(a, In, 2);
        ring.Submit();
        ref Submission data = ref ring.Next(IoUringOp.PollRemove, 10);
        data.Address = 1;
        data.Offset = 11;
        data.Length = (uint)PollAddFlags.UpdateUserData;
        ring.Submit();
        ref Submission events = ref ring.Next(IoUringOp.PollRemove, 20);
        events.Address = 2;
        events.OperationFlags = (uint)Out;
        events.Length = (uint)PollAddFlags.UpdateEvents;
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
        m.WriteCount(fd);
        m.Send(b, 1);
        ring.GetEvents();
        ring.Completions();
    });

    [Fact]
    public void The_ring_is_polled_itself() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in (IoUringSetupFlags[])[IoUringSetupFlags.None, Coop, IoUringSetupFlags.SingleIssuer])
        {
            MachineRing ring = m.Ring(flags);
            Fd set = m.Epoll();
            m.Poll(ring.Fd);
            m.Add(set, ring.Fd, In | EdgeTriggered);
            m.Wait(set).IsEmpty();
            ring.Nop(1);
            ring.Submit();
            m.Wait(set).Is((ring.Fd, In));
            m.Wait(set).IsEmpty();
            ring.Nop(2);
            ring.Submit();
            m.Wait(set).Is((ring.Fd, In));
            ring.Completions();
            Fd fd = m.EventFd();
            ring.Poll(fd, In, 3);
            ring.Submit();
            m.Wait(set).IsEmpty();
            m.WriteCount(fd);
            m.Wait(set).Is((ring.Fd, In));
            m.Poll(ring.Fd);
            ring.Completions();
            m.Poll(ring.Fd);
            ring.Close();
        }
    });

    // With DEFER_TASKRUN the set tells of work before there is a completion, and only to one who asks: nobody is woken for it.
    [Fact, Rule("86c")]
    public void Work_of_a_deferring_ring_is_seen_by_those_who_look_and_completes_when_it_is_entered() => Run(m =>
    {
        MachineRing ring = m.Ring(Machine.Deferring | IoUringSetupFlags.TaskRunFlag);
        Fd set = m.Epoll(), fd = m.EventFd();
        ring.Poll(fd, In, 1);
        ring.Submit().Is(1);
        m.WriteCount(fd);
        m.Add(set, ring.Fd, In);
        m.Wait(set).Is((ring.Fd, In));
        ring.Ready().Is(0);
        ring.NeedsEntering().Is(1);
        m.Wait(set).Is((ring.Fd, In));
        ring.GetEvents().Is(0);
        ring.NeedsEntering().Is(0);
        ring.Expect("1: 1");
        m.Wait(set).IsEmpty();
        // From here on the set waits for a wake, and work makes none.
        m.ReadCount(fd);
        ring.Poll(fd, In, 2);
        ring.Submit().Is(1);
        m.WriteCount(fd);
        m.Wait(set).IsEmpty();
        m.Poll(ring.Fd, In).Is(In);
        m.Wait(set).IsEmpty();
        ring.GetEvents().Is(0);
        m.Wait(set).Is((ring.Fd, In));
        ring.Expect("2: 1");
        m.Wait(set).IsEmpty();
    });

    // Work for a thread interrupts what it waits in, whether it has a ring in its set or not.
    [Fact]
    public void A_completion_interrupts_a_wait_for_something_else() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in (IoUringSetupFlags[])[IoUringSetupFlags.None, Coop])
        {
            Fd fd = m.EventFd();
            MachineThread thread = m.StartBlocked("waiter", () =>
            {
                MachineRing ring = m.Ring(flags);
                Fd set = m.Epoll();
                m.Add(set, ring.Fd, In | EdgeTriggered);
                ring.Poll(fd, In, 1);
                ring.Submit();
                m.Wait(set, Machine.Forever).Is(EINTR);
                m.Wait(set, Machine.Forever).Is((ring.Fd, In));
                ring.Expect("1: 1");
            });
            m.WriteCount(fd);
            m.Join(thread);
        }
    });

    [Fact]
    public void One_ring_polls_another() => Run(m =>
    {
        MachineRing one = m.Ring(IoUringSetupFlags.None), two = m.Ring(IoUringSetupFlags.None);
        one.Poll(two.Fd, In, 1);
        one.Submit();
        one.Expect();
        two.Nop(5);
        two.Submit();
        one.Expect("1: 1");
        two.Completions();
        one.Poll(two.Fd, In, 2, multishot: true);
        one.Submit();
        two.Nop(6);
        two.Submit();
        one.Completions();
        two.Nop(7);
        two.Submit();
        one.Completions();
    });

    [Fact]
    public void A_closed_descriptor_is_polled_on() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd a, Fd b) = m.SocketPair();
        ring.Poll(a, In, 1);
        ring.Submit();
        m.Close(a);
        m.Send(b, 1).Is(1);
        ring.GetEvents();
        ring.Expect("1: 1");
        m.Send(b, 1).Is(EPIPE);
    });
}
