using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Weir.Net;

namespace Weir.Tests;

/// <summary>Socket activation: what the environment says, and what becomes of the descriptors.</summary>
public class InheritedDescriptorTests : NetTestBase
{
    private unsafe int RawListener(EndPoint at)
    {
        RawSocketAddress address = RawSocketAddress.From(at);
        int fd = Door.Socket(address.Domain, SocketKind.Stream, 0);
        Assert.Equal(0, InnerKernel.Bind(fd, address.Pointer, address.Length));
        Assert.Equal(0, InnerKernel.Listen(fd, 10));
        // As an activator leaves it: blocking, and open across exec.
        Assert.Equal(0, InnerKernel.Fcntl(fd, FcntlCommand.SetStatusFlags, 0));
        Assert.Equal(0, InnerKernel.Fcntl(fd, FcntlCommand.SetDescriptorFlags, 0));
        return fd;
    }

    public static TheoryData<string> Families() => new() { "tcp", "path", "abstract" };

    [Theory]
    [MemberData(nameof(Families))]
    public void A_listening_socket_is_taken_over(string family) => Run(async () =>
    {
        string path = NewPath();
        EndPoint at = family switch
        {
            "tcp" => AnyPort,
            "path" => new UnixDomainSocketEndPoint(path),
            _ => NewAbstractName(),
        };
        int fd = RawListener(at);
        InheritedDescriptor inherited = InheritedDescriptors.FromNumber(fd);
        Assert.Equal((fd, InheritedDescriptorKind.Listener), (inherited.FileDescriptor, inherited.Kind));
        Assert.Equal(1, InnerKernel.Fcntl(fd, FcntlCommand.GetDescriptorFlags, 0));
        using (Listener listener = Listener.FromDescriptor(inherited.FileDescriptor))
        {
            Assert.Equal(inherited.LocalEndPoint, listener.LocalEndPoint);
            Assert.NotEqual(0, InnerKernel.Fcntl(fd, FcntlCommand.GetStatusFlags, 0) & (int)FileFlags.NonBlock);
            ValueTask<Connection> accepting = listener.AcceptAsync();
            using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
            using Connection server = await accepting;
            await client.WriteAsync(Bytes("hello"));
            Assert.Equal("hello", await ReadText(server, 5));
            if (family == "tcp")
                Assert.True(server.NoDelay);
        }

        // Who made the path removes it: there is something still, and nobody listens.
        if (family == "path")
            Assert.Equal(Errno.ECONNREFUSED, (await Assert.ThrowsAsync<KernelException>(async () => await Connection.ConnectAsync(at))).Errno);
    });

    [Fact]
    public void What_does_not_listen_is_refused_and_stays_the_callers() => Run(() =>
    {
        int stream = Door.Socket(SocketDomain.Inet, SocketKind.Stream, 0), datagram = Door.Socket(SocketDomain.Unix, SocketKind.Datagram, 0), counter = Door.EventFd(0, EventFdFlags.None);
        Assert.Contains("does not listen", Assert.Throws<ArgumentException>(() => Listener.FromDescriptor(stream)).Message);
        Assert.Throws<ArgumentException>(() => Listener.FromDescriptor(datagram));
        Assert.Equal(Errno.ENOTSOCK, Assert.Throws<KernelException>(() => Listener.FromDescriptor(counter)).Errno);
        Assert.Equal(Errno.EBADF, Assert.Throws<KernelException>(() => Listener.FromDescriptor(9999)).Errno);
        Assert.Equal(
            (InheritedDescriptorKind.Connection, InheritedDescriptorKind.Datagram, InheritedDescriptorKind.NoSocket),
            (InheritedDescriptors.FromNumber(stream).Kind, InheritedDescriptors.FromNumber(datagram).Kind, InheritedDescriptors.FromNumber(counter).Kind));
        foreach (int fd in new[] { stream, datagram, counter })
            Assert.Equal(0, Door.Close(fd));
        return Task.CompletedTask;
    });

    [Theory]
    [InlineData(nameof(Kernel.GetSockOpt))]
    [InlineData(nameof(Kernel.Fcntl))]
    [InlineData(nameof(Kernel.SetSockOpt))]
    [InlineData(nameof(Kernel.GetSockName))]
    [InlineData(nameof(Kernel.EpollCtl))]
    public void A_listener_that_cannot_be_taken_over_stays_the_callers(string call) => Run(() =>
    {
        int fd = RawListener(AnyPort);
        Door.FailNext(call, Errno.ENOSPC);
        Assert.Equal(Errno.ENOSPC, Assert.Throws<KernelException>(() => Listener.FromDescriptor(fd)).Errno);
        Listener.FromDescriptor(fd).Dispose();
        return Task.CompletedTask;
    });

    /// <summary>A kernel on which the numbers from 3 on are sockets of this test's own.</summary>
    private sealed class Renumbering(Kernel inner, params int[] fds) : CountingKernel(inner)
    {
        private int Real(int fd) => fd is >= 3 and < 20 ? fd - 3 < fds.Length ? fds[fd - 3] : -1 : fd;

        public override int Fcntl(int fd, FcntlCommand command, nint argument) => base.Fcntl(Real(fd), command, argument);

        public override unsafe int GetSockOpt(int fd, SocketLevel level, SocketOption option, void* value, uint* length) => base.GetSockOpt(Real(fd), level, option, value, length);

        public override unsafe int GetSockName(int fd, void* address, uint* length) => base.GetSockName(Real(fd), address, length);
    }

    private static Func<string, string?> Variables(string? process, string? count, string? names = null) => name => name switch
    {
        "LISTEN_PID" => process,
        "LISTEN_FDS" => count,
        "LISTEN_FDNAMES" => names,
        _ => null,
    };

    [Fact]
    public void The_environment_names_them_in_order() => Run(() =>
    {
        int listener = RawListener(AnyPort), counter = Door.EventFd(0, EventFdFlags.None), datagram = Door.Socket(SocketDomain.Inet, SocketKind.Datagram, 0);
        var kernel = new Renumbering(InnerKernel, listener, counter, datagram);
        IReadOnlyList<InheritedDescriptor> all = InheritedDescriptors.Read(kernel, 77, Variables("77", "3", "web:bell"));
        Assert.Equal([3, 4, 5], all.Select(one => one.FileDescriptor));
        Assert.Equal(["web", "bell", "unknown"], all.Select(one => one.Name));
        Assert.Equal([InheritedDescriptorKind.Listener, InheritedDescriptorKind.NoSocket, InheritedDescriptorKind.Datagram], all.Select(one => one.Kind));
        Assert.IsType<IPEndPoint>(all[0].LocalEndPoint);
        Assert.All(new[] { listener, counter, datagram }, fd => Assert.Equal(1, InnerKernel.Fcntl(fd, FcntlCommand.GetDescriptorFlags, 0)));

        Assert.Empty(InheritedDescriptors.Read(kernel, 78, Variables("77", "3"))); // meant for another
        Assert.Empty(InheritedDescriptors.Read(kernel, 77, Variables(null, "3")));
        Assert.Empty(InheritedDescriptors.Read(kernel, 77, Variables("77", null)));
        Assert.Empty(InheritedDescriptors.Read(kernel, 77, Variables("77", "0")));
        Assert.Equal(Errno.EBADF, Assert.Throws<KernelException>(() => InheritedDescriptors.Read(kernel, 77, Variables("77", "4"))).Errno);
        foreach (string bad in new[] { "-1", "three", " 3", "99999999999" })
            Assert.Contains("LISTEN_FDS", Assert.Throws<InvalidOperationException>(() => InheritedDescriptors.Read(kernel, 77, Variables("77", bad))).Message);
        Assert.Contains("LISTEN_PID", Assert.Throws<InvalidOperationException>(() => InheritedDescriptors.Read(kernel, 77, Variables("me", "1"))).Message);
        foreach (int fd in new[] { listener, counter, datagram })
            Assert.Equal(0, Door.Close(fd));
        return Task.CompletedTask;
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_variables_go_if_so_wished(bool unset)
    {
        Environment.SetEnvironmentVariable("LISTEN_PID", (Environment.ProcessId + 1).ToString(CultureInfo.InvariantCulture));
        Environment.SetEnvironmentVariable("LISTEN_FDS", "2");
        try
        {
            Assert.Empty(InheritedDescriptors.FromEnvironment(unset));
            Assert.Equal(unset ? null : "2", Environment.GetEnvironmentVariable("LISTEN_FDS"));
        }
        finally
        {
            Environment.SetEnvironmentVariable("LISTEN_PID", null);
            Environment.SetEnvironmentVariable("LISTEN_FDS", null);
        }
    }
}
