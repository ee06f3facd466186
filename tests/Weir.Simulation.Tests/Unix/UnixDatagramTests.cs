namespace Weir.Simulation.Tests.Unix;

public class UnixDatagramTests
{
    private static byte[] Abstract(string name) => UnixProgram.Address(name, isAbstract: true);

    [Theory]
    [InlineData(SocketKind.Datagram)]
    [InlineData(SocketKind.SeqPacket)]
    public void Messages_stay_whole(SocketKind kind) => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair(kind);
        p.SendText(a, "first");
        p.SendText(a, "second");
        p.SendText(a, "third");
        p.Queued(b, 0x541B);
        p.ReceiveText(b, 3, MessageFlags.Peek);
        p.ReceiveText(b, 3, MessageFlags.Peek | UnixProgram.Truncated);
        p.ReceiveMessage(b, 3);
        p.ReceiveText(b, 3, UnixProgram.Truncated);
        p.ReceiveMessage(b);
        p.ReceiveText(b);
        p.Send(a, 212_960);
        p.Send(a, 212_961);
        p.Poll(a);
        p.Receive(b);
        p.Poll(a);
    });

    [Fact]
    public void The_end_of_a_peer_is_the_end_of_packets_and_a_refusal_of_datagrams() => UnixProgram.Compare(p =>
    {
        foreach (SocketKind kind in new[] { SocketKind.SeqPacket, SocketKind.Datagram })
        {
            foreach (bool unread in new[] { false, true })
            {
                (int a, int b) = p.Pair(kind);
                p.Watch(b, "b");
                p.Events();
                if (unread)
                    p.SendText(b, "unread");
                p.SendText(a, "data");
                p.Close(a);
                p.Events();
                p.Poll(b);
                for (int i = 0; i < 3; i++)
                    p.ReceiveText(b);
                p.SendText(b, "x");
                p.Events();
                p.SendText(b, "x");
                p.Poll(b);
                p.Events();
                p.Name(b, peer: true);
            }
        }
    });

    [Fact]
    public void A_connected_pair_is_held_up_by_memory_only() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair(SocketKind.Datagram);
        p.Watch(a, "a");
        p.Events();
        while (p.Send(a, 1000) > 0)
        {
        }

        p.Poll(a);
        p.Events();
        while (p.Receive(b) > 0)
            p.Events();
    });

    [Fact]
    public void A_receiver_takes_eleven_from_strangers_and_tells_them_when_there_is_room() => UnixProgram.Compare(p =>
    {
        byte[] address = Abstract("weir-log-" + p.Kernel.Name);
        int receiver = p.Socket(SocketKind.Datagram);
        p.Bind(receiver, address);
        int[] senders = [p.Socket(SocketKind.Datagram), p.Socket(SocketKind.Datagram)];
        p.Watch(receiver, "receiver", EpollEvents.In | EpollEvents.EdgeTriggered);
        foreach (int sender in senders)
        {
            p.Connect(sender, address);
            p.Watch(sender, sender == senders[0] ? "one" : "two");
        }

        p.Events();
        while (p.Send(senders[0], 1) > 0)
            p.Events();
        p.Poll(senders[0]);
        p.Poll(senders[1]);
        p.Events();
        p.Send(senders[1], 1);
        p.Events();
        p.SendTo(p.Socket(SocketKind.Datagram), "stranger", address);
        p.Receive(receiver, 10, MessageFlags.Peek);
        p.Events();
        p.Receive(receiver, 10);
        p.Events();
        p.Send(senders[1], 1);
        p.Events();
        p.Send(senders[0], 1);
        p.Events();
        for (int i = 0; i < 12; i++)
        {
            p.Receive(receiver, 10);
            p.Events();
        }
    });

    [Fact]
    public void A_full_receiver_that_goes_wakes_those_it_held_up() => UnixProgram.Compare(p =>
    {
        byte[] address = Abstract("weir-gone-" + p.Kernel.Name);
        int receiver = p.Socket(SocketKind.Datagram);
        p.Bind(receiver, address);
        int sender = p.Socket(SocketKind.Datagram);
        p.Connect(sender, address);
        p.Watch(sender, "sender");
        while (p.Send(sender, 1) > 0)
        {
        }

        p.Events();
        p.Close(receiver);
        p.Events();
        p.Poll(sender);
        p.Send(sender, 1);
        p.Events();
        p.Send(sender, 1);
        p.SendTo(sender, "x", address);
        p.Connect(sender, address);
    });

    [Fact]
    public void Addresses_say_who_sent_and_whom_to_answer() => UnixProgram.Compare(p =>
    {
        byte[] here = Abstract("weir-here"), there = Abstract("weir-there");
        int a = p.Socket(SocketKind.Datagram), b = p.Socket(SocketKind.Datagram);
        p.Bind(a, here);
        p.Bind(b, there);
        p.SendTo(a, "to b", there);
        p.ReceiveMessage(b);
        p.SendTo(p.Socket(SocketKind.Datagram), "nameless", there);
        p.ReceiveMessage(b);
        p.ReceiveMessage(b);
        p.SendTo(a, "to itself", here);
        p.ReceiveMessage(a);
        p.SendTo(a, "x", Abstract("weir-nobody"));
        p.SendTo(a, "x", UnixProgram.Address(p.NewPath()));
        p.SendTo(a, "x", [9, 0, 1, 2]);
        p.SendText(a, "x");
        p.Connect(a, there);
        p.Name(a, peer: true);
        p.SendText(a, "connected");
        p.ReceiveMessage(b);
        p.Connect(b, here);
        p.SendTo(p.Socket(SocketKind.Datagram), "not from you", there);
        p.Connect(p.Socket(SocketKind.Datagram), there);
    });

    [Fact]
    public void Who_connects_anew_loses_what_the_former_peer_sent() => UnixProgram.Compare(p =>
    {
        byte[] one = Abstract("weir-one"), two = Abstract("weir-two"), own = Abstract("weir-own");
        int a = p.Socket(SocketKind.Datagram), b = p.Socket(SocketKind.Datagram), c = p.Socket(SocketKind.Datagram);
        p.Bind(a, own);
        p.Bind(b, one);
        p.Bind(c, two);
        p.Connect(a, one);
        p.Connect(b, own);
        p.Watch(a, "a");
        p.Watch(b, "b");
        p.Events();
        p.SendText(b, "lost");
        p.Events();
        p.Connect(a, two);
        p.Events();
        p.Poll(a);
        p.Poll(b);
        p.ReceiveText(a);
        p.SendText(b, "x");
        p.ReceiveText(b);
        p.SendText(b, "x");
        p.Connect(a, [0, 0]);
        p.Events();
        p.SendText(a, "x");
        p.Connect(a, [0, 0]);
        p.Events();
        p.SendText(b, "again");
        p.ReceiveText(a);
    });

    [Fact]
    public void Sequenced_packets_connect_and_need_no_address() => UnixProgram.Compare(p =>
    {
        byte[] address = UnixProgram.Address(p.NewPath());
        int listener = p.Listener(address, 2, SocketKind.SeqPacket);
        int client = p.Socket(SocketKind.SeqPacket);
        p.Poll(client);
        p.SendText(client, "x");
        p.ReceiveText(client);
        p.Connect(client, address);
        p.SendTo(client, "whatever address", address);
        int accepted = p.Accept(listener);
        p.ReceiveMessage(accepted);
        p.Poll(accepted);
        p.Close(listener);
        p.Send(accepted, 0);
        p.Poll(client);
        p.Receive(client);
        p.Receive(client);
    });
}
