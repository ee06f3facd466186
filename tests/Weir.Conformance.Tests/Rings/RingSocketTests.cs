namespace Weir.Conformance.Rings;

/// <summary>Sending, accepting, connecting, shutting down, and what closing ends.</summary>
public sealed unsafe class RingSocketTests : RingProgramTests
{
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

    /// <summary>What the loop's driver lives on: a send that may not wait is over when it is submitted, and only what it has not sent is told.</summary>
    [Fact]
    public void A_send_at_once_is_over_when_it_is_submitted_and_success_is_not_told() => Run(m =>
    {
        foreach (bool tcp in (bool[])[false, true])
        {
            foreach (IoUringSetupFlags flags in Modes)
            {
                MachineRing ring = m.Ring(flags);
                (Fd a, Fd b) = tcp ? m.TcpPair() : m.SocketPair();
                byte* letters = ring.Letters(1000);
                ring.SendAtOnce(a, letters, 1000, 1);
                ring.Submit();
                ring.Expect();
                m.Receive(b, 2000).Is(1000);
                m.Close(b);
                ring.SendAtOnce(a, letters, 5, 2); // TCP learns of it now
                ring.Submit();
                ring.GetEvents();
                ring.Completions();
                ring.SendAtOnce(a, letters, 5, 3);
                ring.Submit();
                ring.Expect("3: EPIPE");
                ring.Close();
            }
        }
    });

    [Fact]
    public void A_send_at_once_into_a_full_buffer_tells_how_much_there_was_room_for() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            (Fd a, Fd b) = m.SocketPair();
            byte* letters = ring.Letters(600_000);
            ring.SendAtOnce(a, letters, 600_000, 1);
            ring.Submit();
            ring.Completions();
            m.Fill(a);
            ring.SendAtOnce(a, letters, 10, 2);
            ring.Submit();
            ring.Expect("2: EAGAIN");
            m.Drain(b, 100_000);
            ring.GetEvents();
            ring.Expect();
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
