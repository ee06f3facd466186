using System.Net.Sockets;
using Weir.Net;

namespace Weir.Tests;

/// <summary>Names of unix sockets that are in no directory: unix(7), "abstract".</summary>
public class AbstractAddressTests : NetTestBase
{
    [Theory]
    [InlineData("{0}")]
    [InlineData("grüße {0}")]
    [InlineData("{0}\0inside")]
    [InlineData("{0}\0")]
    [InlineData("/looks/like/a/path/{0}")]
    public void Every_name_is_listened_on_connected_to_and_told(string form) => Run(async () =>
    {
        var at = new UnixDomainSocketEndPoint("\0" + string.Format(null, form, Guid.NewGuid().ToString("N")));
        var from = new UnixDomainSocketEndPoint("\0" + string.Format(null, form, Guid.NewGuid().ToString("N")));
        using Listener listener = Listener.Bind(at);
        Assert.Equal(at, listener.LocalEndPoint);
        using Connection client = await Connection.ConnectAsync(at, new ConnectOptions { LocalEndPoint = from });
        using Connection server = await listener.AcceptAsync();
        Assert.Equal((from, at), (client.LocalEndPoint, client.RemoteEndPoint));
        Assert.Equal((at, from), (server.LocalEndPoint, server.RemoteEndPoint));
    });

    [Fact]
    public void A_name_is_one_listeners_until_that_is_gone() => Run(async () =>
    {
        UnixDomainSocketEndPoint at = NewAbstractName();
        using Listener first = Listener.Bind(at);
        Assert.Equal(Errno.EADDRINUSE, Assert.Throws<KernelException>(() => Listener.Bind(at)).Errno);
        Assert.Equal(0, Door.Count(nameof(Kernel.Unlink)));
        // A name that only begins the same is another.
        using Listener longer = Listener.Bind(new UnixDomainSocketEndPoint("\0" + at.ToString()[1..] + "x"));
        using Connection client = await Connection.ConnectAsync(at);
        first.Dispose();
        // What was not accepted keeps the name no longer than it lives itself.
        client.Dispose();
        using Listener next = Listener.Bind(at);
    });

    [ThreadedFact]
    public void The_frameworks_sockets_mean_the_same_by_it()
    {
        if (InnerKernel != Kernel.Linux)
            return; // they know one kernel only
        Run(async () =>
        {
            UnixDomainSocketEndPoint at = NewAbstractName(), theirs = NewAbstractName();
            using Listener listener = Listener.Bind(at);
            using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            client.Connect(at);
            using Connection server = await listener.AcceptAsync();
            client.Send(Bytes("in"));
            Assert.Equal("in", await ReadText(server, 2));

            using var listening = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            listening.Bind(theirs);
            listening.Listen();
            using Connection connection = await Connection.ConnectAsync(theirs);
            await connection.WriteAsync(Bytes("out"));
            using Socket accepted = listening.Accept();
            Assert.Equal(3, accepted.Receive(new byte[10]));
        });
    }
}
