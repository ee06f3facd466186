#pragma warning disable CA2022 // Whatever part comes is enough here.
using System.Buffers;
using Weir.Net;

namespace Weir.Tests;

public class VectoredWriteTests : NetTestBase
{
    public static TheoryData<string> Families => ["tcp", "unix"];

    [Theory, MemberData(nameof(Families))]
    public virtual void Several_buffers_arrive_as_one_stream_with_one_call(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            Door.Reset();
            await client.WriteAsync([Bytes("one "), ReadOnlyMemory<byte>.Empty, Bytes("two "), Bytes("three"), ReadOnlyMemory<byte>.Empty]);
            Assert.Equal(1, Door.Writes);
            Assert.Equal("one two three", await ReadText(server, 13));
        }
    });

    [Fact]
    public void Nothing_to_write_makes_no_call() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using (client)
        using (server)
        {
            Door.Reset();
            await client.WriteAsync([]);
            await client.WriteAsync([ReadOnlyMemory<byte>.Empty, ReadOnlyMemory<byte>.Empty]);
            await client.WriteAsync(ReadOnlySequence<byte>.Empty);
            await client.WriteAsync(ReadOnlyMemory<byte>.Empty);
            Assert.Equal(0, Door.Writes);
            Assert.Throws<ArgumentNullException>(() => { _ = client.WriteAsync((IReadOnlyList<ReadOnlyMemory<byte>>)null!).AsTask(); });
        }
    });

    [Theory, MemberData(nameof(Families))]
    public virtual void Each_call_takes_sixty_four_buffers(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            byte[] all = Pattern(200);
            Door.Reset();
            await client.WriteAsync([.. Enumerable.Range(0, 200).Select(i => new ReadOnlyMemory<byte>(all, i, 1))]);
            Assert.Equal(4, Door.Writes);
            byte[] received = new byte[200];
            await server.ReadExactlyAsync(received);
            Assert.Equal(all, received);
        }
    });

    [Theory, MemberData(nameof(Families))]
    public void Parts_taken_go_on_where_they_stopped(string family) => Run(async () =>
    {
        (Connection client, Connection server) = await PairOf(family);
        using (client)
        using (server)
        {
            byte[] all = Pattern(6_000_000);
            var parts = new List<ReadOnlyMemory<byte>>();
            for (int place = 0, length = 0; place < all.Length; place += length)
            {
                length = Math.Min(all.Length - place, 1 + (place * 7 % 150_001));
                parts.Add(all.AsMemory(place, length));
                if (parts.Count % 3 == 0)
                    parts.Add(default);
            }

            Task writing = client.WriteAsync(parts).AsTask();
            Assert.False(writing.IsCompleted);
            byte[] received = new byte[all.Length];
            await server.ReadExactlyAsync(received);
            await writing;
            Assert.True(all.AsSpan().SequenceEqual(received));
        }
    });

    [Fact]
    public void A_sequence_is_written_whether_of_one_segment_or_many() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            await client.WriteAsync(new ReadOnlySequence<byte>(Bytes("single ")));
            var first = new Segment(Bytes("first "), null);
            var last = new Segment(Bytes("last"), new Segment(default, first));
            await client.WriteAsync(new ReadOnlySequence<byte>(first, 1, last, 3));
            Assert.Equal("single irst las", await ReadText(server, 15));
        }
    });

    [Fact]
    public void A_vectored_write_can_be_cancelled_and_disposed_under() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            await FillUp(client);
            using var cancellation = new CancellationTokenSource();
            Task writing = client.WriteAsync([new byte[1], new byte[1]], cancellation.Token).AsTask();
            cancellation.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writing);
            writing = client.WriteAsync([new byte[1], new byte[1]]).AsTask();
            client.Dispose();
            await Assert.ThrowsAsync<ObjectDisposedException>(() => writing);
        }
    });

    [Fact]
    public void A_vectored_write_to_a_peer_that_is_gone_is_EPIPE() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using (client)
        {
            server.Dispose();
            Assert.Equal(Errno.EPIPE, await RefusalOfWrites(() => client.WriteAsync([new byte[1], new byte[1]])));
        }
    });

    [Fact]
    public void Vectored_writes_give_way_to_their_neighbours() => Run(
        async () =>
        {
            (Connection client, Connection server) = Connection.CreatePair();
            using (client)
            using (server)
            {
                int writes = 0, mostBetween = 0, before = 0;
                bool ended = false;
                Task neighbour = EventLoop.Current!.Spawn(async () =>
                {
                    while (!ended)
                    {
                        mostBetween = Math.Max(mostBetween, writes - before);
                        before = writes;
                        await EventLoop.Yield();
                    }
                });
                long yields = Statistics.BudgetYields;
                for (; writes < 60; writes++)
                    await client.WriteAsync([new byte[1], new byte[1]]);
                ended = true;
                await neighbour;
                Assert.True(Statistics.BudgetYields > yields);
                Assert.InRange(mostBetween, 1, 8);
            }
        },
        options => options.TaskOperationBudget = 4);

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        internal Segment(ReadOnlyMemory<byte> memory, Segment? before)
        {
            Memory = memory;
            if (before == null)
                return;
            RunningIndex = before.RunningIndex + before.Memory.Length;
            before.Next = this;
        }
    }
}
