namespace Weir.Conformance.Rings;

/// <summary>Receives: single, multishot, into buffers of a group.</summary>
public sealed unsafe class RingReceiveTests : RingProgramTests
{
    [Fact]
    public void Receiving() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            (Fd a, Fd b) = m.SocketPair();
            byte* buffer = ring.Memory(64);
            m.Send(b, 3);
            ring.Receive(a, buffer, 64, 1);
            ring.Submit();
            ring.Expect("1: 3");
            ring.Receive(a, buffer, 64, 2);
            ring.Submit();
            ring.GetEvents();
            ring.Expect();
            m.Send(b, 10);
            ring.GetEvents();
            ring.Expect("2: 10");
            m.Send(b, 10);
            ring.Receive(a, buffer, 4, 3);
            ring.Submit();
            ring.GetEvents();
            ring.Expect("3: 4 nonempty");
            ring.Receive(a, buffer, 64, 4);
            ring.Submit();
            ring.GetEvents();
            ring.Expect("4: 6");
            ring.Receive(a, buffer, 64, 5, MessageFlags.DontWait);
            ring.Submit();
            ring.GetEvents();
            ring.Expect("5: EAGAIN");
            ring.Receive(a, buffer, 64, 6);
            ring.Submit();
            m.Close(b);
            ring.GetEvents();
            ring.Expect("6: 0");
            ring.Receive(a, buffer, 64, 7);
            ring.Submit();
            ring.GetEvents();
            ring.Expect("7: 0");
            ring.Close();
        }
    });

    [Fact]
    public void Receiving_all() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd a, Fd b) = m.SocketPair();
        byte* buffer = ring.Memory(64);
        ring.Receive(a, buffer, 10, 1, MessageFlags.WaitAll);
        ring.Submit();
        for (int i = 0; i < 4; i++)
        {
            m.Send(b, 3);
            ring.GetEvents();
            ring.Completions();
        }

        ring.Receive(a, buffer, 10, 2, MessageFlags.WaitAll);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
        m.Shutdown(b, ShutdownHow.Write);
        ring.GetEvents();
        ring.Completions();
        (Fd c, Fd d) = m.SocketPair(SocketKind.Datagram);
        ring.Receive(c, buffer, 10, 3, MessageFlags.WaitAll);
        ring.Submit();
        m.Send(d, 4);
        ring.GetEvents();
        ring.Completions();
    });

    [Fact]
    public void Receiving_again_and_again() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            (Fd a, Fd b) = m.SocketPair();
            BufferRing buffers = ring.Buffers(3, 4, 16);
            ring.ReceiveMultishot(a, 3, 1);
            ring.Submit();
            ring.GetEvents();
            ring.Expect();
            m.Send(b, 5);
            ring.GetEvents();
            ring.Expect("1: 5 buffer 0 more");
            m.Send(b, 20);
            ring.GetEvents();
            ring.Completions();
            m.Send(b, 40);
            ring.GetEvents();
            ring.Completions();
            buffers.Offer(0);
            buffers.Offer(1);
            buffers.Offer(2);
            buffers.Offer(3);
            ring.ReceiveMultishot(a, 3, 2);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            buffers.Offer(0);
            m.Shutdown(b, ShutdownHow.Write);
            ring.GetEvents();
            ring.Completions();
            ring.Close();
        }
    });

    // Wakes that come before the receive is worked out count as one. 6.18 looks once more at a file that is hung up; kernels that do not (6.1)
    // never tell of the end then.
    [Fact]
    public void The_end_that_comes_together_with_data() => Run(m =>
    {
        foreach (string how in (string[])["unix shutdown", "unix close", "unix close with unread data", "tcp shutdown", "tcp reset"])
        {
            MachineRing ring = m.Ring();
            (Fd a, Fd b) = how.StartsWith("tcp", StringComparison.Ordinal) ? m.TcpPair() : m.SocketPair();
            ring.Buffers(3, 8, 16);
            ring.ReceiveMultishot(a, 3, 1);
            ring.Submit();
            m.Note(how);
            if (how.EndsWith("unread data", StringComparison.Ordinal))
                m.Send(a, 1);
            m.Send(b, 5);
            m.Settle();
            if (how.EndsWith("shutdown", StringComparison.Ordinal))
                m.Shutdown(b, ShutdownHow.Write);
            else if (how.EndsWith("reset", StringComparison.Ordinal))
                m.Reset(b);
            else
                m.Close(b);
            m.Settle();
            for (int i = 0; i < 3; i++)
            {
                ring.GetEvents();
                ring.Completions();
            }

            m.Poll(a);
            m.Receive(a, 4);
            ring.Close();
        }
    });

    [Fact]
    public void Without_buffers_a_multishot_ends_at_once() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd a, Fd b) = m.SocketPair();
        ring.ReceiveMultishot(a, 3, 1);
        ring.Submit();
        ring.Completions();
        BufferRing buffers = ring.Buffers(3, 1, 16);
        ring.ReceiveMultishot(a, 3, 2);
        ring.Submit();
        ring.Completions();
        m.Send(b, 16);
        ring.GetEvents();
        ring.Completions();
        ring.GetEvents();
        ring.Completions();
        m.Send(b, 1);
        ring.GetEvents();
        ring.Completions();
        buffers.Offer(0);
        ring.ReceiveMultishot(a, 3, 3);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
        buffers.Offer(0);
        m.Close(b);
        ring.GetEvents();
        ring.Completions();
    });

    [Fact]
    public void A_group_serves_single_receives_too() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd a, Fd b) = m.SocketPair();
        ring.Buffers(70, 8, 16);
        for (ulong i = 0; i < 3; i++)
        {
            ref Submission entry = ref ring.Next(IoUringOp.Receive, i, a.Number);
            entry.Flags = SubmissionFlags.BufferSelect;
            entry.BufferGroup = 70;
            entry.Length = i == 1 ? 7u : 0u;
            ring.Submit();
            m.Send(b, 20);
            ring.GetEvents();
            ring.Completions();
        }
    });

    [Fact]
    public void Many_messages_come_in_rounds() => Run(m =>
    {
        MachineRing ring = m.Ring(Machine.Deferring, 128, 1024);
        (Fd a, Fd b) = m.SocketPair(SocketKind.Datagram);
        ring.Buffers(1, 128, 16);
        ring.ReceiveMultishot(a, 1, 1);
        ring.Submit();
        m.SetOption(b, SocketOption.SocketSendBuffer, 1_000_000);
        (Fd c, Fd d) = m.SocketPair();
        ring.ReceiveMultishot(c, 1, 2);
        ring.Submit();
        for (int i = 0; i < 60; i++)
            m.Send(d, 16);
        for (int i = 0; i < 4; i++)
        {
            ring.GetEvents();
            m.Note($"{ring.Completions().Length} came");
        }
    });

    [Fact]
    public void Many_are_done_in_rounds_of_twenty() => Run(m =>
    {
        MachineRing ring = m.Ring(Machine.Deferring | IoUringSetupFlags.TaskRunFlag, 128, 1024);
        Fd[] fds = [.. Enumerable.Range(0, 50).Select(_ => m.EventFd())];
        for (int i = 0; i < fds.Length; i++)
            ring.Poll(fds[i], In, (ulong)i);
        ring.Submit();
        foreach (Fd fd in fds)
            m.WriteCount(fd);
        ring.Look();
        m.Note($"{ring.Completions().Length} came");
        ring.NeedsEntering();
        ring.Nop(100);
        ring.Look();
        m.Note($"{ring.Completions().Length} came");
        ring.NeedsEntering();
    });

    [Fact]
    public void A_message() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd a, Fd b) = m.SocketPair(SocketKind.Datagram);
        byte* letters = ring.Letters(32);
        var vectors = (IoVector*)ring.Memory(64);
        vectors[0] = new IoVector { Base = letters, Length = 3 };
        vectors[1] = new IoVector { Base = letters + 10, Length = 4 };
        var message = (MessageHeader*)ring.Memory(sizeof(MessageHeader));
        *message = new MessageHeader { Vectors = vectors, VectorCount = 2 };
        ref Submission entry = ref ring.Next(IoUringOp.SendMessage, 1, a.Number);
        entry.Address = (ulong)message;
        entry.Length = 1;
        ring.Submit();
        ring.Completions();
        byte* room = ring.Memory(64);
        var target = (IoVector*)ring.Memory(16);
        *target = new IoVector { Base = room, Length = 5 };
        var received = (MessageHeader*)ring.Memory(sizeof(MessageHeader));
        *received = new MessageHeader { Vectors = target, VectorCount = 1 };
        entry = ref ring.Next(IoUringOp.ReceiveMessage, 2, b.Number);
        entry.Address = (ulong)received;
        entry.Length = 1;
        ring.Submit();
        ring.Completions();
        m.Note($"flags {(int)received->Flags}, name {received->NameLength}, {(char)room[0]}{(char)room[3]}");
        entry = ref ring.Next(IoUringOp.ReceiveMessage, 3, b.Number);
        entry.Address = (ulong)received;
        entry.Length = 1;
        ring.Submit();
        ring.Completions();
        m.Send(a, 2);
        ring.GetEvents();
        ring.Completions();
    });

    [Fact]
    public void Messages_again_and_again() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd a, Fd b) = m.UdpPair();
        BufferRing buffers = ring.Buffers(5, 4, 64);
        var message = (MessageHeader*)ring.Memory(sizeof(MessageHeader));
        *message = new MessageHeader { NameLength = 16 };
        ref Submission entry = ref ring.Next(IoUringOp.ReceiveMessage, 1, b.Number);
        entry.Address = (ulong)message;
        entry.Length = 1;
        entry.Flags = SubmissionFlags.BufferSelect;
        entry.BufferGroup = 5;
        entry.Priority = IoUringPriority.ReceiveMultishot;
        ring.Submit();
        ring.Completions();
        foreach (int size in (int[])[10, 32, 50])
        {
            m.Send(a, size);
            m.Settle();
            ring.GetEvents();
            foreach (Completed completed in ring.Completions())
            {
                if ((completed.Flags & CompletionFlags.Buffer) == 0)
                    continue;
                var header = (uint*)buffers.At((int)((uint)completed.Flags >> 16));
                m.Note($"name {header[0]}, control {header[1]}, payload {header[2]}, flags {header[3]}, family {(ushort)header[4]}");
            }
        }
    });
}
