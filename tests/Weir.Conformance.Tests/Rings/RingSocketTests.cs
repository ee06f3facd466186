namespace Weir.Conformance.Rings;

/// <summary>Operations on sockets.</summary>
public sealed unsafe class RingSocketTests : ConformanceTests
{
    private const IoUringSetupFlags Coop = IoUringSetupFlags.CooperativeTaskRun | IoUringSetupFlags.TaskRunFlag;

    private static readonly IoUringSetupFlags[] Modes = [IoUringSetupFlags.None, Coop, Machine.Deferring];

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
    public void Sending() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd a, Fd b) = m.SocketPair();
        byte* letters = ring.Letters(300_000);
        ring.Send(a, letters, 5, 1);
        ring.Submit();
        ring.Expect("1: 5");
        m.Receive(b, 8).Is(5);
        m.Close(b);
        ring.Send(a, letters, 5, 2);
        ring.Send(a, letters, 5, 3, MessageFlags.NoSignal);
        ring.Submit();
        ring.GetEvents();
        ring.Expect("2: EPIPE", "3: EPIPE");
        Fd lonely = m.UnixSocket();
        ring.Send(lonely, letters, 5, 4);
        ring.Receive(lonely, letters, 5, 5);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
        Fd counter = m.EventFd();
        ring.Send(counter, letters, 5, 6);
        ring.Receive(counter, letters, 5, 7);
        ring.Next(IoUringOp.Send, 8, -1);
        ring.Submit();
        ring.Completions();
    });

    [Fact]
    public void Sending_into_a_full_buffer() => Run(m =>
    {
        foreach (MessageFlags flags in (MessageFlags[])[MessageFlags.None, MessageFlags.WaitAll])
        {
            MachineRing ring = m.Ring();
            (Fd a, Fd b) = m.SocketPair();
            byte* letters = ring.Letters(600_000);
            ring.Send(a, letters, 600_000, 1, flags);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            ring.Send(a, letters, 10, 2, flags);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            for (int i = 0; i < 8; i++)
            {
                m.Drain(b, 100_000);
                ring.GetEvents();
                ring.Completions();
            }

            m.Fill(a);
            ring.Send(a, letters, 100_000, 3, flags);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            m.Close(b);
            ring.GetEvents();
            ring.Completions();
            ring.Close();
        }
    });

    [Fact]
    public void Accepting() => Run(m =>
    {
        foreach (bool tcp in (bool[])[false, true])
        {
            foreach (IoUringSetupFlags flags in Modes)
            {
                MachineRing ring = m.Ring(flags);
                Fd listener = tcp ? m.TcpListener() : m.UnixListener(8);
                ring.Accept(listener, 1);
                ring.Submit();
                ring.GetEvents();
                ring.Expect();
                Fd client = Connect(m, listener, tcp);
                ring.GetEvents();
                Take(m, ring, listener);
                ring.Accept(listener, 2, multishot: true);
                ring.Submit();
                ring.GetEvents();
                Take(m, ring, listener);
                Connect(m, listener, tcp);
                ring.GetEvents();
                Take(m, ring, listener);
                Connect(m, listener, tcp);
                Connect(m, listener, tcp);
                Connect(m, listener, tcp);
                ring.GetEvents();
                Take(m, ring, listener);
                ring.Cancel(AsyncCancelFlags.None, 2, null, 3);
                ring.Submit();
                ring.GetEvents();
                Take(m, ring, listener);
                Connect(m, listener, tcp);
                ring.GetEvents();
                Take(m, ring, listener);
                Fd socket = tcp ? m.TcpSocket() : m.UnixSocket();
                ring.Accept(socket, 4);
                ring.Accept(client, 5);
                ring.Submit();
                ring.GetEvents();
                ring.Completions();
                ring.Close();
            }
        }
    });

    private static Fd Connect(Machine m, Fd listener, bool tcp)
    {
        Fd client = tcp ? m.TcpSocket() : m.UnixSocket();
        m.Connect(client, listener);
        m.Settle();
        return client;
    }

    // Numbers are each kernel's own.
    private static void Take(Machine m, MachineRing ring, Fd listener)
    {
        foreach (Completed completed in ring.Take())
        {
            bool accepted = completed.Data <= 2 && completed.Result >= 0;
            m.Note($"{completed.Data}: {(accepted ? "a descriptor" : Outcome.Show(completed.Result))} {completed.Flags}");
            if (accepted)
                m.Accepted(listener, completed.Result);
        }
    }

    [Fact]
    public void Connecting() => Run(m =>
    {
        MachineRing ring = m.Ring();
        Fd listener = m.TcpListener();
        Fd client = m.TcpSocket();
        ring.Connect(client, listener, 1);
        ring.Submit();
        ring.WaitFor(1).Is(0);
        ring.Expect("1: 0");
        ring.Connect(client, listener, 2);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
        m.Close(listener);
        m.Settle();
        Fd other = m.TcpSocket();
        ring.Connect(other, listener, 3);
        ring.Submit();
        ring.WaitFor(1).Is(0);
        ring.Completions();
        Fd unix = m.UnixListener(1), one = m.UnixSocket();
        ring.Connect(one, unix, 4);
        ring.Connect(listener, unix, 5);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
    });

    [Fact]
    public void Tcp() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd client, Fd server) = m.TcpPair();
        ring.Buffers(1, 8, 100);
        ring.ReceiveMultishot(server, 1, 1);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
        byte* letters = ring.Letters(1000);
        ring.Send(client, letters, 150, 2);
        ring.Submit();
        m.Settle();
        ring.GetEvents();
        ring.Completions();
        ring.Send(client, letters, 50, 3);
        ring.Submit();
        m.Shutdown(client, ShutdownHow.Write);
        m.Settle();
        ring.GetEvents();
        ring.Completions();
        (client, server) = m.TcpPair();
        ring.ReceiveMultishot(server, 1, 4);
        ring.Submit();
        m.Reset(client);
        m.Settle();
        ring.GetEvents();
        ring.Completions();
        ring.Send(server, letters, 4, 5);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
    });

    [Fact]
    public void Sending_without_a_copy() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd client, Fd server) = m.TcpPair();
        byte* letters = ring.Letters(1000);
        ref Submission entry = ref ring.Next(IoUringOp.SendZeroCopy, 1, client.Number);
        entry.Address = (ulong)letters;
        entry.Length = 100;
        ring.Submit();
        ring.Completions();
        m.Settle();
        m.Drain(server, 200);
        m.Settle();
        ring.WaitFor(1);
        ring.Completions();
        (Fd a, _) = m.SocketPair();
        entry = ref ring.Next(IoUringOp.SendZeroCopy, 2, a.Number);
        entry.Address = (ulong)letters;
        entry.Length = 100;
        ring.Submit();
        ring.WaitFor(2);
        ring.Completions();
    });

    [Fact]
    public void Closing_the_descriptor_does_not_end_a_receive() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd a, Fd b) = m.SocketPair();
        byte* buffer = ring.Memory(16);
        ring.Receive(a, buffer, 16, 1);
        ring.Submit();
        m.Close(a);
        m.Send(b, 3).Is(3);
        ring.GetEvents();
        ring.Expect("1: 3");
        m.Send(b, 3).Is(EPIPE);
        (Fd c, Fd d) = m.SocketPair();
        ring.Receive(c, buffer, 16, 2);
        ring.Submit();
        m.Shutdown(c, ShutdownHow.Read);
        ring.GetEvents();
        ring.Expect("2: 0");
    });

    [Fact]
    public void Closing_the_ring_ends_its_requests() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd a, Fd b) = m.SocketPair();
        ring.Receive(a, ring.Memory(16), 16, 1);
        ring.Submit();
        m.Close(a);
        m.Send(b, 1).Is(1);
        ring.Close();
        m.Poll(b, RdHup, 5000); // the kernel may go on for a moment
        m.Send(b, 1).Is(EPIPE);
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

    [Fact]
    public void Shutting_down() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd a, Fd b) = m.SocketPair();
        ring.Next(IoUringOp.Shutdown, 1, a.Number).Length = (uint)ShutdownHow.Write;
        ring.Submit();
        ring.WaitFor(1);
        ring.Completions();
        m.Receive(b, 1).Is(0);
        ring.Next(IoUringOp.Shutdown, 2, a.Number).Length = 7;
        ring.Submit();
        ring.WaitFor(1);
        ring.Completions();
        Fd counter = m.EventFd();
        ring.Next(IoUringOp.Shutdown, 3, counter.Number);
        ring.Submit();
        ring.WaitFor(1);
        ring.Completions();
    });
}
