using Weir.Net;

namespace Weir.Tests;

public class DescriptorStreamTests : LoopTests
{
    [Fact]
    public void A_read_that_pends_is_ended_by_a_write()
        => RunPair(async (loop, left, right) =>
        {
            byte[] buffer = new byte[8];
            ValueTask<int> read = left.ReadAsync(buffer);
            await Settle();
            Assert.False(read.IsCompleted);
            Assert.Equal(1, loop.Statistics.WaitingReaders);
            await right.WriteAsync(new byte[] { 1, 2, 3 });
            Assert.Equal(3, await read);
            Assert.Equal([1, 2, 3], buffer[..3]);
            Assert.Equal(0, loop.Statistics.WaitingReaders);
        });

    [Fact]
    public void Both_directions_stream_a_megabyte_at_once()
        => RunPair(async (loop, left, right) =>
        {
            const int Size = 1 << 20;
            await Task.WhenAll(Send(left), Send(right), Receive(left), Receive(right));

            async Task Send(Connection from) => await from.WriteAsync(new byte[Size]);

            async Task Receive(Connection to) => await to.ReadExactlyAsync(new byte[Size]);
        });

    [Fact]
    public void Peeked_bytes_stay()
        => RunPair(async (loop, left, right) =>
        {
            await left.WriteAsync(new byte[] { 5, 6 });
            byte[] buffer = new byte[2];
            Assert.Equal(1, await right.PeekAsync(buffer.AsMemory(0, 1)));
            Assert.Equal(2, await right.ReadAsync(buffer));
            Assert.Equal([5, 6], buffer);
        });

    [Fact]
    public void An_empty_read_waits_for_data_and_takes_none()
        => RunPair(async (loop, left, right) =>
        {
            ValueTask<int> empty = left.ReadAsync(Memory<byte>.Empty);
            await Settle();
            Assert.False(empty.IsCompleted);
            await right.WriteAsync(new byte[4]);
            Assert.Equal(0, await empty);
            Assert.Equal(0, await left.ReadAsync(Memory<byte>.Empty));
            Assert.Equal(4, await left.ReadAsync(new byte[10]));
            Assert.True(left.WriteAsync(ReadOnlyMemory<byte>.Empty).IsCompletedSuccessfully);
        });

    [ThreadedFact]
    public void TryRead_and_TryWrite_do_what_is_possible_now()
        => RunPair(async (loop, left, right) =>
        {
            byte[] buffer = new byte[1 << 16];
            Assert.False(left.TryRead(buffer, out int count));
            Assert.Equal(0, count);
            Assert.Equal(3, right.TryWrite(new byte[3]));
            await left.WaitForDataAsync();
            Assert.True(left.TryRead(buffer, out count));
            Assert.Equal(3, count);
            Assert.False(left.TryRead(buffer, out _));
            Assert.Equal(0, right.TryWrite([]));

            int total = 0, written;
            do
            {
                while ((written = right.TryWrite(buffer)) > 0)
                    total += written;
                await Settle(); // what was taken over for the kernel reaches it at the end of a turn, and makes room
                total += written = right.TryWrite(buffer);
            }
            while (written > 0);
            ValueTask room = right.WaitWritableAsync();
            await Settle();
            Assert.False(room.IsCompleted);
            while (total > 0)
            {
                await left.WaitForDataAsync();
                if (left.TryRead(buffer, out count))
                    total -= count;
            }

            await room;
            Assert.True(right.TryWrite(new byte[1]) == 1);
            right.Dispose();
            Assert.Equal(1, await left.ReadAsync(buffer));
            await left.WaitForDataAsync();
            Assert.True(left.TryRead(buffer, out count)); // the end
            Assert.Equal(0, count);
            Assert.Throws<ObjectDisposedException>(() => right.TryRead(buffer, out _));
            Assert.Throws<ObjectDisposedException>(() => right.TryWrite(buffer));
            await Task.Run(() =>
            {
                Assert.Throws<InvalidOperationException>(() => left.TryRead(buffer, out _));
                Assert.Throws<InvalidOperationException>(() => left.TryWrite(buffer));
            });
        });

    [ThreadedFact]
    public void Synchronous_calls_are_refused_on_the_loop_and_work_off_it()
        => RunPair(async (loop, left, right) =>
        {
            Assert.Throws<InvalidOperationException>(() => left.Read(new byte[1], 0, 1));
            Assert.Throws<InvalidOperationException>(() => left.Write(new byte[1], 0, 1));
            Assert.Throws<InvalidOperationException>(() => left.ReadByte());
            await OnThread(() =>
            {
                left.Write([1, 2, 3]);
                left.Flush();
                byte[] buffer = new byte[3];
                right.ReadExactly(buffer);
                Assert.Equal([1, 2, 3], buffer);
                right.Write(buffer, 1, 2);
                Assert.Equal(2, left.ReadByte());
                Assert.Equal(3, left.ReadByte());
                left.EndWrite(left.BeginWrite(buffer, 0, 1, null, null));
                Assert.Equal(1, right.EndRead(right.BeginRead(buffer, 0, 3, null, null)));
            });
        });

    [ThreadedFact]
    public void Calls_from_another_thread_start_in_call_order_and_resume_there()
        => RunPair(async (loop, left, right) => await Task.Run(async () =>
        {
            for (byte i = 0; i < 100; i++)
                _ = left.WriteAsync(new[] { i }).AsTask(); // not awaited in between
            byte[] buffer = new byte[100];
            await right.ReadExactlyAsync(buffer);
            Assert.Null(EventLoop.Current);
            Assert.Equal(Enumerable.Range(0, 100).Select(i => (byte)i), buffer);
        }));

    [ThreadedFact]
    public void A_second_reader_or_writer_is_refused_and_the_first_is_untouched()
        => RunPair(async (loop, left, right) =>
        {
            byte[] buffer = new byte[1];
            ValueTask<int> read = left.ReadAsync(buffer);
            Task write = left.WriteAsync(new byte[1 << 22]).AsTask();
            Assert.Throws<BusyResourceException>(() => { _ = left.ReadAsync(new byte[1]); });
            Assert.Throws<BusyResourceException>(() => { _ = left.WaitForDataAsync(); });
            Assert.Throws<BusyResourceException>(() => { _ = left.WriteAsync(new byte[1]); });
            Assert.Throws<BusyResourceException>(() => left.TryRead(buffer, out _));
            Assert.Throws<BusyResourceException>(() => left.TryWrite(buffer));
            await Task.Run(async () =>
            {
                await Assert.ThrowsAsync<BusyResourceException>(async () => _ = await left.ReadAsync(new byte[1]));
                await Assert.ThrowsAsync<BusyResourceException>(async () => await left.WriteAsync(new byte[1]));
            });
            await right.WriteAsync(new byte[] { 9 });
            Assert.Equal(1, await read);
            Assert.Equal(9, buffer[0]);
            await right.ReadExactlyAsync(new byte[1 << 22]);
            await write;
        });

    [ThreadedFact]
    public void A_read_of_another_thread_keeps_the_loops_own_out_until_it_ends()
        => RunPair(async (loop, left, right) =>
        {
            Task<int> foreign = Task.Run(() => left.ReadAsync(new byte[1]).AsTask());
            while (loop.Statistics.WaitingReaders == 0)
                await EventLoop.Yield();
            Assert.Throws<BusyResourceException>(() => { _ = left.ReadAsync(new byte[1]); });
            await right.WriteAsync(new byte[2]);
            Assert.Equal(1, await foreign);
            Assert.Equal(1, await left.ReadAsync(new byte[1]));
        });

    [ThreadedTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Disposing_ends_operations_in_progress(bool fromElsewhere)
        => RunPair(async (loop, left, right) =>
        {
            ValueTask<int> read = left.ReadAsync(new byte[1]);
            Task write = left.WriteAsync(new byte[1 << 22]).AsTask();
            if (fromElsewhere)
                await OnThread(left.Dispose);
            else
                left.Dispose();
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => _ = await read);
            await Assert.ThrowsAsync<ObjectDisposedException>(() => write);
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => _ = await left.ReadAsync(new byte[1]));
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await left.WriteAsync(new byte[1]));
            Assert.Equal(-1, left.FileDescriptor);
            left.Dispose();
            Assert.Equal(1, loop.Statistics.Descriptors);
        });

    [ThreadedFact]
    public void Disposing_from_many_threads_while_operations_come_and_go_closes_once()
    {
        Kernel.Reset();
        Run(async loop =>
        {
            for (int round = 0; round < 50; round++)
            {
                var (left, right) = Connection.CreatePair();
                Task reading = Reading(left);
                await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(left.Dispose)));
                await reading;
                right.Dispose();
                Assert.Equal(0, loop.Statistics.Descriptors);
            }

            static async Task Reading(Connection connection)
            {
                try
                {
                    while (true)
                        _ = await connection.ReadAsync(new byte[1]);
                }
                catch (ObjectDisposedException)
                {
                }
            }
        });
        Assert.Equal(100 + 2, Kernel.Count(nameof(Weir.Kernel.Close)));
    }

    [Fact]
    public void Cancelled_before_nothing_happens_while_waiting_it_ends_after_it_is_too_late()
        => RunPair(async (loop, left, right) =>
        {
            using CancellationTokenSource before = new(), during = new(), after = new();
            before.Cancel();
            Assert.True(left.ReadAsync(new byte[1], before.Token).IsCanceled);
            Assert.True(left.WriteAsync(new byte[1], before.Token).IsCanceled);
            Assert.True(left.WaitForDataAsync(before.Token).IsCanceled);
            Assert.True(left.WaitWritableAsync(before.Token).IsCanceled);

            ValueTask<int> read = left.ReadAsync(new byte[1], during.Token);
            Task write = left.WriteAsync(new byte[1 << 22], during.Token).AsTask();
            during.Cancel();
            OperationCanceledException failure = await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => _ = await read);
            Assert.Equal(during.Token, failure.CancellationToken);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => write);

            await right.WriteAsync(new byte[1]);
            Assert.Equal(1, await left.ReadAsync(new byte[1], after.Token));
            ValueTask<int> next = left.ReadAsync(new byte[1]); // the same pooled operation
            after.Cancel();
            await right.WriteAsync(new byte[1]);
            Assert.Equal(1, await next);
        });

    [Fact]
    public void A_ValueTask_awaited_twice_says_so_and_disturbs_nobody()
        => RunPair(async (loop, left, right) =>
        {
            ValueTask<int> read = left.ReadAsync(new byte[1]);
            Task<int> first = Await(read), second = Await(read);
            await Assert.ThrowsAsync<InvalidOperationException>(() => second);
            await right.WriteAsync(new byte[1]);
            Assert.Equal(1, await first);
            await Assert.ThrowsAsync<InvalidOperationException>(() => Await(read));

            static async Task<int> Await(ValueTask<int> task) => await task;
        });

    [ThreadedFact]
    public void Cancelling_from_other_threads_while_data_comes_loses_no_byte()
        => RunPair(async (loop, left, right) =>
        {
            const int Bytes = 500;
            int received = 0, cancelled = 0;
            byte[] buffer = new byte[16];
            Task sender = Task.Run(async () =>
            {
                for (int i = 0; i < Bytes; i++)
                    await right.WriteAsync(new byte[1]);
            });
            while (received < Bytes)
            {
                using var cancellation = new CancellationTokenSource();
                Task[] cancellers = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(cancellation.Cancel))];
                try
                {
                    received += await left.ReadAsync(buffer.AsMemory(0, 1), cancellation.Token);
                }
                catch (OperationCanceledException)
                {
                    cancelled++;
                }

                await Task.WhenAll(cancellers);
            }

            await sender;
            Assert.Equal(Bytes, received);
            Assert.False(left.TryRead(buffer, out _));
        });

    [Fact]
    public void A_task_that_always_finds_data_gives_way()
        => RunPair(
            async (loop, left, right) =>
            {
                const int Bytes = 2000;
                await right.WriteAsync(new byte[Bytes]);
                int read = 0, turnsOfOthers = 0;
                Task neighbour = loop.Spawn(async () =>
                {
                    while (read < Bytes)
                    {
                        turnsOfOthers++;
                        await EventLoop.Yield();
                    }
                });
                await left.WaitForDataAsync();
                while (read < Bytes)
                    read += await left.ReadAsync(new byte[1]);
                await neighbour;
                Assert.InRange(turnsOfOthers, Bytes / 16 / 2, int.MaxValue);
                Assert.InRange(loop.Statistics.BudgetYields, Bytes / 16 / 2, Bytes);
            });

    private void RunPair(Func<EventLoop, Connection, Connection, Task> main) => Run(async loop =>
    {
        var (left, right) = Connection.CreatePair();
        using (left)
        using (right)
            await main(loop, left, right);
    });
}
