#pragma warning disable CA2022 // Whatever part comes is enough here.
using System.Net;
using System.Net.Sockets;
using Weir.Net;

namespace Weir.Tests;

/// <summary>Each call on the way to a connection fails once: the failure is the caller's, and nothing stays open.</summary>
public class DescriptorLeakTests : NetTestBase
{
    [Theory]
    [InlineData(nameof(Kernel.Socket))]
    [InlineData(nameof(Kernel.SetSockOpt))]
    [InlineData(nameof(Kernel.Bind))]
    [InlineData(nameof(Kernel.Listen))]
    [InlineData(nameof(Kernel.GetSockName))]
    [InlineData(nameof(Kernel.EpollCtl))]
    public void Listening(string call) => FailsAndLeavesNothing(call, () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        return Task.CompletedTask;
    });

    [Theory]
    [InlineData(nameof(Kernel.Socket))]
    [InlineData(nameof(Kernel.Bind))]
    [InlineData(nameof(Kernel.Listen))]
    [InlineData(nameof(Kernel.GetSockName))]
    [InlineData(nameof(Kernel.EpollCtl))]
    public void Listening_at_an_abstract_name(string call) => FailsAndLeavesNothing(call, () =>
    {
        using Listener listener = Listener.Bind(NewAbstractName());
        return Task.CompletedTask;
    });

    [Theory]
    [InlineData(nameof(Kernel.Socket))]
    [InlineData(nameof(Kernel.SetSockOpt))]
    [InlineData(nameof(Kernel.Bind))]
    [InlineData(nameof(Kernel.Connect))]
    [InlineData(nameof(Kernel.EpollCtl))]
    [InlineData(nameof(Kernel.GetSockOpt))]
    public void Connecting(string call) => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        var options = new ConnectOptions { LocalEndPoint = AnyPort };
        await Fails(call, async () => (await Connection.ConnectAsync(listener.LocalEndPoint, options)).Dispose());
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint, options);
    });

    [Theory]
    [InlineData(nameof(Kernel.Socket))]
    [InlineData(nameof(Kernel.Connect))]
    [InlineData(nameof(Kernel.EpollCtl))]
    public void Connecting_to_a_unix_socket(string call) => Run(async () =>
    {
        using Listener listener = Listener.Bind(NewAbstractName());
        await Fails(call, async () => (await Connection.ConnectAsync(listener.LocalEndPoint)).Dispose());
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
    });

    [ThreadedFact]
    public void Connecting_by_name_tries_each_address_and_closes_each() => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        var name = new DnsEndPoint("localhost", ((IPEndPoint)listener.LocalEndPoint).Port, AddressFamily.InterNetwork);
        await Fails(nameof(Kernel.EpollCtl), async () => (await Connection.ConnectAsync(name)).Dispose());
        await Fails(nameof(Kernel.Socket), async () => (await Connection.ConnectAsync(name)).Dispose());
    });

    [Fact]
    public void Accepting() => Run(async () =>
    {
        using Listener listener = Listener.Bind(AnyPort);
        using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
        using Connection other = await Connection.ConnectAsync(listener.LocalEndPoint);
        await Fails(nameof(Kernel.EpollCtl), async () => (await listener.AcceptAsync()).Dispose());
        await Fails(nameof(Kernel.Accept4), async () => (await listener.AcceptAsync()).Dispose());
        using Connection server = await listener.AcceptAsync();
        Assert.Equal(other.LocalEndPoint, server.RemoteEndPoint);
    });

    [Theory]
    [InlineData(nameof(Kernel.SocketPair), 0)]
    [InlineData(nameof(Kernel.EpollCtl), 0)]
    [InlineData(nameof(Kernel.EpollCtl), 1)]
    public void Making_a_pair(string call, int earlier) => Run(async () =>
    {
        await Fails(
            call,
            () =>
            {
                (Connection first, Connection second) = Connection.CreatePair();
                first.Dispose();
                second.Dispose();
                return Task.CompletedTask;
            },
            earlier);
    });

    [Theory]
    [InlineData(nameof(Kernel.GetSockOpt))]
    [InlineData(nameof(Kernel.Fcntl))]
    [InlineData(nameof(Kernel.EpollCtl))]
    public void Taking_over_leaves_the_descriptor_to_its_owner(string call) => Run(async () =>
    {
        int fd = Door.Socket(SocketDomain.Inet, SocketKind.Stream, 0);
        await Fails(call, () =>
        {
            Connection.FromDescriptor(fd).Dispose();
            return Task.CompletedTask;
        });
        Assert.Equal(0, Door.Close(fd));
    });

    [Fact]
    public void A_loop_that_cannot_be_made_leaves_nothing()
    {
        foreach (string call in new[] { nameof(Kernel.EpollCreate1), nameof(Kernel.EventFd), nameof(Kernel.EpollCtl) })
        {
            Door.FailNext(call, Errno.EMFILE);
            Assert.Equal(Errno.EMFILE, Assert.Throws<KernelException>(() => RunAbandoning(() => Task.CompletedTask)).Errno);
            CheckBooks();
        }
    }

    [Fact]
    public void What_is_open_when_the_loop_ends_is_closed_with_it() => RunAbandoning(async () =>
    {
        Listener listener = Listener.Bind(AnyPort);
        _ = listener.AcceptAsync().AsTask();
        (Connection client, Connection server) = await TcpPair();
        _ = client.ReadAsync(new byte[1]).AsTask();
        _ = server.WaitForDataAsync().AsTask();
        Connection.CreatePair();
    });

    [ThreadedFact]
    public void Waits_from_other_threads_end_with_the_loop()
    {
        Task<int>? reading = null;
        Connection? connection = null;
        RunAbandoning(async () =>
        {
            (connection, _) = Connection.CreatePair();
            reading = Task.Run(async () => await connection.ReadAsync(new byte[1]));
            await Until(() => Statistics.WaitingReaders == 1);
        });
        Assert.Throws<ObjectDisposedException>(() => { reading!.WaitAsync(TimeSpan.FromSeconds(30)).GetAwaiter().GetResult(); });
        Assert.Throws<ObjectDisposedException>(() => { connection!.WriteAsync(new byte[1]).AsTask().GetAwaiter().GetResult(); });
        connection!.Dispose();
    }

    private void FailsAndLeavesNothing(string call, Func<Task> action) => Run(async () =>
    {
        await Fails(call, action);
        await action();
    });

    private async Task Fails(string call, Func<Task> action, int earlier = 0)
    {
        string[] before = [.. Door.OpenNow];
        Door.FailLater(call, Errno.EPERM, earlier);
        KernelException failure = await Assert.ThrowsAsync<KernelException>(action);
        Assert.Equal(Errno.EPERM, failure.Errno);
        Assert.Equal(before.Order(), Door.OpenNow.Order());
    }
}
