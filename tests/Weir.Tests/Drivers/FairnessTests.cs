#pragma warning disable CA2022 // Whatever part comes is enough here.
using Weir.Net;

namespace Weir.Tests;

public class FairnessTests : NetTestBase
{
    [Theory]
    [InlineData(2)]
    [InlineData(16)]
    public void A_flooding_connection_yields_to_its_neighbour_after_its_budget_of_operations(int budget) => Run(
        async () =>
        {
            int most = await MostReadsBetweenPongs(chunk: 16, pongs: 40);
            // A round trip takes four turns at most; in each the flooder may spend its budget once.
            Assert.InRange(most, 1, 4 * budget);
            Assert.True(Statistics.BudgetYields > 0);
        },
        options => options.TaskOperationBudget = budget);

    [Fact]
    public virtual void A_flooding_connection_yields_to_its_neighbour_after_its_budget_of_bytes() => Run(
        async () =>
        {
            const int Chunk = 512;
            int most = await MostReadsBetweenPongs(Chunk, pongs: 10);
            Assert.InRange(most, 1, 4 * 4096 / Chunk);
            Assert.True(Statistics.BudgetYields > 0);
        },
        options =>
        {
            options.TaskOperationBudget = int.MaxValue;
            options.TaskByteBudget = 4096;
        });

    [Fact]
    public void Without_neighbours_to_serve_the_flood_is_read_to_its_end() => Run(async () =>
    {
        (Connection sender, Connection flooded) = Connection.CreatePair();
        using (sender)
        using (flooded)
        {
            int total = Fill(sender);
            byte[] buffer = new byte[16];
            for (int left = total; left > 0;)
                left -= await flooded.ReadAsync(buffer);
            Assert.True(Statistics.BudgetYields > 0);
            Assert.False(flooded.TryRead(buffer, out _));
        }
    });

    [Fact]
    public void Tasks_that_were_ready_at_the_same_time_take_turns() => Run(
        async () =>
        {
            var order = new List<int>();
            Task[] readers = [.. Enumerable.Range(0, 3).Select(Reader)];
            await Task.WhenAll(readers);
            // Each gives way after four reads, so the others' come in between.
            for (int i = 0; i + 12 <= 36; i += 12)
                Assert.Equal(3, order.Skip(i).Take(12).Distinct().Count());

            async Task Reader(int who)
            {
                (Connection sender, Connection receiver) = Connection.CreatePair();
                using (sender)
                using (receiver)
                {
                    await sender.WriteAsync(new byte[12]);
                    await EventLoop.Yield();
                    byte[] one = new byte[1];
                    for (int i = 0; i < 12; i++)
                    {
                        Assert.Equal(1, await receiver.ReadAsync(one));
                        order.Add(who);
                    }
                }
            }
        },
        options => options.TaskOperationBudget = 4);

    /// <summary>How often, at most, a reader of a full socket reads while its neighbours exchange one message.</summary>
    private static async Task<int> MostReadsBetweenPongs(int chunk, int pongs)
    {
        (Connection sender, Connection flooded) = Connection.CreatePair();
        (Connection ping, Connection pong) = Connection.CreatePair();
        using (sender)
        using (flooded)
        using (ping)
        using (pong)
        {
            int flood = Fill(sender);
            int reads = 0, most = 0;
            bool enough = false;
            Task flooding = EventLoop.Current!.Spawn(async () =>
            {
                byte[] buffer = new byte[chunk];
                for (int left = flood; left > 0 && !enough; reads++)
                    left -= await flooded.ReadAsync(buffer);
                Assert.True(enough, "the flood ended before the neighbours had finished");
            });
            Task answering = EventLoop.Current!.Spawn(async () =>
            {
                byte[] one = new byte[1];
                while (await pong.ReadAsync(one) > 0)
                    await pong.WriteAsync(one);
            });
            byte[] message = new byte[1];
            for (int i = 0; i < pongs; i++)
            {
                int before = reads;
                await ping.WriteAsync(message);
                await ping.ReadExactlyAsync(message);
                most = Math.Max(most, reads - before);
            }

            enough = true;
            ping.ShutdownWrite();
            await answering;
            await flooding;
            return most;
        }
    }
}
