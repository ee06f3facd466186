using System.Net;
using System.Net.Sockets;

namespace Weir.Tests;

public sealed unsafe class RawSocketAddressTests
{
    [Theory]
    [InlineData("127.0.0.1", 80)]
    [InlineData("255.254.253.252", 65535)]
    [InlineData("::1", 443)]
    [InlineData("2001:db8::1:2", 1)]
    [InlineData("fe80::1%3", 8080)]
    public void Internet_addresses_survive_the_round_trip(string address, int port)
    {
        IPEndPoint endPoint = new(IPAddress.Parse(address), port);
        RawSocketAddress raw = RawSocketAddress.From(endPoint);
        Assert.Equal(endPoint, raw.ToEndPoint());
        Assert.Equal(endPoint.AddressFamily == AddressFamily.InterNetwork ? SocketDomain.Inet : SocketDomain.Inet6, raw.Domain);
        Assert.Equal(endPoint.AddressFamily == AddressFamily.InterNetwork ? 16u : 28u, raw.Length);
    }

    [Fact]
    public void The_scope_of_a_link_local_address_is_kept()
    {
        RawSocketAddress raw = RawSocketAddress.From(new IPEndPoint(IPAddress.Parse("fe80::1%3"), 1));
        Assert.Equal(3, ((IPEndPoint)raw.ToEndPoint()!).Address.ScopeId);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public void The_kernel_reads_and_writes_the_same_layout(string host)
    {
        using TestDescriptors fds = new();
        RawSocketAddress raw = RawSocketAddress.From(new IPEndPoint(IPAddress.Parse(host), 0));
        int opened = Kernel.Linux.Socket(raw.Domain, SocketKind.Stream, 0);
        if (opened == -(int)Errno.EAFNOSUPPORT)
            return; // a machine without IPv6
        int socket = fds.Keep(opened);
        int bound = Kernel.Linux.Bind(socket, raw.Pointer, raw.Length);
        if (bound == -(int)Errno.EADDRNOTAVAIL)
            return;
        Assert.Equal(0, bound);
        RawSocketAddress local = RawSocketAddress.Empty;
        uint length = local.Length;
        Assert.Equal(0, Kernel.Linux.GetSockName(socket, local.Pointer, &length));
        local.Length = length;
        IPEndPoint endPoint = Assert.IsType<IPEndPoint>(local.ToEndPoint());
        Assert.Equal(IPAddress.Parse(host), endPoint.Address);
        Assert.NotEqual(0, endPoint.Port);
    }

    [Theory]
    [InlineData("/run/a.sock")]
    [InlineData("relative")]
    [InlineData("/run/grüße")]
    [InlineData("\0abstract")]
    public void Unix_addresses_survive_the_round_trip(string path)
    {
        UnixDomainSocketEndPoint endPoint = new(path);
        RawSocketAddress raw = RawSocketAddress.From(endPoint);
        Assert.Equal(SocketDomain.Unix, raw.Domain);
        Assert.Equal(endPoint, raw.ToEndPoint());
        bool isAbstract = path[0] == 0;
        int bytes = System.Text.Encoding.UTF8.GetByteCount(path);
        Assert.Equal((uint)(2 + bytes + (isAbstract ? 0 : 1)), raw.Length);
        Assert.Equal(isAbstract, raw.Bytes[^1] != 0);
    }

    [Fact]
    public void A_unix_socket_is_found_again_under_its_abstract_name()
    {
        using TestDescriptors fds = new();
        RawSocketAddress raw = RawSocketAddress.From(new UnixDomainSocketEndPoint($"\0weir-{Guid.NewGuid()}"));
        int listener = fds.Keep(Kernel.Linux.Socket(SocketDomain.Unix, SocketKind.Stream, 0));
        Assert.Equal(0, Kernel.Linux.Bind(listener, raw.Pointer, raw.Length));
        Assert.Equal(0, Kernel.Linux.Listen(listener, 1));
        int client = fds.Keep(Kernel.Linux.Socket(SocketDomain.Unix, SocketKind.Stream, 0));
        Assert.Equal(0, Kernel.Linux.Connect(client, raw.Pointer, raw.Length));
        RawSocketAddress peer = RawSocketAddress.Empty;
        uint length = peer.Length;
        Assert.Equal(0, Kernel.Linux.GetPeerName(client, peer.Pointer, &length));
        peer.Length = length;
        Assert.Equal(raw.Bytes, peer.Bytes);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\0")]
    public void The_longest_name_is_accepted(string prefix)
    {
        UnixDomainSocketEndPoint endPoint = new(prefix + new string('a', 107));
        RawSocketAddress raw = RawSocketAddress.From(endPoint);
        Assert.Equal(110u, raw.Length); // sizeof(struct sockaddr_un)
        Assert.Equal(endPoint, raw.ToEndPoint());
    }

    [Fact]
    public void A_path_without_room_for_its_terminating_zero_is_refused()
        => Assert.ThrowsAny<ArgumentException>(() => RawSocketAddress.From(new UnixDomainSocketEndPoint(new string('a', 108))));

    [Fact]
    public void Names_must_be_resolved_first()
    {
        ArgumentException failure = Assert.Throws<ArgumentException>(() => RawSocketAddress.From(new DnsEndPoint("example.org", 80)));
        Assert.Contains("resolve", failure.Message);
        Assert.Throws<ArgumentNullException>(() => RawSocketAddress.From(null!));
    }

    [Fact]
    public void An_unnamed_socket_has_no_end_point()
    {
        using TestDescriptors fds = new();
        (int left, _) = fds.SocketPair();
        RawSocketAddress raw = RawSocketAddress.Empty;
        uint length = raw.Length;
        Assert.Equal(0, Kernel.Linux.GetSockName(left, raw.Pointer, &length));
        raw.Length = length;
        Assert.Equal(SocketDomain.Unix, raw.Domain);
        Assert.Null(raw.ToEndPoint());
        Assert.Null(default(RawSocketAddress).ToEndPoint());
    }
}
