namespace Weir.Conformance.Rings;

/// <summary>Sends without a copy: the result, and the notification that the memory is free again.</summary>
public sealed unsafe class RingZeroCopyTests : RingProgramTests
{
    private const int Large = 200_000; // more than a peer that does not read has room for

    [Fact]
    public void A_result_and_a_notification() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd client, Fd server) = m.TcpPair();
        ring.SendZeroCopy(client, ring.Letters(100), 100, 1);
        ring.Submit();
        ring.Completions();
        m.Settle();
        m.Drain(server, 200);
        m.Settle();
        ring.WaitFor(1);
        ring.Expect("1: 0 notification");
    });

    [Fact]
    public void The_notification_comes_when_the_peer_has_acknowledged_all() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            (Fd client, Fd server) = m.TcpPair();
            ring.SendZeroCopy(client, ring.Letters(Large), Large, 1);
            ring.Submit();
            ring.Expect($"1: {Large} more");
            m.Settle();
            ring.GetEvents();
            ring.Expect();
            ring.Cancel(AsyncCancelFlags.None, 1, null, 2);
            ring.Submit();
            ring.GetEvents();
            ring.Expect("2: ENOENT");
            ring.CancelNow(AsyncCancelFlags.Any | AsyncCancelFlags.All, 0);
            ring.GetEvents();
            ring.Expect();
            m.ReadToEnd(server);
            ring.WaitFor(1);
            ring.Expect("1: 0 notification");
            m.Close(client);
            m.Close(server);
            ring.Close();
        }
    });

    [Fact]
    public void The_notification_comes_when_the_connection_is_over() => Run(m =>
    {
        for (int how = 0; how < 5; how++)
        {
            MachineRing ring = m.Ring();
            (Fd client, Fd server) = m.TcpPair();
            ring.SendZeroCopy(client, ring.Letters(Large), Large, 1);
            ring.Submit();
            ring.Expect($"1: {Large} more");
            m.Settle();
            switch (how)
            {
                case 0:
                    m.Disconnect(client).Is(0);
                    break;
                case 1:
                    m.Reset(client);
                    break;
                case 2:
                    m.Reset(server);
                    break;
                case 3:
                    m.Close(server);
                    break;
                default: // what is in the queue is sent to the end
                    m.Close(client);
                    m.Settle();
                    ring.GetEvents();
                    ring.Expect();
                    m.ReadToEnd(server);
                    break;
            }

            m.Settle();
            ring.WaitFor(1);
            ring.Expect("1: 0 notification");
            ring.Close();
        }
    });

    [Fact]
    public void A_socket_that_was_disconnected() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd client, Fd server) = m.TcpPair();
        byte* letters = ring.Letters(100);
        m.Disconnect(client).Is(0);
        m.Settle();
        ring.SendZeroCopy(client, letters, 100, 1, MessageFlags.NoSignal);
        ring.SendZeroCopy(client, letters, 100, 2, MessageFlags.NoSignal);
        ring.Submit();
        ring.WaitFor(4);
        ring.Completions(sorted: true);
        m.Receive(client, 1);
        m.Receive(server, 1);
        m.Receive(server, 1);
    });

    [Fact]
    public void One_that_waits_for_room() => Run(m =>
    {
        foreach (MessageFlags flags in (MessageFlags[])[MessageFlags.None, MessageFlags.WaitAll])
        {
            MachineRing ring = m.Ring();
            (Fd client, Fd server) = m.TcpPair();
            byte* letters = ring.Letters(100);
            m.Saturate(client);
            ring.SendZeroCopy(client, letters, 100, 1, flags);
            ring.SendZeroCopy(client, letters, 100, 2, flags);
            ring.Submit();
            ring.GetEvents();
            ring.Expect();
            ring.Cancel(AsyncCancelFlags.None, 1, null, 3);
            ring.Submit();
            ring.WaitFor(3);
            ring.Completions(sorted: true);
            m.ReadToEnd(server);
            ring.WaitFor(2);
            ring.Expect("2: 100 more", "2: 0 notification");
            ring.Close();
        }
    });

    [Fact]
    public void What_is_refused() => Run(m =>
    {
        MachineRing ring = m.Ring();
        byte* letters = ring.Letters(100);
        (Fd a, _) = m.SocketPair();
        (Fd client, _) = m.TcpPair();
        Fd lonely = m.TcpSocket(), counter = m.EventFd();
        ring.SendZeroCopy(a, letters, 100, 1);
        Finish(2);
        ring.SendZeroCopy(lonely, letters, 100, 2, MessageFlags.NoSignal);
        Finish(2);
        ring.SendZeroCopy(counter, letters, 100, 3);
        Finish(2);
        ring.Next(IoUringOp.SendZeroCopy, 4, -1);
        Finish(2);
        ring.Next(IoUringOp.SendZeroCopy, 5, client.Number).Address3 = 1;
        Finish(1);
        ring.Next(IoUringOp.SendZeroCopy, 6, client.Number).Flags = SubmissionFlags.SkipSuccess;
        Finish(1);
        ring.Next(IoUringOp.SendZeroCopy, 7, client.Number).Priority = 1 << 6;
        Finish(2);

        void Finish(uint completions)
        {
            ring.Submit();
            ring.WaitFor(completions);
            ring.Completions();
        }
    });
}
