#pragma warning disable CA2022 // Whatever part comes is enough here.
using Weir.Net;

namespace Weir.Tests;

/// <summary>What each message costs in calls, which is what the rules of remembered readiness are for.</summary>
public class ReadinessTests : NetTestBase
{
    [Fact]
    public void An_echo_over_TCP_costs_one_read_and_one_write_per_message_and_side() => Run(async () =>
    {
        const int Messages = 500;
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            Task echo = Echo(server);
            byte[] buffer = new byte[512];
            await PingPong(client, buffer, 10);
            Door.Reset();
            LoopStatistics before = Statistics;
            await PingPong(client, buffer, Messages);
            Assert.Equal(2 * Messages, Door.Reads);
            Assert.Equal(2 * Messages, Door.Writes);
            Assert.Equal(0, Door.Count(nameof(Kernel.EpollCtl)));
            // One event wakes each side for each message: no writability, nothing twice.
            Assert.Equal(2 * Messages, Statistics.Events - before.Events);
            Assert.InRange(Door.Waits, Messages, (2 * Messages) + 5);
            Assert.Equal(0, Statistics.HopsOffLoop);
            client.ShutdownWrite();
            await echo;
        }
    });

    [Fact]
    public void After_the_end_was_announced_a_short_read_is_not_taken_for_the_last() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            await client.WriteAsync(Bytes("abc"));
            client.ShutdownWrite();
            await Until(() => (EventLoop.Current!.Driver.Readiness(TokenOf(server), EpollEvents.None) & EpollEvents.RdHup) != 0);
            Door.Reset();
            byte[] buffer = new byte[100];
            Assert.Equal(3, await server.ReadAsync(buffer));
            ValueTask<int> end = server.ReadAsync(buffer);
            Assert.True(end.IsCompleted, "no event comes any more: the end must be read without one");
            Assert.Equal(0, await end);
            Assert.Equal(2, Door.Reads);
        }
    });

    [Fact]
    public void A_TCP_read_that_fills_its_buffer_is_followed_by_another() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            await client.WriteAsync(Pattern(10));
            await server.WaitForDataAsync();
            Door.Reset();
            byte[] buffer = new byte[4];
            Assert.Equal(4, await server.ReadAsync(buffer));
            Assert.Equal(4, await server.ReadAsync(buffer));
            Assert.Equal(2, await server.ReadAsync(buffer));
            Assert.Equal(3, Door.Reads);
            Task<int> waiting = server.ReadAsync(buffer).AsTask();
            Assert.Equal(3, Door.Reads); // known to be empty without asking
            await client.WriteAsync(Pattern(1));
            Assert.Equal(1, await waiting);
        }
    });

    [Fact]
    public void A_unix_read_that_comes_back_short_does_not_mean_empty() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using (client)
        using (server)
        {
            await client.WriteAsync(Pattern(3));
            await server.WaitForDataAsync();
            Door.Reset();
            byte[] buffer = new byte[100];
            Assert.Equal(3, await server.ReadAsync(buffer));
            Task<int> next = server.ReadAsync(buffer).AsTask();
            Assert.Equal(2, Door.Reads);
            Assert.False(next.IsCompleted);
            await client.WriteAsync(Pattern(1));
            Assert.Equal(1, await next);
        }
    });

    [Fact]
    public void A_unix_sender_gets_no_event_for_the_messages_it_sends() => Run(async () =>
    {
        const int Messages = 200;
        (Connection client, Connection server) = Connection.CreatePair();
        using (client)
        using (server)
        {
            byte[] buffer = new byte[64];
            await Until(() => Statistics.Events >= 0);
            Door.Reset();
            long before = Statistics.Events;
            for (int i = 0; i < Messages; i++)
            {
                Task<int> reading = server.ReadAsync(buffer).AsTask();
                await client.WriteAsync(buffer.AsMemory(0, 10));
                Assert.Equal(10, await reading);
            }

            Assert.Equal(Messages, Statistics.Events - before); // IN for the receiver
            Assert.Equal(0, Door.Count(nameof(Kernel.EpollCtl)));
        }
    });

    [Fact]
    public void Room_is_watched_for_only_after_it_ran_out_and_given_up_afterwards() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using (client)
        using (server)
        {
            Door.Reset();
            byte[] block = new byte[1000];
            int total = 0, count;
            while ((count = client.TryWrite(block)) == block.Length)
                total += count;
            total += count;
            Assert.Equal(0, client.TryWrite(block));
            Assert.Equal(1, Door.Count(nameof(Kernel.EpollCtl)));
            Task writing = client.WriteAsync(block).AsTask();
            Assert.False(writing.IsCompleted);
            Assert.Equal(1, Door.Count(nameof(Kernel.EpollCtl)));
            await server.ReadExactlyAsync(new byte[total]);
            await writing;
            await server.ReadExactlyAsync(block);
            await Exchange(client, server, 10); // the first event that finds no writer gives the interest up
            Assert.Equal(2, Door.Count(nameof(Kernel.EpollCtl)));
            long before = Statistics.Events;
            await Exchange(client, server, 50);
            Assert.Equal(50, Statistics.Events - before);
            Assert.Equal(2, Door.Count(nameof(Kernel.EpollCtl)));
            // And a second time.
            int filled = Fill(client);
            Assert.Equal(3, Door.Count(nameof(Kernel.EpollCtl)));
            writing = client.WriteAsync(block).AsTask();
            await server.ReadExactlyAsync(new byte[filled + block.Length]);
            await writing;
        }

        static async Task Exchange(Connection client, Connection server, int messages)
        {
            byte[] buffer = new byte[64];
            for (int i = 0; i < messages; i++)
            {
                Task<int> reading = server.ReadAsync(buffer).AsTask();
                await client.WriteAsync(buffer.AsMemory(0, 8));
                Assert.Equal(8, await reading);
            }
        }
    });

    [Fact]
    public void A_write_that_cannot_wait_for_room_fails_instead_of_waiting_for_ever() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using (client)
        using (server)
        {
            Door.FailNext(nameof(Kernel.EpollCtl), Errno.ENOMEM);
            KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await client.WriteAsync(new byte[1 << 22]));
            Assert.Equal(Errno.ENOMEM, failure.Errno);
            Task writing = client.WriteAsync(Bytes("later")).AsTask();
            client.ShutdownRead();
            using var received = new MemoryStream();
            byte[] buffer = new byte[65536];
            while (!writing.IsCompleted)
                received.Write(buffer, 0, await server.ReadAsync(buffer));
            await writing;
        }
    });

    [ThreadedFact]
    public virtual void A_message_costs_no_allocation_in_the_steady_state() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            Task echo = Echo(server);
            byte[] buffer = new byte[512];
            await PingPong(client, buffer, 2000);
            // A collection that other threads cause counts the unused rest of this thread's allocation area: up to 8 KiB, by chance.
            long allocated = long.MaxValue;
            for (int attempt = 0; attempt < 10 && allocated != 0; attempt++)
                allocated = await Measured(client, buffer, 2000);
            Assert.Equal(0, allocated);
            client.ShutdownWrite();
            await echo;
        }

        static async Task<long> Measured(Connection client, byte[] buffer, int messages)
        {
            // The machinery of this method itself is made at its first wait.
            await Exchange(client, buffer);
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < messages; i++)
            {
                await client.WriteAsync(buffer.AsMemory(0, 100));
                int count = 0;
                while (count < 100)
                    count += await client.ReadAsync(buffer);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    });

    private static async Task Echo(Connection connection)
    {
        byte[] buffer = new byte[4096];
        int count;
        while ((count = await connection.ReadAsync(buffer)) > 0)
            await connection.WriteAsync(buffer.AsMemory(0, count));
    }

    private static async Task PingPong(Connection client, byte[] buffer, int messages)
    {
        for (int i = 0; i < messages; i++)
            await Exchange(client, buffer);
    }

    private static async Task Exchange(Connection client, byte[] buffer)
    {
        await client.WriteAsync(buffer.AsMemory(0, 100));
        int count = 0;
        while (count < 100)
            count += await client.ReadAsync(buffer);
    }

    private static ulong TokenOf(Connection connection)
    {
        IoDriver driver = connection.Loop.Driver;
        for (ulong index = 0; index < 64; index++)
        {
            if (driver.DescriptorOf(index) == connection.FileDescriptor)
                return index;
            for (ulong generation = 1; generation < 8; generation++)
            {
                ulong token = (generation << 32) | index;
                if (driver.DescriptorOf(token) == connection.FileDescriptor)
                    return token;
            }
        }

        throw new InvalidOperationException("No token of the first few names it.");
    }
}
