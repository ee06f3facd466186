using System.Net.Sockets;
using System.Text;
using Weir.Net;

namespace Weir.Tests;

public class UnixListenerTests : NetTestBase
{
    [Fact]
    public void A_path_connects_and_is_removed_at_Dispose() => Run(async () =>
    {
        string path = NewPath();
        var at = new UnixDomainSocketEndPoint(path);
        Listener listener = Listener.Bind(at);
        Assert.Equal(at.ToString(), listener.LocalEndPoint.ToString());
        using Connection client = await Connection.ConnectAsync(at);
        using Connection server = await listener.AcceptAsync();
        Assert.Equal(path, client.RemoteEndPoint!.ToString());
        Assert.Equal(path, server.LocalEndPoint!.ToString());
        Assert.Null(client.LocalEndPoint);
        Assert.Null(server.RemoteEndPoint);
        await server.WriteAsync(Bytes("hello"));
        Assert.Equal("hello", await ReadText(client, 5));
        Assert.True(Exists(path));
        listener.Dispose();
        Assert.False(Exists(path));
    });

    [Fact]
    public void An_abstract_name_connects_and_leaves_nothing() => Run(async () =>
    {
        UnixDomainSocketEndPoint at = NewAbstractName();
        using Listener listener = Listener.Bind(at);
        Assert.Equal(at.ToString(), listener.LocalEndPoint.ToString());
        using Connection client = await Connection.ConnectAsync(at);
        using Connection server = await listener.AcceptAsync();
        await client.WriteAsync(Bytes("hello"));
        Assert.Equal("hello", await ReadText(server, 5));
        Assert.Equal(0, Door.Count(nameof(Kernel.Unlink)));
        listener.Dispose();
        Assert.Equal(0, Door.Count(nameof(Kernel.Unlink)));
        using Listener again = Listener.Bind(at);
    });

    [Fact]
    public void A_path_that_nobody_listens_on_any_more_is_replaced() => Run(async () =>
    {
        string path = NewPath();
        MakeStale(path);
        Assert.True(Exists(path));
        using Listener listener = Listener.Bind(new UnixDomainSocketEndPoint(path));
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
        using Connection server = await listener.AcceptAsync();
    });

    [Fact]
    public void Without_ReuseAddress_a_stale_path_is_left_alone() => Run(() =>
    {
        string path = NewPath();
        MakeStale(path);
        KernelException failure = Assert.Throws<KernelException>(() => Listener.Bind(new UnixDomainSocketEndPoint(path), new ListenOptions { ReuseAddress = false }));
        Assert.Equal(Errno.EADDRINUSE, failure.Errno);
        Assert.True(Exists(path));
        return Task.CompletedTask;
    });

    [Fact]
    public void A_path_that_someone_listens_on_is_not_replaced() => Run(async () =>
    {
        var at = new UnixDomainSocketEndPoint(NewPath());
        using Listener first = Listener.Bind(at);
        Assert.Equal(Errno.EADDRINUSE, Assert.Throws<KernelException>(() => Listener.Bind(at)).Errno);
        using Connection probe = await first.AcceptAsync(); // asking whether someone listens is a connection
        using Connection client = await Connection.ConnectAsync(at);
        using Connection server = await first.AcceptAsync();
    });

    [Fact]
    public void A_file_at_the_path_is_never_removed() => Run(() =>
    {
        string path = NewPath();
        MakeFile(path);
        Assert.Equal(Errno.EADDRINUSE, Assert.Throws<KernelException>(() => Listener.Bind(new UnixDomainSocketEndPoint(path))).Errno);
        Assert.True(Exists(path));
        return Task.CompletedTask;
    });

    [Theory]
    [InlineData(nameof(Kernel.Listen))]
    [InlineData(nameof(Kernel.GetSockName))]
    [InlineData(nameof(Kernel.EpollCtl))]
    public virtual void A_listener_that_could_not_be_made_leaves_no_path(string call) => Run(() =>
    {
        string path = NewPath();
        Door.FailNext(call, Errno.ENOMEM);
        Assert.Equal(Errno.ENOMEM, Assert.Throws<KernelException>(() => Listener.Bind(new UnixDomainSocketEndPoint(path))).Errno);
        Assert.False(Exists(path));
        return Task.CompletedTask;
    });

    [Fact]
    public void A_listener_that_its_loop_left_open_removes_its_path_when_disposed()
    {
        string path = NewPath();
        Listener? listener = null;
        RunAbandoning(() =>
        {
            listener = Listener.Bind(new UnixDomainSocketEndPoint(path));
            return Task.CompletedTask;
        });
        listener!.Dispose();
        Assert.False(Exists(path));
    }

    [Fact]
    public void A_path_is_removed_once_so_that_a_successor_keeps_its_own() => Run(() =>
    {
        string path = NewPath();
        Listener first = Listener.Bind(new UnixDomainSocketEndPoint(path));
        first.Dispose();
        using Listener second = Listener.Bind(new UnixDomainSocketEndPoint(path));
        first.Dispose();
        Assert.True(Exists(path));
        return Task.CompletedTask;
    });

    private void MakeStale(string path)
    {
        int fd = Door.Socket(SocketDomain.Unix, SocketKind.Stream, 0);
        RawSocketAddress address = RawSocketAddress.From(new UnixDomainSocketEndPoint(path));
        unsafe
        {
            Assert.Equal(0, Door.Bind(fd, address.Pointer, address.Length));
        }

        Assert.Equal(0, Door.Close(fd));
    }

    private unsafe void MakeFile(string path)
    {
        fixed (byte* bytes = Encoding.UTF8.GetBytes(path + "\0"))
            Assert.Equal(0, Door.Close(Door.Open(bytes, FileFlags.Create | FileFlags.WriteOnly, 0x180)));
    }

    // A socket cannot be opened, and says so by another error than a name that is not there.
    private unsafe bool Exists(string path)
    {
        fixed (byte* bytes = Encoding.UTF8.GetBytes(path + "\0"))
        {
            int fd = Door.Open(bytes, FileFlags.ReadOnly | FileFlags.NonBlock, 0);
            if (fd >= 0)
                Door.Close(fd);
            return fd != -(int)Errno.ENOENT;
        }
    }
}
