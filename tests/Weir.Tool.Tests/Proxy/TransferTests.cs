using System.Net;
using System.Net.Sockets;
using Weir.Tool.Proxy;
using Weir.Tool.Tests.Support;

namespace Weir.Tool.Tests.Proxy;

public class TransferTests
{
    private const int Much = 64 << 20;

    public static TheoryData<bool, bool, bool> Kinds => new()
    {
        { false, false, true },
        { false, false, false },
        { true, true, true },
        { true, false, true },
        { false, true, true },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Much_passes_both_ways_at_once_byte_for_byte(bool unixClient, bool unixUpstream, bool splice)
    {
        using TestServer server = TestServer.Echo(unixUpstream ? Abstract() : null);
        using var proxy = new ProxyHost(
            new ProxyOptions { Upstreams = [ProxyHost.To(server.EndPoint)], MaxPipes = splice ? 8 : 0 },
            unixClient ? Abstract() : new IPEndPoint(IPAddress.Loopback, 0));
        using (Socket client = TestServer.Connect(proxy.EndPoint))
        {
            client.Ping();
            await Transfer.RoundTrip(client, Much);
            client.Ping("small again");
            client.Shutdown(SocketShutdown.Send);
            Assert.Equal(0, client.Drain());
        }

        (long up, long down, long spliced) = proxy.On(p => (p.Statistics.ToUpstream.Bytes, p.Statistics.ToClient.Bytes, p.Statistics.ToUpstream.Spliced + p.Statistics.ToClient.Spliced));
        Assert.Equal((Much + 15, Much + 15), (up, down));
        if (splice)
            Assert.True(spliced > Much / 8, $"Only {spliced} bytes were spliced.");
        else
            Assert.Equal(0, spliced);
    }

    [Fact]
    public async Task A_reader_that_does_not_read_stops_the_sender_and_not_its_neighbours()
    {
        using TestServer server = TestServer.Echo();
        using var proxy = new ProxyHost(new ProxyOptions { Upstreams = [ProxyHost.To(server.EndPoint)] });
        using Socket lazy = TestServer.Connect(proxy.EndPoint);
        using Socket busy = TestServer.Connect(proxy.EndPoint);
        lazy.Blocking = false;
        byte[] block = new byte[1 << 20];
        long sent = 0;
        // The echo comes back through buffers of limited size, so at some point nothing more is taken: until the neighbour's pings come
        // back although nothing more goes in, a hundred times in a row.
        for (int refused = 0; refused < 100;)
        {
            int count = 0;
            try
            {
                count = lazy.Send(block);
            }
            catch (SocketException exception) when (exception.SocketErrorCode == SocketError.WouldBlock)
            {
                refused++;
            }

            if (count > 0)
                refused = 0;
            sent += count;
            busy.Ping();
            Assert.True(sent < 1L << 30, "Nothing stops the sender.");
        }

        lazy.Blocking = true;
        Task<byte[]> received = Transfer.Receive(lazy, (int)sent);
        Assert.Equal(sent, (await received).Length);
    }

    [Fact]
    public void A_message_allocates_nothing()
    {
        using TestServer server = TestServer.Echo();
        using var proxy = new ProxyHost(new ProxyOptions { Upstreams = [ProxyHost.To(server.EndPoint)], IdleTimeout = TimeSpan.FromMinutes(1) });
        using Socket client = TestServer.Connect(proxy.EndPoint);
        void Exchange(int messages)
        {
            byte[] bytes = new byte[64];
            for (int i = 0; i < messages; i++)
            {
                client.Send(bytes);
                client.Receive(bytes);
            }
        }

        const int Messages = 5000;
        Exchange(Messages);
        // What it takes to ask is in it, but nothing for each message. A collection in between makes the figure a rough one: among a few one must be good.
        long least = long.MaxValue;
        for (int round = 0; round < 5 && least > Messages; round++)
        {
            long before = proxy.On(_ => GC.GetAllocatedBytesForCurrentThread());
            Exchange(Messages);
            least = Math.Min(least, proxy.On(_ => GC.GetAllocatedBytesForCurrentThread()) - before);
        }

        Assert.InRange(least, 0, Messages);
    }

    [Fact]
    public async Task Pipes_are_given_back()
    {
        using TestServer server = TestServer.Echo();
        using var proxy = new ProxyHost(new ProxyOptions { Upstreams = [ProxyHost.To(server.EndPoint)], MaxPipes = 1 });
        for (int i = 0; i < 3; i++)
        {
            long before = proxy.On(p => p.Statistics.ToUpstream.Spliced + p.Statistics.ToClient.Spliced);
            using Socket first = TestServer.Connect(proxy.EndPoint), second = TestServer.Connect(proxy.EndPoint);
            await Task.WhenAll(Transfer.RoundTrip(first, 8 << 20), Transfer.RoundTrip(second, 8 << 20));
            Assert.True(proxy.On(p => p.Statistics.ToUpstream.Spliced + p.Statistics.ToClient.Spliced) > before);
        }
    }

    private static UnixDomainSocketEndPoint Abstract() => new($"\0weir-test-{Guid.NewGuid():N}");
}
