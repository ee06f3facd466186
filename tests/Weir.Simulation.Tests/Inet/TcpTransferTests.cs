namespace Weir.Simulation.Tests;

public class TcpTransferTests
{
    private const MessageFlags Truncated = (MessageFlags)0x20;

    [Fact]
    public void Every_segment_is_an_edge_and_reading_is_none() => SocketUser.SameOnBothKernels(user =>
    {
        (int client, int server) = user.Pair();
        user.Watch(client);
        user.Watch(server);
        user.Note("client", user.Edge(client));
        user.Note("server", user.Edge(server));
        user.Send(client, 3);
        user.Note("server", user.Edge(server));
        user.Send(client, 3);
        user.Note("server", user.Edge(server));
        user.Note("client", user.Edge(client));
        user.Note("queued", user.Queued(server));
        user.Note("recv", user.Receive(server, 4));
        user.Note("recv", user.Receive(server, 4));
        user.Note("recv", user.Receive(server, 4));
        user.Note("server", user.Edge(server));
        user.Note("client", user.Edge(client));
        user.Note("unsent", user.Queued(client, 0x5411));
    });

    [Fact]
    public void Reads_peek_wait_for_all_and_discard() => SocketUser.SameOnBothKernels(user =>
    {
        (int client, int server) = user.Pair();
        user.Send(client, 6);
        user.Await(server, EpollEvents.In);
        user.Note("peek", user.Receive(server, 10, MessageFlags.Peek));
        user.Note("peek", user.Receive(server, 2, MessageFlags.Peek));
        user.Note("all, without blocking", user.Receive(server, 2, MessageFlags.WaitAll));
        user.Note("discard", user.Receive(server, 2, Truncated));
        user.Note("rest", user.Receive(server, 9, MessageFlags.WaitAll));
        user.Note("nothing", user.Receive(server, 9, MessageFlags.Peek));
        user.Note("zero bytes", user.Receive(server, 0));
        user.Note("send nothing", SocketUser.Name(user.Send(client, 0)));
    });

    [Fact]
    public void The_writer_hears_of_room_only_after_it_has_run_out()
    {
        SocketUser.SameOnBothKernels(user =>
        {
            (int client, int server) = user.Pair(fd => user.SetOption(fd, SocketLevel.Socket, SocketOption.SocketSendBuffer, 100_000));
            user.Watch(client, EpollEvents.Out);
            user.Edge(client);
            long sent = user.Fill(client);
            user.Note("enough to fill both buffers", sent is > 100_000 and < 10_000_000);
            user.Note("full", user.Mask(client));
            user.Note("edge", user.Edge(client));
            user.Note("read", user.Receive(server, 100));
            user.Note("edge", user.Edge(client));
            long read = 100 + user.Drain(server);
            user.Note("edge", user.Edge(client));
            user.Note("room", user.Mask(client));
            while (read < sent)
            {
                user.Await(server, EpollEvents.In);
                read += user.Drain(server);
            }

            user.Note("all there", read == sent);
            user.Edge(client);
            user.Send(client, 10);
            user.Note("edge", user.Edge(client));
        });
    }

    [Fact]
    public void The_end_of_one_direction_is_read_hang_up_and_of_both_hang_up() => SocketUser.SameOnBothKernels(user =>
    {
        (int client, int server) = user.Pair();
        user.Watch(client);
        user.Watch(server);
        user.Edge(client);
        user.Edge(server);
        user.Note("shutdown", user.Kernel.Shutdown(client, ShutdownHow.Write));
        user.Note("own edge", user.Edge(client));
        user.Note("peer's edge", user.Edge(server));
        user.Note("recv", user.Receive(server, 1));
        user.Note("send", SocketUser.Name(user.Send(client, 1)));
        user.Note("send back", SocketUser.Name(user.Send(server, 2)));
        user.Note("edge", user.Edge(client));
        user.Note("recv", user.Receive(client, 9));
        user.Note("shutdown", user.Kernel.Shutdown(server, ShutdownHow.Write));
        user.Note("edge", user.Edge(server));
        user.Note("edge", user.Edge(client));
        user.Note("recv", user.Receive(client, 9));
        user.Note("shutdown again", SocketUser.Name(user.Kernel.Shutdown(server, ShutdownHow.Write)));
        user.Note("peer", user.RemoteEnd(server));
        user.Note("send", SocketUser.Name(user.Send(server, 1)));
    });

    [Fact]
    public void Data_and_the_end_become_one_event() => SocketUser.SameOnBothKernels(user =>
    {
        (int client, int server) = user.Pair();
        user.Watch(server);
        user.Edge(server);
        user.Send(client, 5);
        user.Close(client);
        user.Note("edge", user.Edge(server));
        user.Note("queued", user.Queued(server));
        user.Note("recv", user.Receive(server, 9));
        user.Note("recv", user.Receive(server, 9));
        user.Note("edge", user.Edge(server));
        user.Note("send", SocketUser.Name(user.Send(server, 1)));
        user.Note("edge", user.Edge(server));
        user.Note("send", SocketUser.Name(user.Send(server, 1)));
        user.Note("error", user.Error(server));
    });

    [Fact]
    public void Closing_with_unread_data_resets_and_what_had_arrived_is_read_first() => SocketUser.SameOnBothKernels(user =>
    {
        (int client, int server) = user.Pair();
        user.Watch(server);
        user.Send(server, 1);
        user.Send(client, 5);
        user.Await(client, EpollEvents.In);
        user.Edge(server);
        user.Close(client);
        user.Note("edge", user.Edge(server));
        user.Note("recv", user.Receive(server, 9));
        user.Note("recv", user.Receive(server, 9));
        user.Note("recv", user.Receive(server, 9));
        user.Note("send", SocketUser.Name(user.Send(server, 1)));
        user.Note("mask", user.Mask(server));
        user.Note("peer", user.RemoteEnd(server));
    });

    [Fact]
    public void Lingering_for_no_time_resets() => SocketUser.SameOnBothKernels(user =>
    {
        (int client, int server) = user.Pair();
        user.SetLinger(client, 0);
        user.Close(client);
        user.Note("mask", user.Settled(server));
        user.Note("error", user.Error(server));
        user.Note("recv", user.Receive(server, 1));
        user.Note("send", SocketUser.Name(user.Send(server, 1)));
    });

    [Fact]
    public void Shutting_one_s_own_reading_is_an_edge_and_does_not_hinder_the_peer() => SocketUser.SameOnBothKernels(user =>
    {
        (int client, int server) = user.Pair();
        user.Watch(server);
        user.Edge(server);
        user.Note("shutdown", user.Kernel.Shutdown(server, ShutdownHow.Read));
        user.Note("edge", user.Edge(server));
        user.Note("recv", user.Receive(server, 1));
        user.Note("send", user.Send(client, 4));
        user.Note("edge", user.Edge(server));
        user.Note("recv", user.Receive(server, 9));
        user.Note("client", user.Mask(client));
    });

    [Fact]
    public void Data_for_a_socket_shut_both_ways_resets() => SocketUser.SameOnBothKernels(user =>
    {
        (int client, int server) = user.Pair();
        user.Note("shutdown", user.Kernel.Shutdown(server, ShutdownHow.Both));
        user.Note("server", user.Settled(server));
        user.Note("send", user.Send(client, 4));
        user.Note("client", user.Settled(client));
        user.Note("error", user.Error(client));
        user.Note("server", user.Mask(server));
        user.Note("error", user.Error(server));
    });

    [Fact]
    public void The_low_watermark_gates_reading_and_lowering_it_is_an_edge() => SocketUser.SameOnBothKernels(user =>
    {
        (int client, int server) = user.Pair();
        user.Watch(server, EpollEvents.In);
        user.SetOption(server, SocketLevel.Socket, SocketOption.SocketReceiveLowWatermark, 10);
        user.Send(client, 6);
        user.Note("edge", user.Edge(server));
        user.Note("mask", user.Mask(server));
        user.Note("recv", user.Receive(server, 2));
        user.SetOption(server, SocketLevel.Socket, SocketOption.SocketReceiveLowWatermark, 4);
        user.Note("edge", user.Edge(server));
        user.SetOption(server, SocketLevel.Socket, SocketOption.SocketReceiveLowWatermark, 100);
        user.Note("mask", user.Mask(server));
        user.Kernel.Shutdown(client, ShutdownHow.Write);
        user.Note("mask", user.Settled(server));
        user.Note("edge", user.Edge(server));
    });

    [Fact]
    public void Urgent_data_is_an_exceptional_condition_with_a_mark_in_the_stream() => SocketUser.SameOnBothKernels(user =>
    {
        const uint AtMark = 0x8905;
        (int client, int server) = user.Pair();
        user.Watch(server);
        user.Edge(server);
        user.Note("none", user.Receive(server, 1, MessageFlags.OutOfBand));
        user.Send(client, 3);
        user.Await(server, EpollEvents.In);
        user.Edge(server);
        user.Note("send", user.Send(client, 2, MessageFlags.OutOfBand));
        user.Note("edge", user.Edge(server));
        user.Send(client, 4);
        user.Note("edge", user.Edge(server));
        user.Note("queued", user.Queued(server));
        user.Note("at mark", user.Queued(server, AtMark));
        user.Note("up to the mark", user.Receive(server, 100));
        user.Note("at mark", user.Queued(server, AtMark));
        user.Note("edge", user.Edge(server));
        user.Note("mask", user.Mask(server));
        user.Note("peek", user.Receive(server, 1, MessageFlags.OutOfBand | MessageFlags.Peek));
        user.Note("urgent", user.Receive(server, 1, MessageFlags.OutOfBand));
        user.Note("urgent again", user.Receive(server, 1, MessageFlags.OutOfBand));
        user.Note("mask", user.Mask(server));
        user.Note("beyond", user.Receive(server, 100));
        user.Note("at mark", user.Queued(server, AtMark));
        user.Note("urgent", user.Receive(server, 1, MessageFlags.OutOfBand));
        user.Note("mask", user.Mask(server));
    });

    [Fact]
    public void Urgent_data_can_stay_in_line() => SocketUser.SameOnBothKernels(user =>
    {
        (int client, int server) = user.Pair();
        user.SetOption(server, SocketLevel.Socket, (SocketOption)10, 1);
        user.Send(client, 3, MessageFlags.OutOfBand);
        user.Note("mask", user.Settled(server));
        user.Send(client, 2);
        user.Settled(server);
        user.Note("urgent", user.Receive(server, 1, MessageFlags.OutOfBand));
        user.Note("recv", user.Receive(server, 100));
        user.Note("recv", user.Receive(server, 100));
        user.Note("mask", user.Mask(server));
    });

    [Fact]
    public void Raising_the_send_buffer_is_an_edge() => SocketUser.SameOnBothKernels(user =>
    {
        (int client, _) = user.Pair();
        user.Watch(client);
        user.Edge(client);
        user.SetOption(client, SocketLevel.Socket, SocketOption.SocketSendBuffer, 100_000);
        user.Note("edge", user.Edge(client));
        user.Note("size", user.Option(client, SocketLevel.Socket, SocketOption.SocketSendBuffer));
    });

    [Fact]
    public void Much_data_arrives_whole_in_both_directions()
    {
        using var user = new SocketUser(SimKernel.Live());
        (int client, int server) = user.Pair();
        var random = new Random(1);
        long[] sent = new long[2], read = new long[2];
        for (int i = 0; i < 3000; i++)
        {
            int side = random.Next(2);
            (int fd, int peer) = side == 0 ? (client, server) : (server, client);
            sent[side] += Math.Max(0, user.Send(fd, random.Next(1, random.Next(2) == 0 ? 100 : 200_000)));
            string got = user.Receive(peer, random.Next(1, 100_000));
            read[side] += long.TryParse(got.Split(' ')[0], out long count) ? count : 0;
        }

        Assert.True(sent[0] > 1_000_000);
        Assert.Equal(sent[0], read[0] + user.Drain(server));
        Assert.Equal(sent[1], read[1] + user.Drain(client));
    }
}
