using Weir.Net;

namespace Weir.Tests;

/// <summary>Datagram sockets that are taken over by number, and given back.</summary>
public class DatagramDescriptorTests : DatagramTestBase
{
    /// <summary>A socket as an activator leaves it: bound, blocking, and open across exec.</summary>
    private unsafe int RawBound(string family)
    {
        RawSocketAddress address = RawSocketAddress.From(AddressOf(family));
        int fd = Door.Socket(address.Domain, SocketKind.Datagram, 0);
        Assert.Equal(0, InnerKernel.Bind(fd, address.Pointer, address.Length));
        Assert.Equal(0, InnerKernel.Fcntl(fd, FcntlCommand.SetStatusFlags, 0));
        Assert.Equal(0, InnerKernel.Fcntl(fd, FcntlCommand.SetDescriptorFlags, 0));
        return fd;
    }

    [Theory]
    [InlineData("v4")]
    [InlineData("v6")]
    [InlineData("unix")]
    [InlineData("abstract")]
    public void A_bound_socket_is_taken_over(string family) => Run(async () =>
    {
        int fd = RawBound(family);
        InheritedDescriptor inherited = InheritedDescriptors.FromNumber(fd);
        Assert.Equal(InheritedDescriptorKind.Datagram, inherited.Kind);
        Assert.Equal(0, InnerKernel.Fcntl(fd, FcntlCommand.SetDescriptorFlags, 0));
        using DatagramSocket client = Bound(family);
        using (DatagramSocket server = DatagramSocket.FromDescriptor(fd))
        {
            Assert.Equal((fd, client.Domain, false), (server.FileDescriptor, server.Domain, server.IsConnected));
            Assert.Equal(inherited.LocalEndPoint, server.LocalEndPoint);
            Assert.Equal(1, InnerKernel.Fcntl(fd, FcntlCommand.GetDescriptorFlags, 0)); // FD_CLOEXEC
            Assert.NotEqual(0, InnerKernel.Fcntl(fd, FcntlCommand.GetStatusFlags, 0) & (int)FileFlags.NonBlock);
            ValueTask<ReceivedDatagram> receiving = server.ReceiveFromAsync(new byte[10]);
            await client.SendToAsync(Bytes("?"), server.LocalEndPoint!);
            await server.SendToAsync(Bytes("!!"), (await receiving).From!);
            Assert.Equal(2, await client.ReceiveAsync(new byte[10]));
        }

        // Who made the path removes it: there is something still, and nobody who receives.
        if (family == "unix")
            Assert.Equal(Errno.ECONNREFUSED, (await Assert.ThrowsAsync<KernelException>(async () => await client.SendToAsync(Bytes("?"), inherited.LocalEndPoint!))).Errno);
    });

    [Theory]
    [InlineData("v4")]
    [InlineData("v6")]
    [InlineData("unix")]
    [InlineData("pair")]
    public void What_is_given_back_is_connected_still_and_keeps_what_came(string family) => Run(async () =>
    {
        (DatagramSocket first, DatagramSocket second) = ConnectedPair(family);
        using DatagramSocket kept = second;
        await second.SendAsync(Bytes("early"));
        int fd = first.ReleaseDescriptor();
        await second.SendAsync(Bytes("late"));
        Assert.Equal(-1, first.FileDescriptor);
        Assert.Throws<ObjectDisposedException>(() => first.ReleaseDescriptor());
        first.Dispose(); // has nothing left to close or to remove
        using DatagramSocket again = DatagramSocket.FromDescriptor(fd);
        Assert.True(again.IsConnected);
        Assert.Equal(second.LocalEndPoint, again.RemoteEndPoint);
        byte[] buffer = new byte[10];
        Assert.Equal(5, await again.ReceiveAsync(buffer));
        Assert.Equal(4, await again.ReceiveAsync(buffer));
        await again.SendAsync(Bytes("on"));
        Assert.Equal(2, await second.ReceiveAsync(buffer));
        if (family == "unix")
            await second.SendToAsync(Bytes("by its path"), again.LocalEndPoint!);
    });

    [Theory, MemberData(nameof(Families))]
    public void Giving_it_back_ends_those_who_wait_and_takes_nothing(string family) => Run(async () =>
    {
        (DatagramSocket first, DatagramSocket second) = ConnectedPair(family);
        using DatagramSocket kept = second;
        Task<int> waiting = first.ReceiveAsync(new byte[10]).AsTask();
        await EventLoop.Yield();
        int fd = first.ReleaseDescriptor();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => waiting);
        using DatagramSocket again = DatagramSocket.FromDescriptor(fd);
        ValueTask<int> receiving = again.ReceiveAsync(new byte[10]);
        await second.SendAsync(Bytes("abc"));
        Assert.Equal(3, await receiving);
    });

    [Fact]
    public void One_is_sent_to_another_process_and_taken_over_there() => Run(async () =>
    {
        (Connection here, Connection there) = Connection.CreatePair();
        using Connection one = here, other = there;
        using DatagramSocket socket = Bound("v4"), client = Bound("v4");
        await here.SendDescriptorsAsync(Bytes("x"), new[] { socket.FileDescriptor });
        int[] fds = new int[1];
        await there.ReceiveDescriptorsAsync(new byte[1], fds);
        using DatagramSocket duplicate = DatagramSocket.FromDescriptor(fds[0]);
        Assert.Equal(socket.LocalEndPoint, duplicate.LocalEndPoint);
        socket.Dispose();
        await client.SendToAsync(Bytes("to the other"), AddressOf(duplicate));
        Assert.Equal(12, await duplicate.ReceiveAsync(new byte[20]));
    });

    [Fact]
    public void What_is_no_datagram_socket_is_refused_and_stays_the_callers() => Run(() =>
    {
        int stream = Door.Socket(SocketDomain.Inet, SocketKind.Stream, 0), sequenced = Door.Socket(SocketDomain.Unix, SocketKind.SeqPacket, 0), counter = Door.EventFd(0, EventFdFlags.None);
        ArgumentException refusal = Assert.Throws<ArgumentException>(() => DatagramSocket.FromDescriptor(stream));
        Assert.Contains($"fd {stream} is no datagram socket", refusal.Message);
        Assert.Contains("Stream (SO_TYPE) and Inet (SO_DOMAIN)", refusal.Message);
        Assert.Contains("use Connection.FromDescriptor", refusal.Message);
        Assert.Contains("SeqPacket", Assert.Throws<ArgumentException>(() => DatagramSocket.FromDescriptor(sequenced)).Message);
        KernelException failure = Assert.Throws<KernelException>(() => DatagramSocket.FromDescriptor(counter));
        Assert.Equal(Errno.ENOTSOCK, failure.Errno);
        Assert.Contains($"getsockopt(SocketDomain), fd {counter}: ENOTSOCK: the descriptor is not a socket; for other files", failure.Message);
        Assert.Equal(Errno.EBADF, Assert.Throws<KernelException>(() => DatagramSocket.FromDescriptor(9999)).Errno);
        Assert.Throws<ArgumentOutOfRangeException>(() => DatagramSocket.FromDescriptor(-1));
        foreach (int fd in new[] { stream, sequenced, counter })
        {
            Assert.Equal(1, InnerKernel.Fcntl(fd, FcntlCommand.GetDescriptorFlags, 0) | 1); // open
            Assert.Equal(0, Door.Close(fd));
        }

        return Task.CompletedTask;
    });

    [Theory]
    [InlineData(nameof(Kernel.GetSockOpt))]
    [InlineData(nameof(Kernel.Fcntl))]
    public void One_that_cannot_be_taken_over_stays_the_callers(string call) => Refused(call);

    [Fact]
    public virtual void One_that_the_loop_cannot_watch_stays_the_callers() => Refused(nameof(Kernel.EpollCtl));

    private void Refused(string call) => Run(() =>
    {
        int fd = RawBound("v4");
        Door.FailNext(call, Errno.ENOSPC);
        Assert.Equal(Errno.ENOSPC, Assert.Throws<KernelException>(() => DatagramSocket.FromDescriptor(fd)).Errno);
        DatagramSocket.FromDescriptor(fd).Dispose();
        return Task.CompletedTask;
    });
}
