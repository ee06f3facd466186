namespace Weir.Simulation.Tests.Unix;

public class UnixStreamTests
{
    private const uint InQueue = 0x541B, OutQueue = 0x5411;

    [Fact]
    public void What_poll_says_of_a_fresh_socket_a_pair_and_a_listener() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair();
        p.Poll(a);
        p.Poll(p.Socket(SocketKind.Stream));
        p.Poll(p.Listener(UnixProgram.Address(p.NewPath()), 4));
        p.SendText(a, "hello");
        p.Poll(b);
        p.ReceiveText(b, 2);
        p.Poll(b);
        p.ReceiveText(b);
        p.Poll(b);
    });

    [Fact]
    public void One_byte_writes_lose_OUT_at_70_and_EAGAIN_comes_at_278_and_OUT_is_back_after_209_reads()
    {
        int lost = 0, refused = 0, back = 0;
        UnixProgram.Compare(p =>
        {
            (int a, int b) = p.Pair();
            lost = refused = back = 0;
            for (int count = 1; p.Send(a, 1) == 1; count++)
            {
                if (lost == 0 && !p.IsWritable(a))
                    lost = count;
                refused = count;
            }

            p.Queued(a, OutQueue);
            p.Queued(b, InQueue);
            while (!p.IsWritable(a))
            {
                Assert.Equal(1, p.Receive(b, 1));
                back++;
            }

            p.Note($"lost {lost}, refused {refused}, back {back}");
        });
        Assert.Equal((70, 278, 209), (lost, refused, back));
    }

    [Fact]
    public void Buffers_cost_what_they_cost_on_Linux() => UnixProgram.Compare(p =>
    {
        int[] sizes = [1, 64, 65, 192, 193, 704, 705, 1728, 3776, 3777, 4096, 5000, 7872, 7873, 36543, 36544, 36545, 65536, 100_000, 106_433, 150_000, 212_992, 250_000];
        foreach (int size in sizes)
        {
            foreach (SocketKind kind in new[] { SocketKind.Stream, SocketKind.Datagram, SocketKind.SeqPacket })
            {
                (int a, int b) = p.Pair(kind);
                p.Note($"{size} {kind}");
                p.Send(a, size);
                p.Queued(a, OutQueue);
                p.Queued(b, InQueue);
                p.Close(a);
                p.Close(b);
            }
        }

        (int c, int d) = p.Pair(SocketKind.Datagram);
        p.Send(c, 0);
        p.Queued(c, OutQueue);
        p.Poll(d);
        p.Receive(d);
        p.Receive(d);
    });

    [Fact]
    public void The_writer_gets_an_edge_at_each_buffer_that_is_consumed_while_it_may_write() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair();
        p.Watch(a, "a");
        p.Watch(b, "b");
        p.Events();
        p.SendText(a, "one");
        p.SendText(a, "two");
        p.Events();
        p.ReceiveText(b, 1);
        p.Events(); // part of a buffer: nothing
        p.ReceiveText(b, 2, MessageFlags.Peek);
        p.Events();
        p.ReceiveText(b, 2);
        p.Events(); // the first buffer
        p.ReceiveText(b, 3);
        p.Events();
        while (p.Send(a, 20_000) > 0)
        {
        }

        p.Events();
        while (p.Receive(b, 5000) > 0)
            p.Events();
    });

    [Fact]
    public void Messages_of_a_writer_that_watches_OUT_come_back_as_events() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair();
        p.Watch(a, "a");
        p.Events();
        for (int i = 0; i < 3; i++)
        {
            p.SendText(a, "x");
            p.Events();
            p.ReceiveText(b);
            p.Events();
        }
    });

    [Fact]
    public void Raising_the_send_buffer_gives_an_OUT_edge_and_the_low_watermark_does_not_hold_back_IN() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair();
        p.Watch(a, "a");
        p.Watch(b, "b");
        p.Events();
        p.SetOption(a, (int)SocketOption.SocketSendBuffer, 100_000);
        p.Option(a, (int)SocketOption.SocketSendBuffer);
        p.Events();
        p.SetOption(a, (int)SocketOption.SocketReceiveBuffer, 100_000);
        p.Events();
        p.SetOption(b, (int)SocketOption.SocketReceiveLowWatermark, 10);
        p.Events();
        p.SendText(a, "short");
        p.Events();
        p.ReceiveText(b, 20);
        p.SetOption(a, (int)SocketOption.SocketSendBuffer, 0);
        p.Option(a, (int)SocketOption.SocketSendBuffer);
        p.Send(a, 100_000);
        p.Queued(a, OutQueue);
        p.Poll(a);
        p.SetOption(a, (int)SocketOption.SocketSendBuffer, 1 << 20);
        p.Option(a, (int)SocketOption.SocketSendBuffer);
        p.Events();
    });

    [Fact]
    public void A_closed_peer_is_IN_OUT_RDHUP_HUP_and_what_it_sent_is_read_first() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair();
        p.Watch(b, "b");
        p.Events();
        p.SendText(a, "last words");
        p.Close(a);
        p.Events();
        p.Poll(b);
        p.ReceiveText(b, 4);
        p.ReceiveText(b);
        p.ReceiveText(b);
        p.ReceiveText(b);
        p.SendText(b, "x");
        p.Events();
        p.Option(b, (int)SocketOption.SocketError);
        p.Name(b, peer: true);
    });

    [Fact]
    public void A_peer_that_closes_with_unread_data_leaves_a_reset_that_is_read_once() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair();
        p.Watch(b, "b");
        p.SendText(b, "nobody reads this");
        p.SendText(a, "but this");
        p.Events();
        p.Close(a);
        p.Events();
        p.Poll(b);
        p.SendText(b, "x");
        p.Queued(b, OutQueue);
        p.ReceiveText(b);
        p.ReceiveText(b);
        p.ReceiveText(b);
        p.Poll(b);
    });

    [Fact]
    public void Reading_SO_ERROR_takes_the_reset_away() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair();
        p.SendText(b, "nobody reads this");
        p.Close(a);
        p.Poll(b);
        p.Option(b, (int)SocketOption.SocketError);
        p.Poll(b);
        p.ReceiveText(b);
    });

    [Theory]
    [InlineData(ShutdownHow.Read)]
    [InlineData(ShutdownHow.Write)]
    [InlineData(ShutdownHow.Both)]
    public void A_shutdown_is_an_edge_on_both_sides_each_time(ShutdownHow how) => UnixProgram.Compare(p =>
    {
        foreach (SocketKind kind in new[] { SocketKind.Stream, SocketKind.SeqPacket, SocketKind.Datagram })
        {
            (int a, int b) = p.Pair(kind);
            p.SendText(b, "before");
            p.Watch(a, "a");
            p.Watch(b, "b");
            p.Events();
            for (int i = 0; i < 2; i++)
            {
                p.Shutdown(a, how);
                p.Events();
                p.Poll(a);
                p.Poll(b);
            }

            foreach (int fd in new[] { a, b })
            {
                p.ReceiveText(fd);
                p.ReceiveText(fd);
                p.SendText(fd, "after");
                p.Events();
            }

            p.Shutdown(b, how);
            p.Events();
            p.Shutdown(a, ShutdownHow.Write);
            p.Events();
            p.Poll(a);
            p.Poll(b);
        }
    });

    [Fact]
    public void Shutting_down_what_is_not_connected_is_allowed() => UnixProgram.Compare(p =>
    {
        int fd = p.Socket(SocketKind.Stream);
        p.Shutdown(fd, ShutdownHow.Both);
        p.Poll(fd);
        p.ReceiveText(fd);
        p.SendText(fd, "x");
        p.Connect(fd, UnixProgram.Address(p.NewPath()));
        int listener = p.Listener(UnixProgram.Address("weir-down-" + p.Kernel.Name, true), 3);
        p.Shutdown(listener, ShutdownHow.Read);
        p.Poll(listener);
        p.Accept(listener);
        p.Connect(p.Socket(SocketKind.Stream), UnixProgram.Address("weir-down-" + p.Kernel.Name, true));
    });

    [Fact]
    public void Peeking_takes_nothing_and_sees_several_writes() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair();
        p.SendText(a, "one");
        p.SendText(a, "two");
        p.ReceiveText(b, 100, MessageFlags.Peek);
        p.ReceiveText(b, 4, MessageFlags.Peek);
        p.ReceiveText(b, 4);
        p.ReceiveText(b, 1, MessageFlags.Peek | MessageFlags.WaitAll);
        p.ReceiveText(b, 100, MessageFlags.Peek);
        p.ReceiveText(b, 100, MessageFlags.WaitAll);
        p.ReceiveText(b, 100, MessageFlags.Peek);
        p.ReceiveText(b, 0);
        p.SendText(a, "");
        p.ReceiveText(b, 0);
        p.SendText(a, "z");
        p.ReceiveText(b, 0);
        p.ReceiveText(b, 100, UnixProgram.Truncated);
    });

    [Fact]
    public unsafe void A_buffer_that_cannot_be_reached_is_EFAULT() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair();
        p.Watch(a, "a");
        p.Events();
        p.Note("send", p.Kernel.Send(a, (void*)8, 4, 0));
        p.Events(); // the buffer that was given back
        p.SendText(a, "four");
        p.Note("recv", p.Kernel.Receive(b, (void*)8, 4, 0));
        p.ReceiveText(b);
        (int c, int d) = p.Pair(SocketKind.Datagram);
        p.Note("send", p.Kernel.Send(c, (void*)8, 4, 0));
        p.SendText(c, "four");
        p.Note("recv", p.Kernel.Receive(d, (void*)8, 4, 0));
        p.ReceiveText(d);
    });

    [Fact]
    public void Options_are_those_of_the_family() => UnixProgram.Compare(p =>
    {
        foreach (SocketKind kind in new[] { SocketKind.Stream, SocketKind.Datagram, SocketKind.SeqPacket })
        {
            (int a, _) = p.Pair(kind);
            foreach (SocketOption option in new[]
            {
                SocketOption.SocketType, SocketOption.SocketError, SocketOption.SocketSendBuffer, SocketOption.SocketReceiveBuffer,
                SocketOption.SocketAcceptConnections, SocketOption.SocketProtocol, SocketOption.SocketDomain, SocketOption.SocketReceiveLowWatermark,
                SocketOption.SocketReuseAddress, SocketOption.SocketKeepAlive,
            })
            {
                p.Option(a, (int)option);
            }

            p.SetOption(a, (int)SocketOption.SocketReusePort, 1);
            p.SetOption(a, (int)SocketOption.SocketReusePort, 0);
            p.SetOption(a, (int)SocketOption.TcpNoDelay, 1, SocketLevel.Tcp);
            p.SetOption(a, 17, 1);
            p.Option(a, 17, 12);
            p.Option(p.Listener(UnixProgram.Address(p.NewPath()), 1), (int)SocketOption.SocketAcceptConnections);
            p.Queued(a, 0x1234);
        }

        int unconnected = p.Socket(SocketKind.Stream);
        p.Queued(unconnected, InQueue);
        p.Queued(p.Listener(UnixProgram.Address(p.NewPath()), 1), InQueue);
        p.Option(unconnected, 17, 12);
    });
}
