namespace Weir.Simulation.Tests.Unix;

public unsafe class UnixAncillaryTests
{
    private const int PassCredentials = 16;

    private static void Signal(UnixProgram p, int eventFd)
    {
        ulong one = 1;
        p.Note("write", p.Kernel.Write(eventFd, &one, 8));
    }

    [Fact]
    public void A_descriptor_arrives_as_another_number_for_the_same_file() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair();
        int counter = p.EventFd();
        p.SendFiles(a, "take", counter);
        p.Close(counter);
        int got = p.ReceiveMessage(b)[0];
        p.Poll(got);
        Signal(p, got);
        p.Poll(got);
        p.Note("flags", p.Kernel.Fcntl(got, FcntlCommand.GetDescriptorFlags, 0));
        p.SendFiles(a, "two", got, got);
        int[] two = p.ReceiveMessage(b, flags: MessageFlags.CloseOnExec);
        p.Note("flags", p.Kernel.Fcntl(two[1], FcntlCommand.GetDescriptorFlags, 0));
    });

    [Fact]
    public void A_read_stops_after_the_message_that_carried_descriptors() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair();
        int counter = p.EventFd();
        p.SendText(a, "1");
        p.SendFiles(a, "23", counter);
        p.SendText(a, "4");
        p.SendFiles(a, "5", counter);
        p.SendFiles(a, "6", counter);
        p.Watch(b, "b");
        p.Events();
        p.ReceiveMessage(b, 3, flags: MessageFlags.Peek);
        p.ReceiveMessage(b, 1, flags: MessageFlags.Peek);
        p.ReceiveMessage(b, 2);
        p.ReceiveMessage(b, 1);
        p.Events();
        p.ReceiveText(b);
        p.ReceiveMessage(b);
        p.ReceiveMessage(b);
        p.Events();
    });

    [Fact]
    public void Descriptors_that_do_not_fit_are_closed_and_the_receiver_is_told() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair();
        (int c, int d) = p.Pair();
        p.SendFiles(a, "x", c, c, c);
        p.ReceiveMessage(b, room: 16 + 8);
        p.SendFiles(a, "x", c, c, c);
        p.ReceiveMessage(b, room: 16 + 12);
        p.SendFiles(a, "x", c);
        p.ReceiveMessage(b, room: 16);
        p.SendFiles(a, "x", c);
        p.ReceiveMessage(b, room: 0);
        p.SendFiles(a, "x", c);
        p.ReceiveMessage(b, room: 20);
        p.SendFiles(a, "", c);
        p.SendFiles(a, "x", c, 9999);
        p.SendFiles(a, "x", new int[254]);
        p.SendFiles(a, "y", c);
        p.Close(b);
        p.Poll(d);
    });

    [Fact]
    public void A_file_on_its_way_lives_and_goes_with_the_queue_it_is_in() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair();
        (int c, int d) = p.Pair();
        p.SendFiles(a, "x", c);
        p.Close(c);
        p.Poll(d);
        p.SendText(d, "still there");
        p.ReceiveMessage(b, flags: MessageFlags.Peek);
        p.Poll(d);
        p.Close(a);
        p.Poll(d);
        p.ReceiveText(b);
        p.Poll(d);
    });

    [Fact]
    public void Datagrams_carry_descriptors_too() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair(SocketKind.Datagram);
        (int c, int d) = p.Pair();
        p.SendFiles(a, "", c);
        p.ReceiveMessage(b, flags: MessageFlags.Peek);
        p.ReceiveMessage(b);
        p.SendFiles(a, "x", c);
        p.ReceiveText(b);
        p.SendFiles(a, "x", c);
        p.Close(b);
        p.SendFiles(a, "x", c);
        p.Poll(d);
    });

    [Fact]
    public void Credentials_come_with_every_message_for_who_asks() => UnixProgram.Compare(p =>
    {
        foreach (SocketKind kind in new[] { SocketKind.Stream, SocketKind.Datagram, SocketKind.SeqPacket })
        {
            (int a, int b) = p.Pair(kind);
            p.SendText(a, "unasked");
            p.SetOption(b, PassCredentials, 1);
            p.Option(b, PassCredentials);
            p.SendText(a, "asked");
            p.SendFiles(a, "both", p.EventFd());
            p.ReceiveMessage(b, showsCredentials: true);
            p.ReceiveMessage(b, showsCredentials: true);
            p.ReceiveMessage(b, room: 20);
            p.SendText(a, "no room");
            p.ReceiveMessage(b, room: 0);
            p.SendText(b, "from one that asks");
            p.SetOption(b, PassCredentials, 0);
            p.SetOption(a, PassCredentials, 1);
            p.ReceiveMessage(a, room: 64, showsCredentials: true);
        }
    });

    [Fact]
    public void An_accepted_socket_asks_for_credentials_if_its_listener_did_when_it_was_connected_to() => UnixProgram.Compare(p =>
    {
        byte[] address = UnixProgram.Address(p.NewPath());
        int listener = p.Listener(address, 5);
        int early = p.Socket(SocketKind.Stream), late = p.Socket(SocketKind.Stream);
        p.Connect(early, address);
        p.SendText(early, "x");
        p.SetOption(listener, PassCredentials, 1);
        p.Connect(late, address);
        int first = p.Accept(listener), second = p.Accept(listener);
        p.Option(first, PassCredentials);
        p.Option(second, PassCredentials);
        p.SetOption(first, PassCredentials, 1);
        p.ReceiveMessage(first, showsCredentials: true);
        int asking = p.Socket(SocketKind.Stream);
        p.SetOption(asking, PassCredentials, 1);
        p.Connect(asking, address);
        p.Name(asking, peer: false, shows: false);
    });

    [Fact]
    public void Sockets_that_only_their_own_queues_hold_are_collected()
    {
        SimKernel kernel = SimKernel.Live();
        using var p = new UnixProgram(kernel);
        (int a, int b) = p.Pair();
        (int c, int d) = p.Pair();
        int held = p.EventFd();
        Assert.Equal(1, p.SendFiles(a, "x", b)); // b is in its own queue
        Assert.Equal(1, p.SendFiles(c, "x", d, held));
        SimFile file = kernel.Descriptors.Find(held)!;
        p.Close(held);
        p.Close(b);
        p.Close(d);
        Assert.True(kernel.Machine.Unix.Garbage.MayExist);
        Assert.Equal(1, file.References);
        p.Close(c);
        p.Close(a);
        Assert.False(kernel.Machine.Unix.Garbage.MayExist);
        Assert.Equal(0, file.References);
    }

    [Fact]
    public void What_can_still_be_received_is_not_collected()
    {
        SimKernel kernel = SimKernel.Live();
        using var p = new UnixProgram(kernel);
        (int a, int b) = p.Pair();
        (int c, int d) = p.Pair();
        p.SendFiles(c, "x", a); // in d's queue
        p.SendFiles(b, "y", d); // in a's queue
        p.SendFiles(b, "z", c);
        p.Close(a);
        p.Close(c);
        (int e, int f) = p.Pair();
        p.Close(e);
        p.Close(f);
        int got = Assert.Single(p.ReceiveMessage(d));
        Assert.Single(p.ReceiveMessage(got));
        Assert.Single(p.ReceiveMessage(got));
    }
}
