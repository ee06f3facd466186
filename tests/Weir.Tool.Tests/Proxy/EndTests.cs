using System.Net.Sockets;
using Weir.Tool.Proxy;
using Weir.Tool.Tests.Support;

namespace Weir.Tool.Tests.Proxy;

public class EndTests
{
    private static ProxyHost Start(TestServer server) => new(new ProxyOptions { Upstreams = [ProxyHost.To(server.EndPoint)] });

    [Fact]
    public void A_second_signal_that_comes_after_the_end_changes_nothing() => EventLoop.Run(async () =>
    {
        var proxy = new ProxyServer(new ProxyOptions { Upstreams = [] });
        proxy.Listen(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0));
        proxy.Drain();
        await proxy.RunAsync();
        proxy.Dispose();
        proxy.Abort();
        proxy.Drain();
    });

    [Fact]
    public void The_end_of_the_client_is_passed_on_and_the_answer_still_comes()
    {
        using var server = new TestServer(async socket =>
        {
            byte[] buffer = new byte[100];
            int total = 0, count;
            while ((count = await socket.ReceiveAsync(buffer.AsMemory(total))) > 0)
                total += count;
            await TestServer.SendAll(socket, buffer.AsMemory(0, total));
        });
        using ProxyHost proxy = Start(server);
        using Socket client = TestServer.Connect(proxy.EndPoint);
        client.Say("question");
        client.Shutdown(SocketShutdown.Send);
        Assert.Equal("question", client.Hear(100));
    }

    [Fact]
    public void The_end_of_the_upstream_is_passed_on_and_the_client_can_go_on_sending()
    {
        using var server = new TestServer(async socket =>
        {
            socket.Shutdown(SocketShutdown.Send);
            byte[] buffer = new byte[100];
            while (await socket.ReceiveAsync(buffer) is > 0 and int count)
                Received.Release(count);
        });
        using ProxyHost proxy = Start(server);
        using Socket client = TestServer.Connect(proxy.EndPoint);
        Assert.Equal(0, client.Drain());
        client.Say("still here");
        for (int i = 0; i < "still here".Length; i++)
            Assert.True(Received.Wait(TimeSpan.FromSeconds(30)));
    }

    private static readonly SemaphoreSlim Received = new(0);

    [Fact]
    public void A_reset_by_the_upstream_resets_the_client()
    {
        using var server = new TestServer(async socket =>
        {
            await socket.ReceiveAsync(new byte[1]);
            TestServer.Reset(socket);
        });
        using ProxyHost proxy = Start(server);
        using Socket client = TestServer.Connect(proxy.EndPoint);
        client.Say("x");
        Assert.Equal(SocketError.ConnectionReset, client.EndOf());
        Assert.Equal(1, proxy.On(p => p.Statistics.Resets));
    }

    [Fact]
    public async Task A_reset_by_the_client_resets_the_upstream()
    {
        var end = new TaskCompletionSource<SocketError>();
        using var server = new TestServer(async socket =>
        {
            await TestServer.SendAll(socket, "hello"u8.ToArray());
            try
            {
                await socket.ReceiveAsync(new byte[1]);
                end.SetResult(SocketError.Success);
            }
            catch (SocketException exception)
            {
                end.SetResult(exception.SocketErrorCode);
            }
        });
        using ProxyHost proxy = Start(server);
        Socket client = TestServer.Connect(proxy.EndPoint);
        Assert.Equal("hello", client.Hear(5));
        TestServer.Reset(client);
        Assert.Equal(SocketError.ConnectionReset, await end.Task.WaitAsync(TimeSpan.FromSeconds(30)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_upstream_that_dies_in_mid_transfer_takes_the_client_with_it(bool blocked)
    {
        using var go = new SemaphoreSlim(0);
        using var server = new TestServer(async socket =>
        {
            await socket.ReceiveAsync(new byte[1]);
            // Fills all buffers on the way if the client does not read.
            Task send = TestServer.SendAll(socket, new byte[256 << 20]);
            await go.WaitAsync();
            TestServer.Reset(socket);
            await send;
        });
        using ProxyHost proxy = Start(server);
        using Socket client = TestServer.Connect(proxy.EndPoint);
        client.Say("x");
        if (!blocked)
            client.Hear(4 << 20);
        go.Release();
        Assert.Equal(SocketError.ConnectionReset, client.EndOf());
    }

    [Fact]
    public async Task A_client_that_sends_for_ever_learns_that_the_upstream_died()
    {
        using var server = new TestServer(async socket =>
        {
            await socket.ReceiveAsync(new byte[1 << 20]);
            TestServer.Reset(socket);
        });
        using ProxyHost proxy = Start(server);
        using Socket client = TestServer.Connect(proxy.EndPoint);
        byte[] block = new byte[1 << 16];
        SocketException failure = await Assert.ThrowsAsync<SocketException>(async () =>
        {
            while (true)
                await TestServer.SendAll(client, block).WaitAsync(TimeSpan.FromSeconds(30));
        });
        // EPIPE, if the reset was told by an earlier call.
        Assert.Contains(failure.SocketErrorCode, new[] { SocketError.ConnectionReset, SocketError.Shutdown });
    }

    [Fact]
    public void Ended_connections_leave_nothing_behind()
    {
        using TestServer server = TestServer.Echo();
        using ProxyHost proxy = Start(server);
        int before = proxy.On(_ => EventLoop.Current!.Statistics.Descriptors);
        for (int i = 0; i < 50; i++)
        {
            using Socket client = TestServer.Connect(proxy.EndPoint);
            client.Ping();
            client.Shutdown(SocketShutdown.Send);
            Assert.Equal(0, client.Drain());
        }

        // The client saw the end of its half; the other may come a moment later.
        Assert.True(SpinWait.SpinUntil(() => proxy.On(p => p.Statistics.Active) == 0, TimeSpan.FromSeconds(30)));
        Assert.Equal(before, proxy.On(_ => EventLoop.Current!.Statistics.Descriptors));
    }
}
