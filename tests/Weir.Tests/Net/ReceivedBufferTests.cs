using Weir.Net;

namespace Weir.Tests;

public class ReceivedBufferTests : NetTestBase
{
    [Theory, MemberData(nameof(ConnectionTests.Families), MemberType = typeof(ConnectionTests))]
    public void What_was_received_is_sent_on_whole_and_in_order(string family) => Run(async () =>
    {
        (Connection sender, Connection source) = await PairOf(family);
        (Connection destination, Connection receiver) = await PairOf(family);
        using (sender)
        using (source)
        using (destination)
        using (receiver)
        {
            const int Size = 3 << 20;
            byte[] sent = Pattern(Size);
            Task sending = SendAll();
            Task forwarding = Forward(source, destination);
            byte[] got = new byte[Size];
            await receiver.ReadExactlyAsync(got);
            Assert.Equal(0, await receiver.ReadAsync(new byte[1]));
            await Task.WhenAll(sending, forwarding);
            Assert.Equal(sent, got);
            Assert.Equal(0, Statistics.ReceiveBuffersInUse);

            async Task SendAll()
            {
                for (int at = 0, length = 1; at < Size; at += length, length = length * 3 % 70_001)
                    await sender.WriteAsync(sent.AsMemory(at, Math.Min(length, Size - at)));
                sender.ShutdownWrite();
            }
        }
    });

    [ThreadedTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_buffer_of_another_loop_is_refused_and_stays_the_callers(bool hasBudget) => Run(async () =>
    {
        (Connection sender, Connection source) = Connection.CreatePair();
        using (sender)
        using (source)
        {
            await sender.WriteAsync(Bytes("kept"));
            await source.WaitForDataAsync();
            Assert.True(source.TryReceive(out ReceivedBuffer buffer));
            LoopOptions options = MakeOptions();
            TestLoop.Run(
                () =>
                {
                    (Connection here, Connection there) = Connection.CreatePair();
                    using (here)
                    using (there)
                    {
                        if (!hasBudget)
                            EventLoop.Current!.Queue.Spend(int.MaxValue);
                        Assert.Throws<InvalidOperationException>(() => { _ = here.SendAsync(buffer); });
                    }

                    return Task.CompletedTask;
                },
                options);
            Assert.Equal("kept"u8, buffer.Span);
            buffer.Dispose();
        }
    });

    private static async Task Forward(Connection from, Connection to)
    {
        while (true)
        {
            await from.WaitForDataAsync();
            if (!from.TryReceive(out ReceivedBuffer buffer))
                continue;
            if (buffer.Length == 0)
                break;
            await to.SendAsync(buffer);
        }

        to.ShutdownWrite();
    }

    [Theory, MemberData(nameof(ConnectionTests.Families), MemberType = typeof(ConnectionTests))]
    public void It_can_be_looked_at_and_given_back(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            Assert.False(server.TryReceive(out ReceivedBuffer none));
            Assert.Equal(0, none.Length);
            for (int i = 0; i < 100; i++)
            {
                await client.WriteAsync(Bytes($"message {i}"));
                await server.WaitForDataAsync();
                Assert.True(server.TryReceive(out ReceivedBuffer buffer));
                Assert.Equal(Bytes($"message {i}"), buffer.Span.ToArray());
                buffer.Dispose();
            }

            client.ShutdownWrite();
            await server.WaitForDataAsync();
            Assert.True(server.TryReceive(out ReceivedBuffer end));
            Assert.Equal(0, end.Length);
            await server.SendAsync(end);
            Assert.Equal(0, Statistics.ReceiveBuffersInUse);
        }
    });

    [Theory, MemberData(nameof(ConnectionTests.Families), MemberType = typeof(ConnectionTests))]
    public void A_send_that_fails_or_is_cancelled_gives_the_memory_back(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        (Connection near, Connection far) = await PairOf(family);
        using (client)
        using (server)
        using (near)
        using (far)
        {
            await client.WriteAsync(Bytes("first"));
            await server.WaitForDataAsync();
            Assert.True(server.TryReceive(out ReceivedBuffer first));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await near.SendAsync(first, new CancellationToken(true)));
            await client.WriteAsync(Bytes("second"));
            await server.WaitForDataAsync();
            Assert.True(server.TryReceive(out ReceivedBuffer second));
            near.Dispose();
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await near.SendAsync(second));
            Assert.Equal(0, Statistics.ReceiveBuffersInUse);
        }
    });

    [Fact]
    public void A_connection_that_is_closed_gives_back_what_waits_to_be_sent() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        (Connection near, Connection far) = await TcpPair();
        using (client)
        using (server)
        using (far)
        {
            Fill(near);
            await client.WriteAsync(Bytes("never arrives"));
            await server.WaitForDataAsync();
            Assert.True(server.TryReceive(out ReceivedBuffer buffer));
            ValueTask sending = near.SendAsync(buffer);
            near.Abort();
            try
            {
                await sending;
            }
            catch (ObjectDisposedException)
            {
                // It waited for room.
            }

            await Until(() => Statistics.ReceiveBuffersInUse == 0);
        }
    });

    [Theory, MemberData(nameof(ConnectionTests.Families), MemberType = typeof(ConnectionTests))]
    public virtual void An_echo_in_place_allocates_nothing(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            Task echoing = Forward(server, server);
            byte[] message = new byte[64];
            // Better code that comes in the background may allocate as it is swapped in: one lap of many without any is what counts.
            long least = long.MaxValue;
            for (int lap = 0; lap < 6; lap++)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                for (int i = 0; i < 200; i++)
                {
                    await client.WriteAsync(message);
                    for (int left = message.Length; left > 0;)
                        left -= await client.ReadAsync(message);
                }

                least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
            }

            Assert.Equal(0, least);
            client.ShutdownWrite();
            await echoing;
        }
    });
}
