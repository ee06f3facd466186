namespace Weir.Simulation.Tests.Unix;

public unsafe class UnixProcessTests
{
    private const SocketOption PeerCredentials = (SocketOption)17;

    [Fact]
    public void Each_side_sees_who_made_the_connection() => UnixProgram.Compare(p =>
    {
        int own = p.Kernel is SimKernel simulated ? simulated.ProcessId : Environment.ProcessId;
        (int a, int b) = p.Pair();
        byte[] address = UnixProgram.Address("weir-who-" + Environment.ProcessId, isAbstract: true);
        int listener = p.Listener(address, 3), client = p.Socket(SocketKind.Stream);
        p.Connect(client, address);
        int* value = stackalloc int[3];
        foreach (int fd in new[] { a, b, listener, client, p.Accept(listener) })
        {
            uint length = 12;
            p.Note("getsockopt", p.Kernel.GetSockOpt(fd, SocketLevel.Socket, PeerCredentials, value, &length));
            p.Note($"{length} {(value[0] == own ? "this process" : value[0])}");
        }
    });

    [Fact]
    public void Processes_of_one_machine_meet_at_a_name_and_see_each_other()
    {
        SimKernel server = SimKernel.Live("server"), client = server.Fork("client");
        using UnixProgram p = new(server), q = new(client);
        byte[] address = UnixProgram.Address("/run/server");
        int listener = p.Listener(address, 1);
        int connection = q.Socket(SocketKind.Stream);
        q.Connect(connection, address);
        int accepted = p.Accept(listener);
        Assert.Equal(server.ProcessId, Peer(client, connection));
        Assert.Equal(client.ProcessId, Peer(server, accepted));
        int counter = p.EventFd();
        p.SendFiles(accepted, "x", counter);
        int got = Assert.Single(q.ReceiveMessage(connection));
        Assert.Same(server.Descriptors.Find(counter), client.Descriptors.Find(got));
    }

    [Fact]
    public void A_write_and_a_read_allocate_nothing()
    {
        SimKernel kernel = SimKernel.Live();
        int* fds = stackalloc int[4];
        kernel.SocketPair(SocketDomain.Unix, SocketKind.Stream, 0, fds);
        kernel.SocketPair(SocketDomain.Unix, SocketKind.Datagram, 0, fds + 2);
        byte[] data = new byte[3000];
        fixed (byte* bytes = data)
        {
            byte* memory = bytes;
            Exchange(kernel, fds, memory);
            Assert.Equal(0, Weir.Tests.Allocations.Least(() => Exchange(kernel, fds, memory)));
        }
    }

    private static void Exchange(SimKernel kernel, int* fds, byte* bytes)
    {
        for (int i = 0; i < 200; i++)
        {
            for (int pair = 0; pair < 4; pair += 2)
            {
                for (int size = 1; size <= 3000; size += 2999)
                {
                    kernel.Write(fds[pair], bytes, (nuint)size);
                    kernel.Write(fds[pair], bytes, (nuint)size);
                    kernel.Read(fds[pair + 1], bytes, 3000);
                    kernel.Read(fds[pair + 1], bytes, 3000);
                }
            }
        }
    }

    private static int Peer(SimKernel kernel, int fd)
    {
        int* value = stackalloc int[3];
        uint length = 12;
        Assert.Equal(0, kernel.GetSockOpt(fd, SocketLevel.Socket, PeerCredentials, value, &length));
        return value[0];
    }
}
