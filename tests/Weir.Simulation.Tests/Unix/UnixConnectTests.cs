namespace Weir.Simulation.Tests.Unix;

public class UnixConnectTests
{
    private static byte[] Abstract(string name) => UnixProgram.Address(name, isAbstract: true);

    [Theory]
    [InlineData(SocketKind.Stream)]
    [InlineData(SocketKind.SeqPacket)]
    public void A_backlog_of_n_admits_one_more_and_then_EAGAIN(SocketKind kind) => UnixProgram.Compare(p =>
    {
        foreach (int backlog in new[] { 0, 1, 3 })
        {
            byte[] address = UnixProgram.Address(p.NewPath());
            int listener = p.Listener(address, backlog, kind);
            for (int i = 0; i < backlog + 3; i++)
                p.Connect(p.Socket(kind), address);
            p.Accept(listener);
            int late = p.Socket(kind);
            p.Connect(late, address);
            p.Connect(late, address);
            p.Listen(listener, backlog + 1);
            p.Connect(p.Socket(kind), address);
            p.Connect(p.Socket(kind), address);
        }
    });

    [Fact]
    public void A_listener_gets_an_edge_for_each_connection_and_none_when_it_accepts() => UnixProgram.Compare(p =>
    {
        byte[] address = UnixProgram.Address(p.NewPath());
        int listener = p.Listener(address, 5);
        p.Watch(listener, "listener");
        p.Events();
        for (int i = 0; i < 3; i++)
        {
            int client = p.Socket(SocketKind.Stream);
            p.Watch(client, "client");
            p.Events();
            p.Connect(client, address);
            p.Poll(client);
            p.Events();
        }

        int accepted = p.Accept(listener);
        p.Events();
        p.Poll(accepted);
        p.Poll(listener);
        p.Accept(listener);
        p.Accept(listener);
        p.Accept(listener);
        p.Poll(listener);
    });

    [Fact]
    public void Closing_the_listener_resets_who_was_not_accepted() => UnixProgram.Compare(p =>
    {
        byte[] address = UnixProgram.Address(p.NewPath());
        int listener = p.Listener(address, 5);
        int client = p.Socket(SocketKind.Stream);
        p.Watch(client, "client");
        p.Connect(client, address);
        p.SendText(client, "hello");
        p.Events();
        p.Close(listener);
        p.Events();
        p.Poll(client);
        p.ReceiveText(client);
        p.ReceiveText(client);
        p.SendText(client, "x");
        p.Connect(p.Socket(SocketKind.Stream), address);
    });

    [Fact]
    public void What_was_sent_before_the_accept_is_there_after_it() => UnixProgram.Compare(p =>
    {
        byte[] address = Abstract("weir-early-" + p.Kernel.Name);
        int listener = p.Listener(address, 5);
        int client = p.Socket(SocketKind.Stream);
        p.Connect(client, address);
        p.SendText(client, "early");
        p.Close(client);
        int accepted = p.Accept(listener);
        p.Poll(accepted);
        p.ReceiveText(accepted);
        p.ReceiveText(accepted);
        p.Name(accepted, peer: true);
    });

    [Fact]
    public void Names_have_the_lengths_that_Linux_gives_them() => UnixProgram.Compare(p =>
    {
        byte[] address = UnixProgram.Address("./weir-" + Environment.ProcessId);
        int listener = p.Listener(address, 5);
        p.Name(listener, peer: false);
        p.Name(listener, peer: true);
        int client = p.Socket(SocketKind.Stream);
        p.Name(client, peer: false);
        p.Connect(client, address);
        p.Name(client, peer: true);
        int accepted = p.Accept(listener);
        p.Name(accepted, peer: false);
        p.Name(accepted, peer: true);
        p.Note("unlink", p.Unlink("./weir-" + Environment.ProcessId));
        p.Note("unlink", p.Unlink("./weir-" + Environment.ProcessId));
        int other = p.Socket(SocketKind.Stream);
        p.Bind(other, Abstract("weir\0x-" + Environment.ProcessId));
        p.Name(other, peer: false);
        p.Bind(other, Abstract("weir-y-" + Environment.ProcessId));
        int automatic = p.Socket(SocketKind.Datagram);
        p.Bind(automatic, [1, 0]);
        p.Name(automatic, peer: false, shows: false);
        p.Bind(automatic, [1, 0]);
        p.Bind(p.Socket(SocketKind.Datagram), [2, 0, 0, 0]);
        p.Bind(p.Socket(SocketKind.Datagram), [1]);
        p.Bind(p.Socket(SocketKind.Datagram), [.. Abstract("x"), .. new byte[110]]);
        byte[] longest = [1, 0, .. "/tmp/"u8, .. Enumerable.Repeat((byte)'x', 103)];
        int longName = p.Socket(SocketKind.Stream);
        p.Bind(longName, longest);
        p.Name(longName, peer: false);
        p.Note("unlink", p.Unlink("/tmp/" + new string('x', 103)));
    });

    [Fact]
    public void A_path_stays_taken_until_it_is_unlinked() => UnixProgram.Compare(p =>
    {
        string path = p.NewPath();
        byte[] address = UnixProgram.Address(path);
        p.Connect(p.Socket(SocketKind.Stream), address);
        int first = p.Listener(address, 5);
        p.Bind(p.Socket(SocketKind.Stream), address);
        p.Bind(first, address);
        p.Bind(first, UnixProgram.Address(p.NewPath()));
        p.Connect(p.Socket(SocketKind.Datagram), address);
        p.Connect(p.Socket(SocketKind.SeqPacket), address);
        p.Note("unlink", p.Unlink(path));
        p.Connect(p.Socket(SocketKind.Stream), address);
        int second = p.Socket(SocketKind.Stream);
        p.Bind(second, address);
        p.Connect(p.Socket(SocketKind.Stream), address);
        p.Close(second);
        p.Connect(p.Socket(SocketKind.Stream), address);
        p.Bind(p.Socket(SocketKind.Stream), address);
        p.Close(first);
        p.Bind(p.Socket(SocketKind.Stream), address);
        unsafe
        {
            fixed (byte* name = System.Text.Encoding.UTF8.GetBytes(path + "\0"))
                p.Note("open", p.Kernel.Open(name, FileFlags.ReadWrite, 0));
        }
    });

    [Fact]
    public void A_path_is_what_it_leads_to_however_it_is_spelled() => UnixProgram.Compare(p =>
    {
        string path = p.NewPath(), name = Path.GetFileName(path);
        p.Listener(UnixProgram.Address($"/tmp/./{name}"), 5);
        p.Connect(p.Socket(SocketKind.Stream), UnixProgram.Address(path));
        p.Connect(p.Socket(SocketKind.Stream), UnixProgram.Address(path + "/"));
        p.Connect(p.Socket(SocketKind.Stream), UnixProgram.Address(path + "/x"));
        p.Connect(p.Socket(SocketKind.Stream), UnixProgram.Address("/tmp"));
        p.Bind(p.Socket(SocketKind.Stream), UnixProgram.Address($"/tmp//{name}"));
        p.Bind(p.Socket(SocketKind.Stream), UnixProgram.Address(path + "/x"));
        p.Bind(p.Socket(SocketKind.Stream), UnixProgram.Address($"/tmp/no-such-directory-{name}/x"));
        p.Bind(p.Socket(SocketKind.Stream), UnixProgram.Address($"/tmp/x-{name}/"));
        p.Bind(p.Socket(SocketKind.Stream), UnixProgram.Address("/tmp"));
        p.Note("unlink", p.Unlink(path));
        p.Connect(p.Socket(SocketKind.Stream), UnixProgram.Address(path));
    });

    [Fact]
    public void An_abstract_name_is_free_again_when_its_socket_is_closed() => UnixProgram.Compare(p =>
    {
        byte[] address = Abstract("weir-abstract-" + p.Kernel.Name);
        int first = p.Listener(address, 5);
        p.Bind(p.Socket(SocketKind.Stream), address);
        p.Bind(p.Socket(SocketKind.Datagram), address);
        int client = p.Socket(SocketKind.Stream);
        p.Connect(client, address);
        int accepted = p.Accept(first);
        p.Connect(p.Socket(SocketKind.SeqPacket), address);
        p.Close(first);
        p.Connect(p.Socket(SocketKind.Stream), address);
        p.Bind(p.Socket(SocketKind.Stream), address);
        p.Close(accepted);
        p.Poll(client);
    });

    [Fact]
    public void What_does_not_listen_or_is_connected_already_says_so() => UnixProgram.Compare(p =>
    {
        byte[] address = Abstract("weir-wrong-" + p.Kernel.Name);
        int fd = p.Socket(SocketKind.Stream);
        p.Listen(fd, 1);
        p.Accept(fd);
        p.Bind(fd, address);
        p.Connect(p.Socket(SocketKind.Stream), address);
        p.Listen(fd, -1);
        p.Connect(fd, address);
        p.SendText(fd, "x");
        p.ReceiveText(fd);
        int client = p.Socket(SocketKind.Stream);
        p.Connect(client, [0, 0]);
        p.Connect(client, [1, 0]);
        p.Connect(client, address);
        p.Connect(client, address);
        p.Listen(client, 1);
        p.SendTo(client, "x", address);
        p.SendTo(p.Socket(SocketKind.Stream), "x", address);
        p.Listen(p.Socket(SocketKind.Datagram), 1);
        p.Accept(p.Socket(SocketKind.Datagram));
        (int a, _) = p.Pair();
        p.Listen(a, 1);
        p.Accept(a);
        p.Note("socket", p.Kernel.Socket(SocketDomain.Unix, (SocketKind)4, 0));
        p.Note("socket", p.Kernel.Socket(SocketDomain.Unix, SocketKind.Stream, 5));
    });
}
